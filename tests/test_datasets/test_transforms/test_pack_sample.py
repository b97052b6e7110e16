import torch

from elva.datasets.transforms import PackSample
from elva.structures import Clip, FramePlan


def _results(**keys: object) -> dict:
    clip = Clip(FramePlan((0.0,), ((2, 2),)), (torch.zeros(1, 3, 2, 2, dtype=torch.uint8),), "a.mp4")
    ids = torch.tensor([1, 2])
    fixed = {"id": "s", "videos": ["a.mp4"], "clips": [clip], "input_ids": ids, "labels": ids, "conversations": []}
    return fixed | {"question": "<video>?", "answer": "yes", "meta": {"skill": "x"}} | keys


def test_inputs_and_sample() -> None:
    packed = PackSample()(_results())
    assert set(packed) == {"inputs", "data_samples"}
    assert set(packed["inputs"]) == {"clips", "input_ids", "labels"}
    sample = packed["data_samples"]
    assert (sample.id, sample.question, sample.answer, sample.videos) == ("s", "<video>?", "yes", ("a.mp4",))
    assert sample.plans == (packed["inputs"]["clips"][0].plan,)
    assert sample.meta == {"skill": "x"} and sample.stats == {} and sample.prediction is None


def test_an_error_goes_into_the_stats() -> None:
    assert PackSample()(_results(error="it broke"))["data_samples"].stats == {"error": "it broke"}


def test_no_labels_in_testing() -> None:
    assert PackSample()(_results(labels=None))["inputs"]["labels"] is None
