"""Memory of a process and everything that it started."""

import threading
from types import TracebackType

import psutil


class PeakMemory:
    """Watches the memory of this process and all its descendants while a ``with`` block runs.

    What is added up is the resident set of each process. Pages that several share (libraries, data that a forked worker
    inherited) count once for each of them, so the sum is never less than what the tree really holds, and often more.
    A peak shorter than ``interval`` can be missed.

    Args:
        interval: Seconds between two looks. Default: 0.5.

    Attributes:
        bytes: The highest sum so far.
    """

    def __init__(self, interval: float = 0.5) -> None:
        self.bytes = 0
        self._interval = interval
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="peak-memory", daemon=True)

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        self._look()

    def _watch(self) -> None:
        while not self._done.wait(self._interval):
            self._look()

    def _look(self) -> None:
        self.bytes = max(self.bytes, tree_rss())


def tree_rss(pid: int | None = None) -> int:
    """Bytes of the resident sets of a process and its descendants, added up.

    Args:
        pid: The process. Default: this one.
    """
    root = psutil.Process(pid)
    total = 0
    for process in [root, *root.children(recursive=True)]:
        try:
            total += process.memory_info().rss
        except psutil.NoSuchProcess:  # it ended since it was listed
            continue
    return total
