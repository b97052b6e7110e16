"""Conversations about videos and images, from annotation files."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.logging import print_log

from elva.registry import DATASETS

from .annotations import AnnotationFile, annotation_paths, open_annotations
from .conversation import VIDEO_TAG, named, parse_sample
from .formats.build import build_format
from .item_dataset import ItemDataset, Transform
from .skip_list import listed_rows
from .take import taken


@DATASETS.register_module()
class VideoTextDataset(ItemDataset):
    """Samples of annotation files, each run through a pipeline; see :class:`ItemDataset` for what becomes of bad ones.

    Args:
        ann_file: One annotation file, or several that are read as one; see :func:`open_annotations` for their kinds,
            :func:`annotation_paths` for patterns such as ``'train/{00000..00099}.tar'``.
        data_root: What the paths in the annotations are relative to.
        pipeline: Transforms (or their configs), applied in order to dict(id, videos, conversations, meta).
        mode: ``'train'`` or ``'test'``. Default: ``'train'``.
        max_skip_share: Share of the data set's samples that may be skipped in training (one always may).
            Default: 0.01.
        take: Which samples are used: ``'all'``, ``'first:10%'``, ``'end:10%'``, ``'random:10%'`` (always the same
            ones; a smaller share is a part of a larger one), or a number, ``'first:1000'``. Default: ``'all'``.
        format: The rows' format (``SAMPLE_FORMATS``): its name, or a config with arguments. Default: found by
            each row's keys.
        skip_list: A ``skip.jsonl`` of ``check_dataset``, or the ``skipped.jsonl`` of an earlier run: the samples in it
            are left out from the start. See :func:`listed_rows`. Default: none.

    Raises:
        FileNotFoundError: If an annotation file does not exist.
        ValueError: If an annotation file is not what its suffix says, an argument is out of range, or nothing is left.
    """

    def __init__(
        self,
        ann_file: str | Sequence[str],
        data_root: str = "",
        pipeline: Sequence[dict[str, Any] | Transform] = (),
        mode: str = "train",
        max_skip_share: float = 0.01,
        take: str = "all",
        format: str | dict[str, Any] | None = None,
        skip_list: str | None = None,
    ) -> None:
        super().__init__(pipeline, mode, max_skip_share)
        self.data_root = data_root
        self.format = build_format(format)
        self.files: list[AnnotationFile] = [open_annotations(path) for path in annotation_paths(ann_file)]
        self._ends = np.cumsum([len(file) for file in self.files])
        self._source = ann_file if isinstance(ann_file, str) else ", ".join(ann_file)
        if not self._ends[-1]:
            raise ValueError(f"{self._source} has no samples")
        self.take = take
        self._taken = taken(int(self._ends[-1]), take)
        self._left_out = 0 if skip_list is None else self._leave_out(skip_list)

    def __len__(self) -> int:
        return len(self._taken)

    @property
    def source(self) -> str:
        return self._source

    @property
    def file_sizes(self) -> list[int]:
        """How many samples of each file are used; those of a file follow one another (``ShardSampler`` asks)."""
        ends = np.searchsorted(self._taken, self._ends)
        return np.diff(ends, prepend=0).tolist()

    def raw(self, index: int) -> dict[str, Any]:
        file, row = self._locate(index)
        content = file[row]  # its errors name the place
        try:
            sample = named(self.format.convert(content), file.name(row))
            return parse_sample(sample, self.data_root, answered=self.mode == "train")
        except ValueError as error:
            raise ValueError(f"{file.where(row)}: sample '{self._id(file, row, content)}': {error}") from error

    def blank(self, index: int) -> dict[str, Any]:
        file, row = self._locate(index)
        try:
            meta = dict(file[row])
        except ValueError:
            meta = {}
        media = [meta.get(key) or [] for key in ("video", "image", "videos", "images")]
        videos = [str(path) for value in media for path in ([value] if isinstance(value, str) else value)]
        question = {"role": "user", "content": VIDEO_TAG * max(1, len(videos))}
        name = self._id(file, row, meta)
        return {"id": name, "videos": videos or [""], "conversations": [question], "meta": meta}

    def row(self, index: int) -> int:
        return int(self._taken[index])

    def protocol(self) -> dict[str, Any]:
        files = [{"file": file.path.name, "sha256": file.digest()} for file in self.files]
        return {"dataset": type(self).__name__, "files": files, "take": self.take, "left_out": self._left_out}

    def where(self, index: int) -> str:
        file, row = self._locate(index)
        return file.where(row)

    def _leave_out(self, skip_list: str) -> int:
        """Forget the samples of a skip list; returns how many there are."""
        starts = [0, *self._ends[:-1].tolist()]
        offsets = {str(file.path): start for file, start in zip(self.files, starts, strict=True)} | {self._source: 0}
        rows = listed_rows(skip_list, offsets, int(self._ends[-1]), self._id_of)
        kept = np.setdiff1d(self._taken, rows, assume_unique=True)
        left = len(self._taken) - len(kept)
        if not len(kept):
            raise ValueError(f"{skip_list} leaves none of the {left} samples of {self._source}")
        print_log(f"{self._source}: {left} of {len(self._taken)} samples are left out ({skip_list})", "current")
        self._taken = kept
        return left

    def _id_of(self, row: int) -> str:
        """The id of a row of the files read as one, as the skip log notes it."""
        file, row = self._place(row)
        try:
            return self._id(file, row, file[row])
        except ValueError:
            return file.name(row)

    def _id(self, file: AnnotationFile, row: int, content: dict[str, Any]) -> str:
        try:
            found = self.format.convert(content)
        except ValueError:
            found = content
        return str(named(found, file.name(row))["id"])

    def _locate(self, index: int) -> tuple[AnnotationFile, int]:
        """The file of sample ``index``, and its row there."""
        return self._place(self.row(index))

    def _place(self, place: int) -> tuple[AnnotationFile, int]:
        """The file of a row of the files read as one, and its row there."""
        number = int(np.searchsorted(self._ends, place, side="right"))
        return self.files[number], place - (int(self._ends[number - 1]) if number else 0)
