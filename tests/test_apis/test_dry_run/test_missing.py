from pathlib import Path

import pytest
from mmengine.config import Config

from elva.apis.dry_run.missing import Devices, devices_of, missing_devices, missing_weights

COMMENT = "# Stage 3.\n# Hardware: 8 x 80 GB. Command: ...\n_base_ = []\n"


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 0)


def test_devices_are_those_of_the_launcher_the_comment_or_this_machine(monkeypatch):
    assert devices_of(COMMENT) == Devices(8, 80, "the config's first comment")
    assert devices_of("model = dict()") == Devices(1, None, "what torch sees here")
    monkeypatch.setenv("WORLD_SIZE", "32")
    assert devices_of(COMMENT) == Devices(32, 80, "the launcher")


def test_too_few_devices_and_too_little_memory_are_said():
    few, little = missing_devices(Devices(8, 80, ""), 100 * 2**30)
    assert "8 x 80 GB; torch sees 0 GPUs" in few
    assert "about 100.0 GiB are needed on each device, which has 74.5 GiB" in little


def test_a_config_for_any_machine_lacks_nothing():
    assert list(missing_devices(Devices(1, None, ""), 1e15)) == []


def config(llm: str, text: str, teacher: str, start: str | None) -> Config:
    pipeline = [{"type": "TokenizeConversation", "path": text}]
    return Config(
        {
            "model": {"llm": {"path": llm}, "teacher": {"path": teacher}},
            "train_dataloader": {"dataset": {"datasets": [{"dataset": {"pipeline": pipeline}}]}},
            "load_from": start,
        }
    )


def test_weights_tokenizers_and_checkpoints_are_named_with_a_remedy():
    cfg = config("nobody/no-llm", "work_dirs/no/text", "nobody/no-teacher", "work_dirs/no.pth")
    llm, teacher, text, start = missing_weights(cfg)
    assert "model.llm.path" in llm
    assert "hf download nobody/no-llm" in llm
    assert "hf download nobody/no-teacher" in teacher
    assert text.startswith("text tokenizer: there is no folder work_dirs/no/text")
    assert "no file work_dirs/no.pth; train the stage before" in start


def test_a_baseline_whose_vision_weights_are_missing_says_so(tmp_path: Path):
    here = str(tmp_path)
    cfg = config(here, here, here, None)
    cfg.model.tokenizer = {"type": "FrameEncoder", "path": "nobody/no-encoder"}
    (encoder,) = missing_weights(cfg)
    assert "model.tokenizer.path" in encoder
    assert "hf download nobody/no-encoder" in encoder


def test_what_is_on_the_disk_is_not_missing(tmp_path: Path):
    checkpoint = tmp_path / "last.pth"
    checkpoint.touch()
    here = str(tmp_path)
    assert list(missing_weights(config(here, here, here, str(checkpoint)))) == []
    assert list(missing_weights(config(here, here, here, None))) == []
