"""Work that may hang or crash, done by processes that can be replaced."""

import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any, Generic, NamedTuple, TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")

LARGEST_CHUNK = 64
FLUSH_SECONDS = 0.2
"""How long a worker collects results before it sends them: a message costs as much as a small image."""

_IDLE = -1.0
_MAX_STILLBORN = 3
"""Workers that may die one after another before they begin anything; then it is not the work that kills them."""


class Lost(NamedTuple):
    """Stands for the result of a task that its worker did not survive.

    Attributes:
        reason: In words.
    """

    reason: str


def run_tasks(
    work: Callable[[T], R], tasks: Sequence[T], workers: int, timeout: float | None = None
) -> Generator[tuple[int, R | Lost]]:
    """Yield the number and the result of each task, as they are done.

    Tasks are handed out in chunks, which get smaller towards the end. A process whose task takes too long is killed,
    and one that dies is buried; another takes its place, the task counts as lost, and the rest of its chunk is done
    again.

    Args:
        work: Called with a task in a worker process; what it raises ends everything.
        tasks: Read by number, each when it is handed out.
        workers: Number of processes.
        timeout: The most seconds that one task may take. Default: no limit.

    Raises:
        RuntimeError: If ``work`` raised, or processes die before they begin.
    """
    crew = _Crew(work, tasks, workers, timeout)
    try:
        yield from crew.results()
    finally:
        crew.dismiss()


class _Crew(Generic[T, R]):
    """The workers, and what is left to do."""

    def __init__(self, work: Callable[[T], R], tasks: Sequence[T], workers: int, timeout: float | None) -> None:
        self.work, self.tasks, self.timeout = work, tasks, math.inf if timeout is None else timeout
        self.next = 0
        self.again: deque[int] = deque()
        self.stillborn = 0
        self.workers = [_Worker(work) for _ in range(min(workers, len(tasks)))]

    def results(self) -> Iterator[tuple[int, R | Lost]]:
        tick = min(0.5, self.timeout / 4)
        self._hand_out()
        while any(worker.pending for worker in self.workers):
            ready = wait([worker.pipe for worker in self.workers], timeout=tick)
            for place, worker in enumerate(self.workers):
                if worker.pipe in ready:
                    try:
                        yield from worker.collect()
                        self.stillborn = 0
                    except (EOFError, OSError):
                        yield from self._replace(place, worker.obituary())
                elif worker.busy_seconds() > self.timeout:
                    yield from self._replace(place, f"it took more than {self.timeout:g} s")
            self._hand_out()

    def dismiss(self) -> None:
        for worker in self.workers:
            worker.kill()

    def _hand_out(self) -> None:
        for worker in self.workers:
            left = len(self.tasks) - self.next + len(self.again)
            if left and not worker.pending:
                size = max(1, min(LARGEST_CHUNK, left // (4 * len(self.workers))))
                numbers = [self._take() for _ in range(size)]
                worker.give({number: self.tasks[number] for number in numbers})

    def _take(self) -> int:
        if self.again:
            return self.again.popleft()
        self.next += 1
        return self.next - 1

    def _replace(self, place: int, reason: str) -> Iterator[tuple[int, Lost]]:
        """Put a new worker in place of one that is lost; what it was at is lost too, the rest is done again."""
        worker = self.workers[place]
        suspect = worker.at
        worker.kill()
        at, pending = worker.at, worker.pending
        self.workers[place] = _Worker(self.work)
        if at == suspect and at in pending:  # else it came to an end at the last moment
            pending.remove(at)
            yield at, Lost(reason)
        elif pending:
            self.stillborn += 1
            if self.stillborn > _MAX_STILLBORN:
                raise RuntimeError(f"processes die before they begin: {reason}")
        self.again.extend(pending)


class _Worker(Generic[T, R]):
    """One process, and what it was given."""

    def __init__(self, work: Callable[[T], R]) -> None:
        start: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
        self.pending: list[int] = []
        self.pipe, theirs = start.Pipe()
        self._now = start.RawArray("d", [_IDLE, 0.0])  # the number of the task at hand, and when it began
        self._process: Any = start.Process(target=_serve, args=(work, theirs, self._now, os.getpid()), daemon=True)
        self._process.start()
        theirs.close()  # so that the pipe ends with the process

    @property
    def at(self) -> int:
        """Number of the task at hand; -1 for none."""
        return int(self._now[0])

    def busy_seconds(self) -> float:
        """How long it has been at its task."""
        return time.monotonic() - self._now[1] if self.at in self.pending else 0.0

    def give(self, chunk: dict[int, T]) -> None:
        """Hand a chunk to a worker that waits for one."""
        self.pending = list(chunk)
        with suppress(OSError):  # it may have ended meanwhile: the pipe tells
            self.pipe.send(chunk)

    def collect(self) -> list[tuple[int, R]]:
        """Results that it sent.

        Raises:
            EOFError: If it has ended.
            RuntimeError: If the work raised.
        """
        message: list[tuple[int, R]] | Exception = self.pipe.recv()
        if isinstance(message, Exception):
            raise RuntimeError(f"a worker process failed: {message}") from message
        done = {number for number, _ in message}
        self.pending = [number for number in self.pending if number not in done]
        return message

    def obituary(self) -> str:
        """How it ended, in words."""
        self._process.join()
        code = self._process.exitcode
        if code < 0:
            name = signal.Signals(-code).name
            return f"its process died of {name}" + (" (out of memory?)" if name == "SIGKILL" else "")
        return f"its process ended with status {code}"

    def kill(self) -> None:
        self._process.kill()
        self._process.join()
        self.pipe.close()


class _Outbox:
    """Results on their way."""

    def __init__(self, pipe: Connection) -> None:
        self.pipe = pipe
        self.sent = time.monotonic()
        self.results: list[tuple[int, Any]] = []

    def add(self, number: int, result: Any) -> None:
        self.results.append((number, result))
        if time.monotonic() - self.sent > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        if self.results:
            self.pipe.send(self.results)
        self.results, self.sent = [], time.monotonic()


def _serve(work: Callable[[Any], Any], pipe: Connection, now: Any, parent: int) -> None:
    """The life of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process of the terminal; the parent decides
    torch.set_num_threads(1)  # OpenMP's threads do not survive a fork
    while (chunk := _next_chunk(pipe, parent)) is not None:
        outbox = _Outbox(pipe)
        for number, task in chunk.items():
            if os.getppid() != parent:
                return
            now[1] = time.monotonic()
            now[0] = number
            try:
                outbox.add(number, work(task))
            except BrokenPipeError:
                return
            except Exception as error:
                pipe.send(RuntimeError(f"{type(error).__name__}: {error}"))
                return
            now[0] = _IDLE
            if threading.active_count() > 1:  # a reader gave up on a thread that hangs: do not carry it along
                outbox.flush()
                os._exit(0)
        outbox.flush()


def _next_chunk(pipe: Connection, parent: int) -> dict[int, Any] | None:
    """What to do next; None if there is nobody left to do it for."""
    while not pipe.poll(1.0):
        if os.getppid() != parent:
            return None
    try:
        chunk: dict[int, Any] = pipe.recv()
    except EOFError:
        return None
    return chunk
