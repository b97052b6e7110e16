import pytest
from mmengine.runner import Runner

from tests.test_engine import toy
from tests.test_engine.toy import ToyData, toy_config, train


@pytest.fixture
def bad_samples(monkeypatch):
    """Every fifth sample is bad: the data set notes it, and gives another."""
    good = ToyData.__getitem__

    def getitem(self, index: int) -> dict:
        if index % 5 == 0:
            self.skip_log.add("train.json", str(index), [f"{index}.mp4"], "does not decode")
        return good(self, index)

    monkeypatch.setattr(toy.ToyData, "__getitem__", getitem)


def warnings(runner: Runner, tmp_path) -> list[str]:
    log = (tmp_path / runner.timestamp / f"{runner.timestamp}.log").read_text()
    return [line for line in log.splitlines() if "bad samples" in line]


@pytest.mark.parametrize("workers", [0, 2])
def test_every_process_writes_to_one_file_and_the_count_is_reported(tmp_path, bad_samples, workers):
    cfg = toy_config(tmp_path, max_iters=10, default_hooks__skipped_samples__interval=5)
    cfg.train_dataloader.num_workers = workers
    runner = train(cfg)
    lines = (tmp_path / "skipped.jsonl").read_text().splitlines()
    assert len(lines) >= 4  # workers read ahead
    assert '"error": "does not decode"' in lines[0]
    reports = warnings(runner, tmp_path)
    assert f"{len(lines)} bad samples so far; each is named in {tmp_path / 'skipped.jsonl'}" in reports[-1]


def test_earlier_runs_in_the_folder_do_not_count(tmp_path, bad_samples):
    (tmp_path / "skipped.jsonl").write_text('{"id": "of another run"}\n' * 7)
    runner = train(toy_config(tmp_path, max_iters=10, val_cfg=None, val_dataloader=None, val_evaluator=None))
    assert "4 bad samples so far" in warnings(runner, tmp_path)[-1]


def test_a_test_reports_its_own(tmp_path, bad_samples):
    runner = Runner.from_cfg(toy_config(tmp_path))
    runner.test()
    assert "2 bad samples so far" in warnings(runner, tmp_path)[-1]


def test_nothing_skipped_nothing_said(tmp_path):
    runner = train(toy_config(tmp_path))
    assert warnings(runner, tmp_path) == []
    assert not (tmp_path / "skipped.jsonl").exists()
