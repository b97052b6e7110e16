"""A stretch of samples, read and tokenized: numbers of what is there, and words about what is wrong.

Legend: N samples, R files named by them (a file named twice counts twice).
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from hashlib import blake2b
from typing import Any

import numpy as np

from elva.datasets.transforms.chat_text import encode_content

from .problem import ERRORS, Problem
from .remarks import remarks
from .sources import Bounds, Source

UNKNOWN = -1
WARNINGS_KEPT = 20
"""Of each kind and data set; the others are counted."""


@dataclass
class Scan:
    """What the annotations of N samples say.

    Attributes:
        text: (N,) int32 rows of text in the language model; -1 where the sample cannot be used.
        answer: (N,) int32 ids that are learned, or (testing) those of the reference answer; -1 likewise.
        id: (N,) uint64 digests of the ids.
        files: (N,) int32 how many files each sample names.
        file: (R,) uint64 digests of path and reader.
        bounds: (R, 2) float64 first and last second of the part looked at, NaN for the whole file; (0, 2) if it is the
            whole file everywhere.
        problems: What is wrong; of warnings the first few.
        counts: How many problems there are of each kind.
    """

    text: np.ndarray
    answer: np.ndarray
    id: np.ndarray
    files: np.ndarray
    file: np.ndarray
    bounds: np.ndarray
    problems: list[Problem] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def note(self, kind: str, make: Callable[[], Problem]) -> None:
        """Count a problem, and keep it if it is an error or one of the first of its kind."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if kind in ERRORS or self.counts[kind] <= WARNINGS_KEPT:
            self.problems.append(make())

    @classmethod
    def joined(cls, scans: Sequence["Scan"]) -> "Scan":
        """All samples of ``scans``, in their order."""
        names = ("text", "answer", "id", "files", "file")
        joined: dict[str, Any] = {name: np.concatenate([getattr(scan, name) for scan in scans]) for name in names}
        out = cls(**joined, bounds=joined_bounds(scans))
        for scan in scans:
            kept = Counter(problem.kind for problem in out.problems)
            for problem in scan.problems:
                if problem.error or kept[problem.kind] < WARNINGS_KEPT:
                    kept[problem.kind] += 1
                    out.problems.append(problem)
        out.counts = dict(sum((Counter(scan.counts) for scan in scans), Counter()))
        return out


def joined_bounds(scans: Sequence[Scan]) -> np.ndarray:
    """The bounds of all files of ``scans``; (0, 2) if none has any."""
    if not any(len(scan.bounds) for scan in scans):
        return np.empty((0, 2))
    return np.concatenate([scan.bounds if len(scan.bounds) else np.full((len(scan.file), 2), np.nan) for scan in scans])


def scan(source: Source, start: int, stop: int) -> Scan:
    """Read and tokenize samples ``start`` to ``stop`` of a data set; no video is opened."""
    count = stop - start
    out = Scan(
        text=np.full(count, UNKNOWN, np.int32),
        answer=np.full(count, UNKNOWN, np.int32),
        id=np.zeros(count, np.uint64),
        files=np.zeros(count, np.int32),
        file=np.empty(0, np.uint64),
        bounds=np.empty((0, 2)),
    )
    file: list[int] = []
    bounds: list[Bounds] = []
    for row, index in enumerate(range(start, stop)):
        item = _item(source, index, out)
        out.id[row] = digest(item["id"])
        if "wrong" in item:
            continue
        out.files[row] = len(item["videos"])
        file += [digest(path + source.reader) for path in item["videos"]]
        bounds += item.get("bounds") or [None] * len(item["videos"])
        for kind, words in remarks(item["conversations"]):
            out.note(kind, partial(problem_of, source, index, item, kind, words))
        _count_text(source, index, item, out, row)
    out.file = np.array(file, np.uint64)
    if any(bounds):
        out.bounds = np.array([part or (np.nan, np.nan) for part in bounds])
    return out


def digest(text: str) -> int:
    """64 bits of ``text``: among a million texts, two share theirs once in forty million data sets."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def known_item(source: Source, index: int) -> dict[str, Any]:
    """The raw item of a sample, or what is known of it."""
    try:
        return source.dataset.raw(index)
    except Exception:  # it was told where the sample was read
        return source.dataset.blank(index)


def _item(source: Source, index: int, out: Scan) -> dict[str, Any]:
    """The raw item of a sample; with the key ``wrong`` if it has none."""
    try:
        return source.dataset.raw(index)
    except Exception as error:  # a ValueError would be skipped in training, another one would stop it
        item = source.dataset.blank(index)
        out.note("annotation", partial(problem_of, source, index, item, "annotation", _words(error)))
        return item | {"wrong": True}


def _count_text(source: Source, index: int, item: dict[str, Any], out: Scan, row: int) -> None:
    if source.text is None:
        return
    try:
        done = source.tokenized(item)
    except Exception as error:
        words = f"{source.dataset.where(index)}: {_words(error)}"
        out.note("text", partial(problem_of, source, index, item, "text", words))
        return
    labels = done["labels"]
    out.text[row] = len(done["input_ids"]) - len(item["videos"])
    out.answer[row] = (
        len(encode_content(source.text.path, done["answer"])) if labels is None else int((labels >= 0).sum())
    )


def problem_of(source: Source, index: int, item: Mapping[str, Any], kind: str, words: str) -> Problem:
    """A problem of sample ``index``, whose raw item (or what is known of it) is ``item``."""
    videos = tuple(path for path in item["videos"] if path)
    return Problem(kind, words, index, item["id"], videos, source.dataset.where(index))


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
