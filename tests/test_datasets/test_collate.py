import torch
from mmengine.registry import FUNCTIONS

from elva.datasets import collate_samples


def _sample(length: int, labelled: bool = True) -> dict:
    labels = torch.zeros(length) if labelled else None
    inputs = {"clips": [f"clip{length}"], "input_ids": torch.arange(length), "labels": labels}
    return {"inputs": inputs, "data_samples": f"sample{length}"}


def test_samples_stay_apart() -> None:
    batch = collate_samples([_sample(2), _sample(5)])
    assert batch["inputs"]["clips"] == [["clip2"], ["clip5"]]
    assert [len(ids) for ids in batch["inputs"]["input_ids"]] == [2, 5]
    assert [len(labels) for labels in batch["inputs"]["labels"]] == [2, 5]
    assert batch["data_samples"] == ["sample2", "sample5"]


def test_no_labels_in_testing() -> None:
    assert collate_samples([_sample(2, False), _sample(3, False)])["inputs"]["labels"] is None


def test_a_config_finds_it_by_name() -> None:
    assert FUNCTIONS.get("collate_samples") is collate_samples
