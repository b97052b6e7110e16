"""The different files of all samples, as numbers.

Legend: N samples, R files named by them, F different files.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from elva.structures import VideoMeta

from .media import FileFound, FileJob
from .scan import Scan, joined_bounds
from .sources import Bounds, Source, first_index


class FileTable:
    """Which files samples name, what to look at in each, and what was found.

    A million files are a hundred megabytes: a path is read from the annotations again when it is needed.

    Args:
        sources: The data sets.
        scans: The annotations of each.

    Attributes:
        sample: (R,) int32 the sample that names each file, counted through all sources.
        file: (R,) int32 the number of each file, in the order in which they are first named.
        bounds: (R, 2) float64, see :class:`Scan`.
        source: (N,) int16 the source of each sample.
        ok: (F,) bool whether a file can be read; False as well where it was not looked at.
        errors: What is wrong with files, by number.
    """

    def __init__(self, sources: Sequence[Source], scans: Sequence[Scan]) -> None:
        self.sources = sources
        self._first_N = first_index(sources)
        counts_N = np.concatenate([scan.files for scan in scans])
        self._start_N = np.concatenate([[0], np.cumsum(counts_N)])
        self.sample = np.repeat(np.arange(len(counts_N), dtype=np.int32), counts_N)
        self.source = np.repeat(np.arange(len(scans), dtype=np.int16), [len(scan.text) for scan in scans])
        self.bounds = joined_bounds(scans)
        digest_R = np.concatenate([scan.file for scan in scans])
        _, first_F, file_R = np.unique(digest_R, return_index=True, return_inverse=True)
        order_F = np.argsort(first_F)
        rank_F = np.empty(len(order_F), np.int32)
        rank_F[order_F] = np.arange(len(order_F))
        self.file = rank_F[file_R]
        self.ok = np.zeros(len(first_F), bool)
        self.errors: dict[int, str] = {}
        self._meta = np.zeros(len(self), _META)
        self._codecs: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self.ok)

    @cached_property
    def _by_file(self) -> tuple[np.ndarray, np.ndarray]:
        """(R,) the places of R in the order of their files; (F + 1,) where each file's begin."""
        order_R = np.argsort(self.file, kind="stable").astype(np.int32)
        return order_R, np.concatenate([[0], np.cumsum(np.bincount(self.file, minlength=len(self)))])

    def uses(self, file: int) -> np.ndarray:
        """The places of R that name a file."""
        order_R, start_F = self._by_file
        return order_R[start_F[file] : start_F[file + 1]]

    def locate(self, place: int) -> tuple[int, int, int]:
        """Of a place of R: its source, the sample's number in it, and which of the sample's files it is."""
        sample = int(self.sample[place])
        source = int(self.source[sample])
        return source, sample - self._first_N[source], place - int(self._start_N[sample])

    def path(self, place: int) -> str:
        """The file at a place of R; its annotation is read again."""
        source, index, number = self.locate(place)
        path: str = self.sources[source].dataset.raw(index)["videos"][number]
        return path

    def job(self, file: int) -> FileJob:
        """What is to be looked at in a file."""
        places = self.uses(file)
        views: dict[tuple[str, Bounds], tuple[int, Bounds]] = {}
        for place, where in zip(places.tolist(), self.source[self.sample[places]].tolist(), strict=True):
            bounds = self.part(place)
            views.setdefault((self.sources[where].loading, bounds), (where, bounds))
        return FileJob(self.path(int(places[0])), tuple(views.values()))

    def part(self, place: int) -> Bounds:
        """First and last second that a sample looks at."""
        if not len(self.bounds):
            return None
        start, end = self.bounds[place].tolist()
        return None if np.isnan(start) else (start, end)

    def set(self, file: int, found: FileFound) -> None:
        """Keep what was found."""
        self.ok[file] = not found.error
        if found.error:
            self.errors[file] = found.error
        if found.meta is not None:
            meta = found.meta
            codec = self._codecs.setdefault(meta.codec, len(self._codecs))
            self._meta[file] = (meta.duration, meta.fps, meta.height, meta.width, codec)

    def meta(self, file: int) -> VideoMeta:
        """The metadata of a file; its path is left out."""
        duration, fps, height, width, codec = self._meta[file].tolist()
        return VideoMeta("", duration, fps, height, width, codec=list(self._codecs)[codec])

    @property
    def known(self) -> np.ndarray:
        """(F,) bool: whether a file's metadata were read."""
        height_F: np.ndarray = self._meta["height"]
        return height_F > 0

    @property
    def numbers(self) -> np.ndarray:
        """(F,) the metadata, a field each: ``duration``, ``fps``, ``height``, ``width``."""
        return self._meta

    def codecs(self, chosen: np.ndarray) -> dict[str, int]:
        """How many of the ``chosen`` (F,) files have which codec, most frequent first."""
        count = np.bincount(self._meta["codec"][chosen], minlength=len(self._codecs))
        return {name: int(n) for n, name in sorted(zip(count, self._codecs, strict=True), reverse=True) if n}


_META = np.dtype([("duration", "f8"), ("fps", "f8"), ("height", "i4"), ("width", "i4"), ("codec", "i2")])
