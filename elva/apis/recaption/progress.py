"""How far a run is: samples, tokens, money, time left."""

import sys
import time
from collections import Counter
from dataclasses import dataclass, field

from elva.utils.progress import Bars, progress_line

from .job import Prices
from .outcome import NOTHING, Captioned, Outcome, Spent


@dataclass
class Tally:
    """What a run, or a part of one, did.

    Attributes:
        done: Samples that got a caption.
        failed: Samples that were given up, by reason.
        spent: By all of their requests.
        error: Why the run had to stop, if it had to.
    """

    done: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    spent: Spent = NOTHING
    error: str = ""

    @property
    def finished(self) -> int:
        """Samples that need no more work in this run."""
        return self.done + self.failed.total()

    def add(self, outcome: Outcome) -> None:
        """Count a sample."""
        self.spent += outcome.spent
        if isinstance(outcome, Captioned):
            self.done += 1
        else:
            self.failed[outcome.reason] += 1

    def merge(self, other: "Tally") -> None:
        """Count what another process did."""
        self.done += other.done
        self.failed += other.failed
        self.spent += other.spent
        self.error = self.error or other.error


class Progress:
    """A bar on a terminal, a line every ten seconds elsewhere.

    Args:
        total: Samples of this run.
        before: What earlier runs spent.
        prices: Of tokens.
        every: Seconds between lines. Default: 10.
    """

    def __init__(self, total: int, before: Spent, prices: Prices, every: float = 10.0) -> None:
        self.tally = Tally()
        self._total, self._before, self._prices, self._every = total, before, prices, every
        self._begin = self._last = time.monotonic()
        self._bars = Bars() if sys.stderr.isatty() else None
        self._bar = self._bars.add("recaptioning", total) if self._bars else None

    def add(self, outcome: Outcome) -> None:
        """Count a sample and show it."""
        self.tally.add(outcome)
        self._show(1)

    def merge(self, other: Tally) -> None:
        """Count what another process did and show it."""
        self.tally.merge(other)
        self._show(other.finished)

    def stop(self) -> None:
        """Show the last state and give the terminal back."""
        if self._bars:
            self._bars.stop()
        elif self.tally.finished:
            self._print()

    def note(self) -> str:
        """``'3 failed, 120k tokens in, 14k out, $0.12 of about $4.10'``."""
        tally = self.tally
        spent = self._before + tally.spent
        parts = [f"{tally.failed.total()} failed"] if tally.failed else []
        parts += [f"{_short(spent.tokens_in)} tokens in", f"{_short(spent.tokens_out)} out"]
        if cost := self._prices.cost(spent):
            left = self._prices.cost(tally.spent) / max(1, tally.finished) * (self._total - tally.finished)
            parts.append(f"${cost:.2f} of about ${cost + left:.2f}")
        return ", ".join(parts)

    def _show(self, steps: int) -> None:
        if self._bars and self._bar is not None:
            for _ in range(steps):
                self._bars.advance(self._bar, self.note())
        elif time.monotonic() - self._last >= self._every:
            self._print()

    def _print(self) -> None:
        self._last = time.monotonic()
        line = progress_line(self.tally.finished, self._total, self._last - self._begin)
        print(f"recaptioning: {line}, {self.note()}", file=sys.stderr, flush=True)


def _short(count: int) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= size:
            return f"{count / size:.3g}{unit}"
    return str(count)
