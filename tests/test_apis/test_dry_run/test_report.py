import pytest
from mmengine.config import Config

from elva.apis.dry_run import dry_run
from elva.datasets.moving_shapes import make_moving_shapes
from elva.utils.tiny_llm import TinyLLMSettings, make_tiny_llm

SHAPE = {
    "model_type": "qwen2",
    "hidden_size": 3584,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "intermediate_size": 18944,
    "vocab_size": 152064,
}


@pytest.fixture(autouse=True)
def _nothing_is_read(monkeypatch):
    from transformers import AutoModelForCausalLM

    from elva.datasets.readers import DecordReader

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda *_, **__: pytest.fail("weights were read"))
    monkeypatch.setattr(DecordReader, "read", lambda *_: pytest.fail("a frame was decoded"))
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)


def load(frames: int, size: tuple[int, int], patch: int) -> dict:
    return {
        "type": "LoadVideo",
        "reader": {"type": "DecordReader"},
        "sampler": {"type": "UniformSampler", "num_frames": frames},
        "resolution": {"type": "FixedResolution", "size": size, "patch_size": patch},
    }


def config(llm: dict, pipeline: list[dict], ann_file: str, data_root: str, **model) -> Config:
    parts = {
        "type": "VideoLLM",
        "tokenizer": {"type": "ElvaPatchEmbed", "embed_channels": 1024},
        "llm": {"type": "HFDecoder", **llm},
        "merger": {"type": "HierarchicalTemporalMerger", "layers": (2, 6)},
    }
    dataset = {"type": "VideoTextDataset", "ann_file": ann_file, "data_root": data_root, "pipeline": pipeline}
    wrapper = {"type": "MixedPrecisionOptimWrapper", "optimizer": {"type": "AdamW"}}
    return Config(
        {
            "model": {**parts, **model},
            "train_dataloader": {"batch_size": 4, "dataset": dataset},
            "optim_wrapper": wrapper,
            "custom_hooks": [{"type": "RandomMergeRatioHook", "choices": (0.0, 0.5)}],
        }
    )


def test_a_7b_model_without_weights_or_data():
    text = {"type": "TokenizeConversation", "path": "nobody/no-llm"}
    llm = {"path": "nobody/no-llm", "config": SHAPE, "gradient_checkpointing": True}
    report = dry_run(config(llm, [load(32, (192, 192), 16), text], "no/data.json", ""))
    lines = [line.split() for line in report.splitlines()]
    assert ["data.json", "not", "here", "100%", "32", "5,024", "256", "128"] in lines
    assert ["data.json", "no", "merging", "0-27:", "5,279"] in lines
    assert ["50%", "0-1:", "5,279", "2-5:", "2,767", "6-27:", "1,511"] in lines
    assert next(line for line in lines if line[:1] == ["llm"])[-3:] == ["7.62", "B", "all"]
    assert ["optimizer", "56.8", "GiB"] in lines
    assert "hf download nobody/no-llm" in " ".join(report.split())
    assert "no/data.json' does not exist" in report
    assert max(map(len, report.splitlines())) <= 120


def test_a_tiny_run_that_lacks_nothing(tmp_path):
    make_moving_shapes(tmp_path, {"train": 4})
    settings = TinyLLMSettings(hidden=32, layers=8, heads=2, kv_heads=2, intermediate=64)
    make_tiny_llm(tmp_path / "llm", [tmp_path / "train_qa.json"], settings)
    llm = {"path": str(tmp_path / "llm"), "config": SHAPE}
    text = {"type": "TokenizeConversation", "path": str(tmp_path / "llm")}
    teacher = {"type": "HOGTeacher", "image_size": 48}
    tokenizer = {"type": "ElvaPatchEmbed", "patch_size": 12, "tubelet": 2, "embed_channels": 32, "num_heads": 2}
    report = dry_run(
        config(
            llm,
            [load(8, (48, 48), 12), text],
            str(tmp_path / "train_qa.json"),
            str(tmp_path),
            tokenizer=tokenizer,
            teacher=teacher,
            supervisors=[{"type": "TubeAlignment"}],
            trainable=("tokenizer", "supervisors"),
        )
    )
    assert "Nothing: training can start." in report
    assert "8 layers of width 32" in report, "the shape is that of the model on the disk"
    assert "TubeAlignment" in report
    assert [line.split()[-1] for line in report.splitlines() if line.startswith("  llm ")] == ["no"]
    assert "three times the forward pass;" in report
    assert "84" in next(line for line in report.splitlines() if line.startswith("  train_qa.json"))
