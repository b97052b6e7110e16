"""Captions on this machine, in one process."""

import asyncio
import signal
import threading

import numpy as np

from .crew import Crew
from .job import Job
from .journal import Journal, JournalWriter
from .progress import Progress
from .samples import Samples

SIGNALS = (signal.SIGINT, signal.SIGTERM)


def caption_locally(
    job: Job, samples: Samples, keys: np.ndarray, todo: np.ndarray, journal: Journal, progress: Progress
) -> int:
    """Caption the samples ``todo``; a signal ends it early.

    Args:
        job: What to do.
        samples: Of its annotation.
        keys: (N,) of all samples.
        todo: Indices of those to caption.
        journal: Gets a new part.
        progress: Is told of each outcome.

    Returns:
        The number of the signal that ended it, or 0.
    """
    writer = JournalWriter(journal.part(journal.next_run(), "local"))
    try:
        return asyncio.run(_caption(job, samples, keys, todo, writer, progress))
    finally:
        writer.close()


async def _caption(
    job: Job, samples: Samples, keys: np.ndarray, todo: np.ndarray, writer: JournalWriter, progress: Progress
) -> int:
    stop = asyncio.Event()
    received: list[int] = []
    loop = asyncio.get_running_loop()

    def on_signal(signum: signal.Signals) -> None:
        received.append(signum)
        stop.set()
        for each in SIGNALS:
            loop.remove_signal_handler(each)  # a second one ends it at once

    crew = Crew(job, samples, keys, writer, stop, progress.add)
    if threading.current_thread() is threading.main_thread():  # no other thread may listen
        for signum in SIGNALS:
            loop.add_signal_handler(signum, on_signal, signum)
    await crew.run(todo)
    progress.tally.error = crew.error
    return received[0] if received else 0
