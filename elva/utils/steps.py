"""Runs commands one after another, says how much time is left, and leaves no process behind."""

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

GRACE = 10.0
"""Seconds that a command has to end after an interruption: a training finishes its step and saves a checkpoint."""

PROGRESS = re.compile(r"(Iter|Epoch)\((train|val|test)\).*")
"""What MMEngine says about how far it is, with the time left."""

EVERY = 10.0
"""Seconds between two of these on the screen."""

PRIOR = 60.0
"""What the expected times weigh against the measured ones, in seconds: a short first step says little of the rest."""


@dataclass(frozen=True)
class Step:
    """One command of several.

    Attributes:
        name: Short, for reports (``'train_stage1'``).
        title: What it does, for the screen.
        command: Program and arguments.
        expected: Seconds that it is likely to take; the others' measured times correct it.
        log: File for what it prints on stdout; of that the screen gets only MMEngine's progress lines, now and then,
            and none where stderr is a terminal: there the command draws bars. Default: the screen gets it all.
    """

    name: str
    title: str
    command: tuple[str, ...]
    expected: float
    log: str = ""


class StepFailedError(RuntimeError):
    """A command ended with an error; the message names it, and its log."""


def run_steps(steps: Sequence[Step], say: Callable[[str], None] = print) -> dict[str, float]:
    """Run ``steps`` in order.

    Args:
        steps: What to run.
        say: Gets a line before each step, with the time left.

    Returns:
        Seconds that each step took, by name.

    Raises:
        StepFailedError: If a command fails; the later ones are not run.
    """
    taken: dict[str, float] = {}
    for number, step in enumerate(steps):
        own, left = time_left(steps, list(taken.values()))
        say(f"[{number + 1}/{len(steps)}] {step.title} (about {clock(own)}; {clock(left)} left in all)")
        say(f"$ {shlex.join(step.command)}")
        begin = time.monotonic()
        run_command(step)
        taken[step.name] = time.monotonic() - begin
    return taken


def time_left(steps: Sequence[Step], taken: Sequence[float]) -> tuple[float, float]:
    """Seconds left for the next step and for all, if they go at the pace of those done (and, at first, as expected).

    Args:
        steps: All steps.
        taken: Seconds of the first ones.
    """
    expected = [step.expected for step in steps]
    pace = (PRIOR + sum(taken)) / (PRIOR + sum(expected[: len(taken)]))
    rest = expected[len(taken) :]
    return pace * rest[0], pace * sum(rest)


def run_command(step: Step) -> None:
    """Run one command to its end.

    Raises:
        StepFailedError: If it fails.
    """
    stdout = subprocess.PIPE if step.log else None
    with subprocess.Popen(
        step.command,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        text=True,
        errors="replace",
        process_group=0,  # a Ctrl-C in the terminal comes to this process alone, which passes it on as a SIGTERM
    ) as process:
        try:
            if process.stdout is not None:
                _keep(process.stdout, Path(step.log))
            code = process.wait()
        except BaseException:  # Ctrl-C, or whatever else ends this process: end the command as well
            end_tree(process, GRACE)
            raise
    if code:
        log = f" Its log: {step.log}" if step.log else ""
        raise StepFailedError(
            f"'{step.title}' failed with exit status {code}; its own message stands above.{log}\n"
            f"The command alone: {shlex.join(step.command)}"
        )


def end_tree(process: subprocess.Popen, grace: float) -> None:
    """Ask a command to end, and end what is left of it and of what it started after ``grace`` seconds.

    Args:
        process: The command.
        grace: Seconds.
    """
    try:
        tree = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    except psutil.NoSuchProcess:
        return
    process.terminate()
    alive = tree
    try:
        _, alive = psutil.wait_procs(tree, timeout=grace)
    finally:  # also if the user presses Ctrl-C again
        for survivor in alive:
            survivor.kill()


def clock(seconds: float) -> str:
    """``'2 min 05 s'``, ``'40 s'``."""
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"


def _keep(lines: IO[str], log: Path) -> None:
    """Write what a command prints into ``log``, and show how far it is."""
    log.parent.mkdir(parents=True, exist_ok=True)
    shown = time.monotonic()
    with log.open("w", encoding="utf-8", buffering=1) as file:
        for line in lines:
            file.write(line)
            progress = PROGRESS.search(line)
            if progress and not sys.stderr.isatty() and time.monotonic() - shown >= EVERY:
                shown = time.monotonic()
                print(f"  {progress[0]}"[:160], flush=True)
