"""Captions on a Ray cluster: blocks of samples over actors, each with a crew of its own.

Nodes share the file system: they read the videos and the annotation, and write the journal, under the paths of the
process that starts the run. Each block writes a part of the journal. A block that Ray gives to a second actor, because
the first one's node was lost, reads what the first wrote and asks for the rest.
"""

import asyncio
import math
import os
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .crew import Crew
from .job import Job, RayOptions
from .journal import Journal, JournalWriter, read_lines
from .local_engine import SIGNALS
from .outcome import Spent
from .progress import Progress, Tally
from .samples import Samples

_POLL = 0.5
"""Seconds between two looks for the file that stops a run."""


@dataclass(frozen=True)
class Share:
    """What all actors of a run know.

    Attributes:
        job: With the limits of one actor.
        samples: Of its annotation.
        keys: (N,) of all samples.
        todo: Indices of those to caption.
        run: Number of the run.
        stop: A file whose being there stops the run.
    """

    job: Job
    samples: Samples
    keys: np.ndarray
    todo: np.ndarray
    run: int
    stop: Path


def import_ray() -> Any:
    """The ``ray`` package, with Ray Data.

    Raises:
        ValueError: If it is not installed.
    """
    try:
        import ray.data
    except ImportError as error:
        raise ValueError("--engine ray needs Ray Data: pip install 'elva[openai,ray]'") from error
    return ray


def caption_with_ray(
    job: Job, samples: Samples, keys: np.ndarray, todo: np.ndarray, journal: Journal, progress: Progress
) -> int:
    """Caption the samples ``todo`` on a cluster; arguments and result as of ``caption_locally``."""
    options = job.ray or RayOptions()
    ray = import_ray()
    started = _connect(ray, options)
    run = journal.next_run()
    for old in journal.folder.glob("*.stop"):
        old.unlink()
    stop = journal.folder.resolve() / f"{run:05d}.stop"  # stays: blocks may still be queued when the run has ended
    job = replace(job, limits=_shared_out(job, options.actors))
    share = ray.put(Share(job, samples, keys, todo, run, stop))
    blocks = math.ceil(len(todo) / options.block)
    data = ray.data.range(blocks, override_num_blocks=blocks).map_batches(
        BlockCaptioner,
        fn_constructor_args=(share, journal.folder.resolve(), options.block),
        batch_size=1,
        compute=ray.data.ActorPoolStrategy(size=min(options.actors, blocks), max_tasks_in_flight_per_actor=2),
        num_cpus=options.cpus,
    )
    with _listening(stop) as received:
        try:
            _collect(data.iter_rows(), progress, stop, job.grace)
        finally:
            if started:
                ray.shutdown()
    return received[0] if received else 0


def _collect(rows: Iterable[dict[str, Any]], progress: Progress, stop: Path, grace: float) -> None:
    """Count what comes back; after a stop only until the actors have had their time: many blocks may be queued."""
    deadline = math.inf
    for row in rows:
        progress.merge(_tally(row))
        if progress.tally.error:
            stop.touch()
        if deadline == math.inf and stop.exists():
            deadline = time.monotonic() + grace + 2 * _POLL
        if time.monotonic() > deadline:
            return


class BlockCaptioner:
    """An actor: captions one block after another.

    Args:
        share: A reference to the run's ``Share``.
        folder: Of the journal.
        block: Samples of a block.

    Raises:
        ValueError: If this node does not see the journal.
    """

    def __init__(self, share: Any, folder: Path, block: int) -> None:
        self._share: Share = import_ray().get(share)
        if not folder.is_dir():
            raise ValueError(f"{os.uname().nodename} does not see {folder}: all nodes must share its file system.")
        self._journal, self._block = Journal(folder), block

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, list[Any]]:
        """Caption the blocks whose numbers are in ``batch['id']``; returns a row of counts for each."""
        tallies = [asyncio.run(self._caption(int(number))) for number in batch["id"]]
        return {
            "done": [tally.done for tally in tallies],
            "failed": [list(tally.failed.elements()) for tally in tallies],
            "spent": [[tally.spent.requests, tally.spent.tokens_in, tally.spent.tokens_out] for tally in tallies],
            "error": [tally.error for tally in tallies],
        }

    async def _caption(self, number: int) -> Tally:
        share, tally = self._share, Tally()
        earlier = self._journal.parts(f"{share.run:05d}-block{number:07d}-")
        known = {key for part in earlier for _, key, _ in read_lines(part)}
        block = share.todo[number * self._block : (number + 1) * self._block]
        todo = [index for index in block if int(share.keys[index]) not in known]
        if share.stop.exists() or not todo:
            return tally
        stop = asyncio.Event()
        writer = JournalWriter(self._journal.part(share.run, f"block{number:07d}-{len(earlier)}"))
        try:
            crew = Crew(share.job, share.samples, share.keys, writer, stop, tally.add)
            watch = asyncio.create_task(_watch(share.stop, stop))
            await crew.run(todo)
            watch.cancel()
        finally:
            writer.close()
        tally.error = crew.error
        return tally


async def _watch(file: Path, stop: asyncio.Event) -> None:
    while not file.exists():
        await asyncio.sleep(_POLL)
    stop.set()


def _connect(ray: Any, options: RayOptions) -> bool:
    """Join a cluster, or start one here; returns whether it was started or joined here, and is to be left again."""
    ray.data.DataContext.get_current().enable_progress_bars = False
    if ray.is_initialized():
        return False
    if options.address:
        ray.init(address=options.address, log_to_driver=False)
    else:
        cpus = math.ceil(options.actors * options.cpus) + 1  # one for Ray Data's own tasks
        ray.init(num_cpus=cpus, include_dashboard=False, log_to_driver=False)
    return True


def _shared_out(job: Job, actors: int) -> Any:
    limits = job.limits
    return replace(
        limits,
        concurrency=math.ceil(limits.concurrency / actors),
        requests_per_minute=limits.requests_per_minute / actors,
        tokens_per_minute=limits.tokens_per_minute / actors,
    )


def _tally(row: dict[str, Any]) -> Tally:
    return Tally(int(row["done"]), Counter(row["failed"]), Spent(*map(int, row["spent"])), str(row["error"]))


@contextmanager
def _listening(stop: Path) -> Iterator[list[int]]:
    """Signals make the file ``stop``, once; they are noted in what is yielded."""
    received: list[int] = []

    def on_signal(signum: int, frame: Any) -> None:
        received.append(signum)
        stop.touch()
        restore()

    def restore() -> None:
        for each, handler in before.items():
            signal.signal(each, handler)

    before = {signum: signal.getsignal(signum) for signum in SIGNALS}
    for signum in SIGNALS:
        signal.signal(signum, on_signal)
    try:
        yield received
    finally:
        restore()
