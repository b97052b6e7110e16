"""What a check found, sample by sample.

Legend: N samples, R files named by them.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from .files import FileTable
from .problem import ERRORS, Problem
from .scan import UNKNOWN, WARNINGS_KEPT, Scan, known_item, problem_of
from .tokens import Visual


@dataclass(frozen=True)
class Found:
    """A problem, and the number of the data set that it is in."""

    source: int
    problem: Problem


@dataclass(frozen=True)
class Findings:
    """Numbers of all samples (counted through all data sets), and what is wrong.

    Attributes:
        table: Their files.
        text: (N,) int32 rows of text in the language model; -1 where it is not known, as below.
        answer: (N,) int32 ids that are learned, or those of the reference answer.
        frames: (N,) int32 frames read.
        visual: (N,) int32 visual tokens that enter the language model.
        length: (N,) int32 rows that enter the language model.
        bad: (N,) bool, whether a sample cannot be used.
        problems: By data set and sample; all errors, and of warnings the first few of a kind.
        counts: Problems by data set and kind.
        notes: What could not be looked at, and why.
    """

    table: FileTable
    text: np.ndarray
    answer: np.ndarray
    frames: np.ndarray
    visual: np.ndarray
    length: np.ndarray
    bad: np.ndarray
    problems: list[Found]
    counts: Counter[tuple[int, str]]
    notes: list[str]

    @classmethod
    def of(
        cls, table: FileTable, scans: Sequence[Scan], visual: Visual, max_tokens: int | None, notes: list[str]
    ) -> "Findings":
        """Put it together.

        Args:
            table: Checked.
            scans: The annotations of each data set.
            visual: Frames and tokens.
            max_tokens: Samples of more rows are bad.
            notes: What could not be looked at.
        """
        text, answer = (np.concatenate([getattr(scan, name) for scan in scans]) for name in ("text", "answer"))
        length = np.where((text < 0) | (visual.tokens < 0), UNKNOWN, text + visual.tokens)
        counts = Counter({(s, kind): n for s, scan in enumerate(scans) for kind, n in scan.counts.items()})
        problems = [Found(s, problem) for s, scan in enumerate(scans) for problem in scan.problems]
        bad = np.zeros(len(text), bool)
        out = cls(table, text, answer, visual.frames, visual.tokens, length, bad, problems, counts, notes)
        for found in problems:
            if found.problem.error:
                bad[out.first_sample(found.source) + found.problem.index] = True
        out._add_files(visual.misfits)
        out._add_long(max_tokens)
        out._add_duplicates(scans)
        problems.sort(key=lambda found: (found.source, found.problem.index))
        return out

    def first_sample(self, source: int) -> int:
        """The number of a data set's first sample, counted through all."""
        return int(np.searchsorted(self.table.source, source))

    def total(self, kind: str) -> int:
        """Problems of a kind, in all data sets."""
        return sum(n for (_, name), n in self.counts.items() if name == kind)

    @property
    def errors(self) -> Iterator[Found]:
        """Those that keep samples from being used."""
        return (found for found in self.problems if found.problem.error)

    def _add(self, sample: int, kind: str, words: str, keep: bool = True) -> None:
        """Add a problem of a sample; it counts even if it is not kept."""
        source = int(self.table.source[sample])
        self.counts[source, kind] += 1
        self.bad[sample] |= kind in ERRORS
        if keep:
            index = sample - self.first_sample(source)
            owner = self.table.sources[source]
            problem = problem_of(owner, index, known_item(owner, index), kind, words)
            self.problems.append(Found(source, problem))

    def _add_files(self, misfits: dict[int, str]) -> None:
        """Samples whose files cannot be read, or have no part that can be shown; one problem a sample and kind."""
        places = {
            int(place): ("video", words) for file, words in self.table.errors.items() for place in self.table.uses(file)
        }
        places |= {place: ("part", words) for place, words in misfits.items()}
        told = set()
        for place, (kind, words) in sorted(places.items()):
            sample = int(self.table.sample[place])
            if (sample, kind) not in told:
                told.add((sample, kind))
                self._add(sample, kind, words)

    def _add_long(self, max_tokens: int | None) -> None:
        if max_tokens is not None:
            for sample in np.flatnonzero(self.length > max_tokens).tolist():
                words = f"{self.length[sample]} rows in the language model ({self.visual[sample]} of them visual)"
                self._add(sample, "tokens", f"{words}, --max-tokens is {max_tokens}")

    def _add_duplicates(self, scans: Sequence[Scan]) -> None:
        """Samples with the id of an earlier one of their data set."""
        for source, scan in enumerate(scans):
            start, where = self.first_sample(source), self.table.sources[source].dataset.where
            _, first, inverse = np.unique(scan.id, return_index=True, return_inverse=True)
            again = np.flatnonzero(first[inverse] != np.arange(len(inverse)))
            for number, index in enumerate(again.tolist()):
                keep = number < WARNINGS_KEPT
                words = f"the same id as {where(int(first[inverse[index]]))}" if keep else ""
                self._add(start + index, "duplicate id", words, keep)
