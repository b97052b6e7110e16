"""Conversations about videos and images, from LLaVA-style annotation files."""

import logging
import math
import random
from collections.abc import Callable, Sequence
from typing import Any

from mmengine.logging import print_log
from torch.utils.data import Dataset, get_worker_info

from elva.registry import DATASETS, TRANSFORMS

from .annotations import load_annotations
from .conversation import VIDEO_TAG, parse_sample
from .skips import SkipLog


@DATASETS.register_module()
class VideoTextDataset(Dataset):
    """Samples of LLaVA-style JSON or JSONL files, each run through a pipeline.

    A sample that cannot be used (a video that does not decode, a wrong count of tags, ...) never stops a run, and is
    never lost silently. In training it is noted in ``skip_log``, named in the log and replaced by another sample,
    always the same one; too many of them stop the run. In testing it stays: its frames are blank, and
    ``data_samples.stats['error']`` says why, so that it counts as wrong.

    Args:
        ann_file: One annotation file, or several that are read as one.
        data_root: What the paths in the annotations are relative to.
        pipeline: Transforms (or their configs), applied in order to dict(id, videos, conversations, meta).
        mode: ``'train'`` or ``'test'``. Default: ``'train'``.
        max_skip_share: Share of the data set's samples that may be skipped in training (one always may).
            Default: 0.01.
        share: Use only this share of the samples (at least one), always the same ones, in their order; a smaller share
            is a part of a larger one. Default: 1, all.

    Attributes:
        skip_log: Where skipped samples are noted. Default: in memory; give it a file to share it between processes.

    Raises:
        FileNotFoundError: If an annotation file does not exist.
        ValueError: If an annotation file is not JSON (the line is named), or an argument is out of range.
    """

    def __init__(
        self,
        ann_file: str | Sequence[str],
        data_root: str = "",
        pipeline: Sequence[dict[str, Any] | Callable[[dict], dict]] = (),
        mode: str = "train",
        max_skip_share: float = 0.01,
        share: float = 1.0,
    ) -> None:
        if mode not in ("train", "test"):
            raise ValueError(f"VideoTextDataset: mode must be 'train' or 'test', got '{mode}'")
        if not 0 <= max_skip_share <= 1:
            raise ValueError(f"VideoTextDataset: max_skip_share must lie in [0, 1], got {max_skip_share}")
        if not 0 < share <= 1:
            raise ValueError(f"VideoTextDataset: share must lie in (0, 1], got {share}")
        files = [ann_file] if isinstance(ann_file, str) else list(ann_file)
        self.data_root = data_root
        self.mode = mode
        self.max_skip_share = max_skip_share
        self.skip_log = SkipLog()
        samples = [(file, sample) for file in files for sample in load_annotations(file)]
        self._samples = [samples[index] for index in _drawn(len(samples), share)]
        self._source = ", ".join(files)
        self._transforms = [TRANSFORMS.build(t) if isinstance(t, dict) else t for t in pipeline]

    @property
    def metainfo(self) -> dict[str, Any]:
        """What MMEngine's loops hand to the evaluator."""
        return {"ann_file": self._source}

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return what the pipeline makes of sample ``index``.

        Raises:
            ValueError: In training, if more than ``max_skip_share`` of the samples had to be skipped.
        """
        stride = _stride(len(self))
        for _ in range(len(self)):
            try:
                return self._run(self.raw(index))
            except ValueError as error:
                self._note(index, error)
                if self.mode == "test":
                    return self._run(self._blank(index, error))
                self._check_share()
                index = (index + stride) % len(self)
        raise SkipShareError(f"not one of the {len(self)} samples of {self._source} can be used")

    def raw(self, index: int) -> dict[str, Any]:
        """Return dict(id, videos, conversations, meta) of sample ``index``, before the pipeline.

        Raises:
            ValueError: If the annotation is not usable; the message names the file, the sample and what was expected.
        """
        file, sample = self._samples[index]
        try:
            return parse_sample(sample, self.data_root, answered=self.mode == "train")
        except ValueError as error:
            raise ValueError(f"{file}: sample '{self._id(index)}': {error}") from error

    def _run(self, item: dict[str, Any]) -> dict[str, Any]:
        for transform in self._transforms:
            item = transform(item)
        return item

    def _id(self, index: int) -> str:
        return str(self._samples[index][1].get("id", f"number {index}"))

    def _note(self, index: int, error: ValueError) -> None:
        sample = self._samples[index][1]
        media = [sample.get(key) or [] for key in ("video", "image")]
        videos = [str(path) for value in media for path in ([value] if isinstance(value, str) else value)]
        worker = get_worker_info()
        first = self.skip_log.add(self._source, self._id(index), videos, str(error), worker.id if worker else None)
        if first:
            what = "skipped" if self.mode == "train" else "answered without its video"
            print_log(f"Sample '{self._id(index)}' is {what}: {error}", "current", logging.WARNING)

    def _check_share(self) -> None:
        errors = self.skip_log.errors(self._source)
        allowed = min(max(1, int(self.max_skip_share * len(self))), len(self) - 1)
        if len(errors) > allowed:
            listed = "\n".join(f"  {name}: {error}" for name, error in list(errors.items())[:20])
            more = f"\n  ... and {len(errors) - 20} more" if len(errors) > 20 else ""
            raise SkipShareError(
                f"{len(errors)} of {len(self)} samples of {self._source} had to be skipped, more than "
                f"max_skip_share={self.max_skip_share} allows ({allowed}). Repair or remove them:\n{listed}{more}"
            )

    def _blank(self, index: int, error: ValueError) -> dict[str, Any]:
        """The item of a sample that failed: its question if that is usable, and ``error``, so that frames are blank."""
        try:
            item = self.raw(index)
        except ValueError:
            question = {"role": "user", "content": VIDEO_TAG}
            meta = dict(self._samples[index][1])
            item = {"id": self._id(index), "videos": [""], "conversations": [question], "meta": meta}
        return item | {"error": str(error)}


class SkipShareError(ValueError):
    """More samples were skipped than ``max_skip_share`` allows."""


def _drawn(count: int, share: float) -> list[int]:
    """The numbers of a share of ``count`` samples, rising."""
    order = list(range(count))
    random.Random(0).shuffle(order)
    return sorted(order[: max(1, round(share * count))])


def _stride(length: int) -> int:
    """A step that visits all of ``length`` places, far from each other: neighbours tend to share what is wrong."""
    step = max(1, round(length * 0.618))
    while math.gcd(step, length) != 1:
        step += 1
    return step
