"""The whole of it: what is left to do, an engine that does it, and the files that it leaves."""

from dataclasses import dataclass

import numpy as np

from .endpoint import api_key, import_openai
from .job import Job
from .journal import Journal
from .local_engine import caption_locally
from .messages import MessageWriter
from .outcome import Spent
from .output import write_captions, write_failed
from .progress import Progress, Tally
from .protocol import record_protocol
from .ray_engine import caption_with_ray
from .samples import Samples
from .state import State


@dataclass(frozen=True)
class Report:
    """Where a job stands after a run.

    Attributes:
        total: Samples of the annotation.
        done: Those with a caption, of this run and of earlier ones.
        failed: Those that were given up.
        spent: By all runs.
        tally: What this run did.
        signum: The signal that ended it, or 0.
    """

    total: int
    done: int
    failed: int
    spent: Spent
    tally: Tally
    signum: int

    @property
    def left(self) -> int:
        """Samples not asked yet."""
        return self.total - self.done - self.failed


def recaption(job: Job) -> Report:
    """Caption every sample of ``job`` that has no caption yet, and write the files.

    The captions themselves are not written after a signal, which wants an end soon; the journal has them.

    Raises:
        FileNotFoundError: If there is no such annotation.
        ValueError: If something of the job is wrong, ``out`` is there but not of such a job, the endpoint refuses
            everything or fails too often (what was captioned till then is written), or another process works on the
            same output.
    """
    samples = Samples(job.annotation, job.data_root, job.format)
    _refuse_foreign(job)
    job.out.parent.mkdir(parents=True, exist_ok=True)
    journal = Journal(job.beside("journal"))
    journal.lock()
    try:
        keys = samples.keys()
        tally, signum = (Tally(), 0) if job.write_only else _ask(job, samples, keys, journal)
        state = State(keys, journal.parts())
        write_failed(job.beside("failed.jsonl"), samples, state)
        if not signum:
            write_captions(job.out, samples, state)
        state.close()
    finally:
        journal.unlock()
    if tally.error:
        raise ValueError(f"{tally.error}. {state.done.sum()} of {len(samples)} samples have captions in {job.out}.")
    return Report(len(samples), int(state.done.sum()), int(state.failed.sum()), state.spent, tally, signum)


def _refuse_foreign(job: Job) -> None:
    """Raise ``ValueError`` if something stands at ``out`` that would be lost, or in the way when all is paid for."""
    if job.out.is_dir():
        raise ValueError(f"{job.out} is a folder: name a file to write to")
    if job.out.exists() and not job.beside("protocol.json").exists():
        raise ValueError(
            f"{job.out} is there, but recaptioning did not write it ({job.beside('protocol.json').name} is not beside "
            "it): name another file, or move it away."
        )


def _ask(job: Job, samples: Samples, keys: np.ndarray, journal: Journal) -> tuple[Tally, int]:
    """Caption what is left; returns what was done, and the signal that ended it or 0."""
    api_key(job.base_url)
    import_openai()
    MessageWriter(job.protocol)  # a reader misspelt should not fail every sample
    record_protocol(job.beside("protocol.json"), job.protocol, job.mix_protocols)
    state = State(keys, journal.parts())
    settled = state.done if job.retry_failed else state.done | state.failed
    todo = np.flatnonzero(~settled)
    if not len(todo):
        return Tally(), 0
    progress = Progress(len(todo), state.spent, job.prices)
    engine = caption_with_ray if job.ray else caption_locally
    try:
        signum = engine(job, samples, keys, todo, journal, progress)
    finally:
        progress.stop()
    return progress.tally, signum
