import pytest
import torch
from mmengine.runner import Runner

from elva.engine.hooks.checkpoint_guard_hook import mismatches
from tests.test_engine.toy import ToyModel, toy_config


def weights(*names: str, width: int = 1) -> dict[str, torch.Tensor]:
    return {name: torch.zeros(width) for name in names}


def test_same_names_and_shapes_fit():
    assert mismatches(weights("a", "b"), weights("b", "a"), ()) == []


def test_differences_are_named_and_counted():
    many = [f"llm.{i}" for i in range(6)]
    assert mismatches(weights(*many), {}, ()) == ["Missing in the checkpoint: llm.0, llm.1, llm.2, llm.3, and 2 more."]
    assert mismatches({}, weights("head"), ()) == ["Unknown to the model: head."]
    assert mismatches(weights("a", width=3), weights("a", width=2), ()) == [
        "Of another shape: a (2,) where the model has (3,)."
    ]


def test_optional_parts_may_be_absent_on_either_side_but_not_of_another_shape():
    assert mismatches(weights("a", "teacher.b"), weights("a", "supervisors.c"), ["teacher.", "supervisors."]) == []
    assert mismatches(weights("teacher.b", width=3), weights("teacher.b"), ["teacher."])


def load(tmp_path, checkpoint: dict) -> None:
    torch.save(checkpoint, tmp_path / "theirs.pth")
    runner = Runner.from_cfg(toy_config(tmp_path / "run", load_from=str(tmp_path / "theirs.pth")))
    runner.load_or_resume()


def test_wrong_checkpoint_stops_the_run_and_says_what_to_check(tmp_path):
    message = r"theirs\.pth does not fit the model of this config \(ToyModel\)\. Of another shape: fc\.weight \(1, 9\)"
    with pytest.raises(ValueError, match=message) as error:
        load(tmp_path, {"state_dict": ToyModel(width=9).state_dict()})
    assert "load_from names the stage before" in str(error.value)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_checkpoint_of_the_stage_before_is_loaded_without_its_supervisor(tmp_path, prefix):
    state = ToyModel(supervised=True).state_dict()
    load(tmp_path, {"state_dict": {prefix + name: w for name, w in state.items()}})


def test_bare_state_dict_is_checked_too(tmp_path):
    load(tmp_path, ToyModel().state_dict())
    with pytest.raises(ValueError, match="Missing in the checkpoint: fc.weight, fc.bias"):
        load(tmp_path, {})


def test_training_starts_a_new_part_that_tests_and_resumed_runs_must_find(tmp_path):
    """A merger with weights of its own, from a checkpoint of another."""
    torch.save({"state_dict": ToyModel().state_dict()}, tmp_path / "theirs.pth")
    model = {"type": "ToyModel", "routed": True}

    def runner(**changes):
        start = {"load_from": str(tmp_path / "theirs.pth"), "model": model, "max_iters": 1}
        return Runner.from_cfg(toy_config(tmp_path / "run", **start, **changes))

    runner().train()
    for fails in (runner().test, runner(resume=True).train):
        with pytest.raises(ValueError, match=r"Missing in the checkpoint: merger\.router"):
            fails()
