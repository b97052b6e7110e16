"""From what the data loader collated to tensors on the device."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from elva.registry import MODELS

IGNORE = -100
"""The label of text that is not to be learned."""


@MODELS.register_module()
class VideoDataPreprocessor(BaseDataPreprocessor):
    """Moves a batch to the device, normalises its pixels and pads its text on the right.

    Args:
        mean: Mean of each RGB channel, in [0, 255]. Default: 127.5 each.
        std: Standard deviation of each channel. Default: 127.5 each, so that pixels are in [-1, 1].
    """

    def __init__(
        self, mean: Sequence[float] = (127.5, 127.5, 127.5), std: Sequence[float] = (127.5, 127.5, 127.5)
    ) -> None:
        super().__init__(non_blocking=True)
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)

    def forward(self, data: dict[str, Any], training: bool = False) -> dict[str, Any]:
        """Prepare one batch of ``collate_samples``.

        Returns:
            ``inputs`` with ``clips`` (the V clips of the whole batch in order, pixels normalised), ``ids`` (B, T),
            ``valid`` (B, T) and ``labels`` (B, T) or None; and ``data_samples`` as they came.
        """
        del training
        inputs = data["inputs"]
        clips = [clip.map(self._normalise) for clips in inputs["clips"] for clip in clips]
        lengths = torch.tensor([len(ids) for ids in inputs["input_ids"]])
        ids = pad_sequence(inputs["input_ids"], batch_first=True)
        labels = inputs.get("labels")
        if labels is not None:
            labels = pad_sequence(labels, batch_first=True, padding_value=IGNORE).to(self.device)
        valid = torch.arange(ids.shape[1]) < lengths[:, None]
        out = {"clips": clips, "ids": ids.to(self.device), "valid": valid.to(self.device), "labels": labels}
        return {"inputs": out, "data_samples": data["data_samples"]}

    def denormalise(self, pixels: Tensor) -> Tensor:
        """Normalised pixels (..., 3, H, W) back to RGB in [0, 1]."""
        return (pixels * self.std + self.mean) / 255

    def _normalise(self, pixels: Tensor) -> Tensor:
        return (pixels.to(self.device, non_blocking=True).float() - self.mean) / self.std
