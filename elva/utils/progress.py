"""Progress bars with the time left on a terminal, plain lines with the time left elsewhere."""

import atexit
import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import IO, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

T = TypeVar("T")


class Bars:
    """Bars that share one display at the bottom of a terminal; what is logged meanwhile scrolls above them.

    Args:
        logger: A logger whose console output would otherwise tear the bars. Default: none.
    """

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._display = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
            refresh_per_second=2,  # drawing takes a few milliseconds of a core that trains
            redirect_stdout=sys.stdout.isatty(),  # `train.py > log.txt` still gets its lines
        )
        self._handlers = [h for h in (logger.handlers if logger else []) if getattr(h, "stream", None) is sys.stdout]
        atexit.register(self.stop)  # a crash must not leave the terminal without a cursor

    def add(self, title: str, total: int, done: int = 0) -> TaskID:
        """Show one more bar, and the display with the first; returns the bar's number."""
        if not self._display.live.is_started:
            self._display.start()
            self._move_handlers()
        return self._display.add_task(title, total=total, completed=done, note="")

    def advance(self, bar: TaskID, note: str = "") -> None:
        """One step of a bar, with a word on how it goes."""
        self._display.update(bar, advance=1, note=note)

    def remove(self, bar: TaskID) -> None:
        """Take a bar away."""
        self._display.remove_task(bar)

    def stop(self) -> None:
        """Leave the bars where they are and give the terminal back."""
        self._display.stop()
        self._move_handlers()

    def _move_handlers(self) -> None:
        for handler in self._handlers:
            handler.setStream(sys.stdout)  # type: ignore[attr-defined]


def track(
    items: Iterable[T], title: str, total: int | None = None, stream: IO[str] | None = None, every: float = 10.0
) -> Iterator[T]:
    """Yield ``items`` and show how far it is.

    Args:
        items: What to go through.
        title: What is being done.
        total: Number of items. Default: ``len(items)``, if it has one.
        stream: Where plain lines go. Default: stderr.
        every: Seconds between plain lines. Default: 10.
    """
    stream = stream or sys.stderr
    total = total if total is not None else (len(items) if isinstance(items, Sized) else 0)
    if stream.isatty():
        bars = Bars()
        bar = bars.add(title, total)
        try:
            for item in items:
                yield item
                bars.advance(bar)
        finally:
            bars.stop()
        return
    start = last = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        now = time.monotonic()
        if now - last >= every or done == total:
            last = now
            print(f"{title}: {progress_line(done, total, now - start)}", file=stream, flush=True)


def progress_line(done: int, total: int, seconds: float) -> str:
    """``'30/120 (25 %), 1 min 30 s left'``; just the count if ``total`` is 0 (unknown).

    Args:
        done: Items done.
        total: Items in all.
        seconds: Time that ``done`` items took.
    """
    if not total:
        return f"{done}"
    left = round(seconds / done * (total - done))
    minutes = f"{left // 60} min " if left >= 60 else ""
    return f"{done}/{total} ({100 * done // total} %), {minutes}{left % 60} s left"
