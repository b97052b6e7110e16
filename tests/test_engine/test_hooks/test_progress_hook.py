import sys
from typing import ClassVar

import pytest
from mmengine.runner import Runner

from elva.engine.hooks import progress_hook
from tests.test_engine.toy import toy_config, train


class FakeBars:
    made: ClassVar[list["FakeBars"]] = []

    def __init__(self, logger) -> None:
        self.log: list[tuple] = []
        FakeBars.made.append(self)

    def __getattr__(self, name):
        def record(*args):
            self.log.append((name, *args))
            return sum(entry[0] == "add" for entry in self.log) - 1

        return record


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr(FakeBars, "made", [])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setattr(progress_hook, "Bars", FakeBars)


def test_bar_of_training_and_within_it_of_validation(tmp_path, terminal):
    train(toy_config(tmp_path, max_iters=2, train_cfg__val_interval=2))
    log = FakeBars.made[0].log
    assert log[0] == ("add", "train", 2, 0)
    assert [entry[:2] for entry in log[1:3]] == [("advance", 0), ("advance", 0)]
    assert log[2][2].startswith("loss ")
    assert log[3:] == [("add", "val", 3, 0), *[("advance", 1)] * 3, ("remove", 1), ("stop",)]


def test_bar_starts_where_training_resumes(tmp_path, terminal):
    train(toy_config(tmp_path, max_iters=2))
    train(toy_config(tmp_path, max_iters=4, resume=True))
    assert FakeBars.made[1].log[0] == ("add", "train", 4, 2)


def test_bar_of_a_test(tmp_path, terminal):
    Runner.from_cfg(toy_config(tmp_path)).test()
    assert FakeBars.made[0].log == [("add", "test", 3, 0), *[("advance", 0)] * 3, ("stop",)]


def test_no_bar_without_a_terminal(tmp_path, monkeypatch):
    monkeypatch.setattr(progress_hook, "Bars", None)  # making one would fail
    assert train(toy_config(tmp_path, max_iters=1)).iter == 1
