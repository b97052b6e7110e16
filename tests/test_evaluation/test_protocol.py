import hashlib
from pathlib import Path
from types import SimpleNamespace

from mmengine.config import Config

from elva.evaluation.protocol import make_protocol, protocol_digest


def _protocol(folder: Path, **changes: object) -> dict:
    checkpoint = folder / "model.pth"
    checkpoint.write_bytes(b"weights")
    load = dict(
        type="LoadVideo", reader=dict(type="R"), sampler=dict(type="S", num_frames=4), resolution=dict(type="F")
    )
    cfg = Config(
        dict(
            model=dict(type="M", sizes=(1, 2)),
            test_dataloader=dict(batch_size=1, dataset=dict(pipeline=[load, dict(type="Tokenize", path="llm")])),
            load_from=str(checkpoint),
            randomness=dict(seed=3),
        )
    )
    cfg.merge_from_dict(changes)
    data = SimpleNamespace(protocol=lambda: {"name": "D"}, reader=lambda reader: {"type": "Either", "file": reader})
    metrics = [SimpleNamespace(protocol=lambda m=m: {"metric": m}, group_by=("kind", m)) for m in ("E", "F")]
    return make_protocol(cfg, data, metrics, exact=True, device="cpu", precision="float32")


def test_frames_model_checkpoint_and_seed_are_told(tmp_path) -> None:
    protocol = _protocol(tmp_path)
    assert protocol["frames"] == {"type": "S", "num_frames": 4} and protocol["resolution"] == {"type": "F"}
    assert protocol["steps"] == [{"type": "Tokenize", "path": "llm"}] and protocol["model"]["sizes"] == [1, 2]
    assert protocol["data"] == {"name": "D"} and protocol["seed"] == 3
    assert protocol["metrics"] == [{"metric": "E"}, {"metric": "F"}] and protocol["group_by"] == ["kind", "E", "F"]
    sha256 = hashlib.sha256(b"weights").hexdigest()
    assert protocol["checkpoint"] == {"file": "model.pth", "sha256": sha256}


def test_the_reader_is_the_one_that_the_data_are_read_with(tmp_path) -> None:
    assert _protocol(tmp_path)["reader"] == {"type": "Either", "file": {"type": "R"}}


def test_every_step_of_the_pipeline_is_told(tmp_path) -> None:
    steps = [dict(type="Tokenize", path="a"), dict(type="Tokenize", path="b")]
    protocol = _protocol(tmp_path, **{"test_dataloader.dataset.pipeline": steps})
    assert protocol["steps"] == steps and protocol["reader"] is None


def test_another_metric_asks_nothing_anew(tmp_path) -> None:
    protocol = _protocol(tmp_path)
    assert protocol_digest(protocol) == protocol_digest(protocol | {"metrics": []})
    assert protocol_digest(protocol) != protocol_digest(protocol | {"group_by": ["kind"]})


def test_what_decides_answers_changes_the_digest_and_what_decides_speed_does_not(tmp_path) -> None:
    plain = protocol_digest(_protocol(tmp_path))
    assert len(plain) == 12 and plain == protocol_digest(_protocol(tmp_path))
    assert plain == protocol_digest(_protocol(tmp_path, **{"test_dataloader.batch_size": 8}))
    for change in ({"randomness.seed": 4}, {"model.sizes": (1, 3)}):
        assert plain != protocol_digest(_protocol(tmp_path, **change))


def test_the_checkpoint_counts_by_its_content(tmp_path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert _protocol(tmp_path / "a") == _protocol(tmp_path / "b")


def test_the_text_tokenizer_counts_by_its_files(tmp_path) -> None:
    folder = tmp_path / "llm"
    folder.mkdir()
    (folder / "tokenizer.json").write_text("{}")
    protocol = _protocol(tmp_path, **{"model.llm": {"path": str(folder)}})
    assert protocol["text_tokenizer"] == {"tokenizer.json": hashlib.sha256(b"{}").hexdigest()}
    (folder / "tokenizer.json").write_text("{ }")
    assert protocol["text_tokenizer"] != _protocol(tmp_path, **{"model.llm": {"path": str(folder)}})["text_tokenizer"]
    assert _protocol(tmp_path, **{"model.llm": {"path": "hub/name"}})["text_tokenizer"] == {}
