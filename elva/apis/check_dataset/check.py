"""The whole check: annotations, then files, then what follows from both."""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from mmengine.config import Config

from elva.utils.progress import track

from .files import FileTable
from .findings import Findings
from .journal import Journal
from .media import LEVELS, FileCheck, FileFound, FileJob, stamp
from .pool import Lost, run_tasks
from .scan import Scan, scan
from .sources import Source, sources_of
from .tokens import count_visual, token_counter, uncounted

STRETCH = 256
"""Samples that a worker reads at a time."""


@dataclass(frozen=True)
class CheckOptions:
    """How a check is done.

    Attributes:
        split: Of the config's data loaders: ``'train'``, ``'val'`` or ``'test'``.
        level: How closely files are looked at, of ``LEVELS``.
        workers: Processes. Default: as many as there are cores.
        timeout: The most seconds for one file; then its process is killed.
        max_tokens: Samples of more rows in the language model are bad. Default: no limit.
        fresh: Forget what an earlier check of the same folder found.
        retry: Look again at files that an earlier check could not read.
    """

    split: str = "train"
    level: str = "frames"
    workers: int = 0
    timeout: float = 60.0
    max_tokens: int | None = None
    fresh: bool = False
    retry: bool = False

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise ValueError(f"--decode {self.level}: choose one of {', '.join(LEVELS)}")
        if self.workers < 0 or not self.timeout > 0 or (self.max_tokens is not None and self.max_tokens < 1):
            raise ValueError(
                f"--workers {self.workers}, --timeout {self.timeout:g}, --max-tokens {self.max_tokens}: must be above 0"
            )

    @property
    def processes(self) -> int:
        """How many workers there are."""
        return self.workers or len(os.sched_getaffinity(0))


class DatasetCheck:
    """One check of one config's data.

    Args:
        cfg: The config.
        out: Folder for the journal.
        options: How.

    Attributes:
        sources: The data sets.
        table: Their files; there from ``check_files`` on.
    """

    def __init__(self, cfg: Config, out: Path, options: CheckOptions) -> None:
        self.cfg, self.out, self.options = cfg, out, options
        self.sources: list[Source] = sources_of(cfg, options.split)
        self.seconds: dict[str, float] = {}

    @property
    def journal(self) -> Path:
        """Where it is written what was found so far."""
        return self.out / "journal.jsonl"

    def run(self) -> Findings:
        """Do everything."""
        scans = self.scan()
        self.table = FileTable(self.sources, scans)
        for each in scans:  # the table has them now
            each.file, each.bounds = each.file[:0].copy(), each.bounds[:0].copy()
        self.check_files()
        return self.conclude(scans)

    def scan(self) -> list[Scan]:
        """Read all annotations; one result a data set."""
        started = time.monotonic()
        tasks = [
            (number, start, min(start + STRETCH, len(source.dataset)))
            for number, source in enumerate(self.sources)
            for start in range(0, len(source.dataset), STRETCH)
        ]
        found: dict[int, Scan] = {}
        with closing(run_tasks(_Scanner(self.sources), tasks, self.options.processes)) as results:
            for number, result in track(results, f"annotations, {STRETCH} at a time", len(tasks)):
                if isinstance(result, Lost):
                    raise RuntimeError(f"reading annotations failed: {result.reason}")
                found[number] = result
        self.seconds["annotations"] = time.monotonic() - started
        return [
            Scan.joined([found.pop(number) for number, task in enumerate(tasks) if task[0] == source])
            for source in range(len(self.sources))
        ]

    def check_files(self) -> None:
        """Look at every different file that the journal does not know."""
        started = time.monotonic()
        if self.options.level == "none":  # looking again costs less than remembering
            self.fresh_files = sum(1 for _ in self._look(np.arange(len(self.table))))
        else:
            with Journal(self.journal, self.options.fresh, self.options.retry) as journal:
                self.fresh_files = 0
                for job, found in self._look(self._unknown(journal)):
                    journal.add(job, self.how(job), found)
                    self.fresh_files += 1
        self.seconds["files"] = time.monotonic() - started

    def _look(self, files: np.ndarray) -> Iterator[tuple[FileJob, FileFound]]:
        """Look at files in parallel; what is found goes into the table, and out as it comes."""
        jobs = _Jobs(self.table, files)
        work = FileCheck(self.sources, self.options.level)
        with closing(run_tasks(work, jobs, self.options.processes, self.options.timeout)) as results:
            for number, result in track(results, "files", len(jobs)):
                file, job = jobs.done(number)
                found = _lost(job, result) if isinstance(result, Lost) else result
                self.table.set(file, found)
                yield job, found

    def _unknown(self, journal: Journal) -> np.ndarray:
        """Numbers of the files to look at; what the journal knows of the others goes into the table."""
        unknown = np.ones(len(self.table), bool)
        if len(journal):
            for file in track(range(len(self.table)), "known files"):
                job = self.table.job(file)
                if found := journal.find(job, self.how(job)):
                    self.table.set(file, found)
                    unknown[file] = False
        return np.flatnonzero(unknown)

    def how(self, job: FileJob) -> str:
        """What is looked at in a file, in a word that is another one whenever that would be."""
        level = self.options.level
        views = [(self.sources[s].loading, bounds) for s, bounds in job.views] if level == "frames" else []
        words = repr((self.sources[job.views[0][0]].reader, sorted(views, key=repr)))
        return f"{level}-{blake2b(words.encode(), digest_size=8).hexdigest()}"

    def words(self) -> str:
        """How long it took."""
        files, seconds = self.fresh_files, self.seconds["files"]
        rate = f", {files / seconds:,.1f} a second" if files else ""
        known = len(self.table) - files
        before = f" ({known:,} were known from before)" if known else ""
        return (
            f"{len(self.table.source):,} samples in {self.seconds['annotations']:.1f} s, "
            f"{files:,} files in {seconds:.1f} s{rate}{before}."
        )

    def conclude(self, scans: Sequence[Scan]) -> Findings:
        """Put together what was found."""
        notes = [f"{source.name}: text is not counted: {source.untold}" for source in self.sources if source.untold]
        spoken = [source.name for source in self.sources if getattr(source.dataset, "subtitles", "none") != "none"]
        notes += [f"{name}: its subtitles are not counted, they depend on the frames" for name in spoken]
        try:
            count = token_counter(self.cfg)
        except (ValueError, FileNotFoundError) as error:
            notes.append(f"visual tokens are not counted: {error}")
            count = uncounted
        return Findings.of(self.table, scans, count_visual(self.table, count), self.options.max_tokens, notes)


class _Scanner:
    """Reads stretches of samples in a worker."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources

    def __call__(self, task: tuple[int, int, int]) -> Scan:
        number, start, stop = task
        return scan(self.sources[number], start, stop)


class _Jobs(Sequence[FileJob]):
    """The files to look at; each made when it is handed out, and kept until it is done."""

    def __init__(self, table: FileTable, files: np.ndarray) -> None:
        self.table, self.files = table, files
        self._open: dict[int, FileJob] = {}

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, number: int) -> FileJob:  # type: ignore[override]
        job = self._open[number] = self.table.job(int(self.files[number]))
        return job

    def done(self, number: int) -> tuple[int, FileJob]:
        """Number of a file in the table, and its job, which is forgotten."""
        return int(self.files[number]), self._open.pop(number)


def _lost(job: FileJob, lost: Lost) -> FileFound:
    """What is said of a file that its worker did not survive."""
    return FileFound(
        stamp(job.path),
        error=f"{job.path}: the decoder hangs or crashes: {lost.reason}. Fetch the file again, or take it out of the "
        "annotation; if it is only slow, raise --timeout.",
    )
