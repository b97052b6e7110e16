"""Captions many samples at once in one event loop; both engines are made of it."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from .ask import Asker
from .endpoint import Endpoint, Trouble
from .job import Job
from .journal import JournalWriter
from .messages import MessageWriter
from .outcome import Captioned, Failed, Outcome, Spent
from .pace import Pace, Stopping
from .samples import Samples
from .threads import in_thread

_TOKENS_GUESS = 2000
"""Of a prompt, before the first reply tells."""


class Crew:
    """Workers that take one sample after another: read its frames, ask, write the journal.

    There are a few more workers than requests in flight, so that frames are ready when a request ends; no more samples
    than workers are in memory.

    Args:
        job: What to do.
        samples: Of its annotation.
        keys: (N,) uint64, of all samples.
        journal: Takes a line for each finished sample.
        stop: Set to end early; the crew sets it as well when it gives up.
        report: Called with each outcome.

    Attributes:
        error: Why the crew gave up; empty if it did not.
    """

    def __init__(
        self,
        job: Job,
        samples: Samples,
        keys: np.ndarray,
        journal: JournalWriter,
        stop: asyncio.Event,
        report: Callable[[Outcome], None],
    ) -> None:
        self.error = ""
        self._job, self._samples, self._keys = job, samples, keys
        self._journal, self._stop, self._report = journal, stop, report
        self._digest = job.protocol.digest
        self._messages = MessageWriter(job.protocol)
        self._decoding = asyncio.Semaphore(job.decoders)
        self._endpoint = Endpoint(job.protocol, job.base_url, job.limits.timeout)
        pace = Pace(job.limits, stop, _TOKENS_GUESS + job.protocol.max_tokens)
        self._asker = Asker(self._endpoint, job.protocol.rules, job.limits, pace)
        self._answered, self._streak = False, 0

    async def run(self, indices: Iterable[int]) -> None:
        """Caption the samples ``indices``; ends within ``job.grace`` seconds after ``stop`` is set."""
        todo = iter(indices)
        count = self._job.limits.concurrency + self._job.decoders
        workers = [asyncio.create_task(self._work(todo)) for _ in range(count)]
        others: list[asyncio.Future[Any]] = [asyncio.create_task(self._sync()), asyncio.create_task(self._stop.wait())]
        try:
            everyone = asyncio.ensure_future(asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION))
            others.append(everyone)
            await asyncio.wait({everyone, others[1]}, return_when=asyncio.FIRST_COMPLETED)
            if not everyone.done():
                await asyncio.wait(workers, timeout=self._job.grace)
        finally:
            for task in (*workers, *others):
                task.cancel()
            ended = await asyncio.gather(*workers, *others, return_exceptions=True)
            await self._endpoint.close()
        for error in ended:
            if isinstance(error, Exception):
                raise error

    async def _work(self, todo: Iterator[int]) -> None:
        for index in todo:
            if self._stop.is_set():
                return
            try:
                outcome = await self._caption(int(index))
            except Stopping:
                return
            name = {"id": self._samples.named(int(index))["id"]}
            self._journal.add(int(self._keys[index]), name | outcome.line() | {"protocol": self._digest})
            self._report(outcome)
            self._watch(outcome)

    async def _caption(self, index: int) -> Outcome:
        try:
            sample = self._samples[index]
        except ValueError as error:
            return Failed("annotation", str(error))
        async with self._decoding:
            if self._stop.is_set():
                raise Stopping
            try:
                messages = await in_thread(self._messages.write, sample)
            except ValueError as error:
                return Failed("video", str(error))
            except Exception as error:  # decoders raise anything; one file is no reason to end a run
                return Failed("video", f"{', '.join(sample.videos)}: {type(error).__name__}: {error}")
        try:
            return await self._asker.ask(messages)
        except Trouble as trouble:
            if not self._answered:  # it will answer nobody; nothing is lost by asking again when that is repaired
                self._give_up(f"The endpoint refuses every request; check its address, model and key: {trouble}")
                raise Stopping from trouble
            return Failed(trouble.reason, trouble.detail, Spent(1), endpoint=True)

    def _watch(self, outcome: Outcome) -> None:
        """Give up when the endpoint fails one sample after the other: it is down, and the rest would fail as well."""
        if isinstance(outcome, Captioned) or not outcome.endpoint:
            self._answered |= bool(outcome.spent.requests)
            self._streak = 0 if outcome.spent.requests else self._streak  # a broken video says nothing about it
            return
        self._streak += 1
        if self._streak >= self._job.limits.give_up:
            last = f"{outcome.reason}: {outcome.detail}"
            self._give_up(
                f"The endpoint failed {self._streak} samples in a row, the last with {last}. When it is up again, "
                "give the same command with --retry-failed"
            )

    def _give_up(self, error: str) -> None:
        self.error = self.error or error
        self._stop.set()

    async def _sync(self) -> None:
        while True:
            await asyncio.sleep(1)
            await in_thread(self._journal.sync)
