"""Puts samples into a batch."""

from collections.abc import Sequence
from typing import Any

from mmengine.registry import FUNCTIONS


@FUNCTIONS.register_module()
def collate_samples(batch: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the batch of samples that ``PackSample`` made: nothing is padded or stacked, the model does that.

    Args:
        batch: dicts with ``inputs`` (``clips``, ``input_ids``, ``labels``) and ``data_samples``.

    Returns:
        ``inputs`` with one entry a sample: its list of clips, its ids (Lt,) and its labels (Lt,) (``labels`` is None
        where a sample has none); and ``data_samples``, a list.
    """
    inputs: dict[str, Any] = {key: [sample["inputs"][key] for sample in batch] for key in batch[0]["inputs"]}
    if any(labels is None for labels in inputs["labels"]):
        inputs["labels"] = None
    return {"inputs": inputs, "data_samples": [sample["data_samples"] for sample in batch]}
