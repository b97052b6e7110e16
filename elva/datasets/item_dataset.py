"""What data sets of videos and text share: a pipeline, and what happens to a sample that cannot be used."""

import logging
import math
from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from mmengine.logging import print_log
from torch.utils.data import Dataset, get_worker_info

from elva.registry import TRANSFORMS

from .skips import SkipLog

Transform = Callable[[dict[str, Any]], dict[str, Any]]


class ItemDataset(Dataset):
    """Raw items, each run through a pipeline.

    A sample that cannot be used (a video that does not decode, a wrong count of tags, ...) never stops a run, and is
    never lost silently. In training it is noted in ``skip_log``, named in the log and replaced by another sample,
    always the same one; too many of them stop the run. In testing it stays: its frames are blank, and
    ``data_samples.stats['error']`` says why, so that no score takes it for an answer.

    Args:
        pipeline: Transforms (or their configs), applied in order to dict(id, videos, conversations, meta).
        mode: ``'train'`` or ``'test'``.
        max_skip_share: Share of the data set's samples that may be skipped in training (one always may).
            Default: 0.01.

    Attributes:
        transforms: The pipeline, built.
        skip_log: Where skipped samples are noted. Default: in memory; give it a file to share it between processes.
    """

    def __init__(
        self, pipeline: Sequence[dict[str, Any] | Transform] = (), mode: str = "train", max_skip_share: float = 0.01
    ) -> None:
        name = type(self).__name__
        if mode not in ("train", "test"):
            raise ValueError(f"{name}: mode must be 'train' or 'test', got '{mode}'")
        if not 0 <= max_skip_share <= 1:
            raise ValueError(f"{name}: max_skip_share must lie in [0, 1], got {max_skip_share}")
        self.mode = mode
        self.max_skip_share = max_skip_share
        self.skip_log = SkipLog()
        self.transforms: list[Transform] = [TRANSFORMS.build(t) if isinstance(t, dict) else t for t in pipeline]

    @abstractmethod
    def __len__(self) -> int:
        """Number of samples."""

    @property
    @abstractmethod
    def source(self) -> str:
        """What the samples come from, for messages."""

    @abstractmethod
    def raw(self, index: int) -> dict[str, Any]:
        """Return dict(id, videos, conversations, meta) of sample ``index``, before the pipeline.

        Raises:
            ValueError: If the annotation is not usable; the message names the file, the sample and what was expected.
        """

    @abstractmethod
    def blank(self, index: int) -> dict[str, Any]:
        """What is known of sample ``index`` whose annotation cannot be used: as ``raw``, with what there is."""

    @abstractmethod
    def where(self, index: int) -> str:
        """The place of sample ``index``: its file and its line or row."""

    def row(self, index: int) -> int:
        """The number of sample ``index`` in its source, where that has samples that are not used; from 0."""
        return index

    def protocol(self) -> dict[str, Any]:
        """What decides the answers beside the model: everything that must be told with a score."""
        return {"dataset": type(self).__name__, "source": self.source}

    @property
    def metainfo(self) -> dict[str, Any]:
        """What MMEngine's loops hand to the evaluator."""
        return {"ann_file": self.source}

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return what the pipeline makes of sample ``index``.

        Raises:
            ValueError: In training, if more than ``max_skip_share`` of the samples had to be skipped.
        """
        stride = _stride(len(self))
        for _ in range(len(self)):
            try:
                return self.run(self.raw(index))
            except ValueError as error:
                item = self._known(index)
                self._note(index, item, error)
                if self.mode == "test":
                    return self.run(item | {"error": str(error)})
                self._check_share()
                index = (index + stride) % len(self)
        raise SkipShareError(f"not one of the {len(self)} samples of {self.source} can be used")

    def run(self, item: dict[str, Any]) -> dict[str, Any]:
        """Apply the pipeline to a raw item."""
        for transform in self.transforms:
            item = transform(item)
        return item

    def _known(self, index: int) -> dict[str, Any]:
        """The raw item of a sample that failed, or what is known of it."""
        try:
            return self.raw(index)
        except ValueError:
            return self.blank(index)

    def _note(self, index: int, item: dict[str, Any], error: ValueError) -> None:
        info = get_worker_info()
        worker = info.id if info else None
        videos = [path for path in item["videos"] if path]
        first = self.skip_log.add(self.source, item["id"], videos, str(error), worker, self.row(index))
        if first:
            what = "skipped" if self.mode == "train" else "answered without its video"
            print_log(f"Sample '{item['id']}' is {what}: {error}", "current", logging.WARNING)

    def _check_share(self) -> None:
        errors = self.skip_log.errors(self.source)
        allowed = min(max(1, int(self.max_skip_share * len(self))), len(self) - 1)
        if len(errors) > allowed:
            listed = "\n".join(f"  {name}: {error}" for name, error in list(errors.items())[:20])
            more = f"\n  ... and {len(errors) - 20} more" if len(errors) > 20 else ""
            raise SkipShareError(
                f"{len(errors)} of {len(self)} samples of {self.source} had to be skipped, more than "
                f"max_skip_share={self.max_skip_share} allows ({allowed}). Repair or remove them:\n{listed}{more}"
            )


class SkipShareError(ValueError):
    """More samples were skipped than ``max_skip_share`` allows."""


def _stride(length: int) -> int:
    """A step that visits all of ``length`` places, far from each other: neighbours tend to share what is wrong."""
    step = max(1, round(length * 0.618))
    while math.gcd(step, length) != 1:
        step += 1
    return step
