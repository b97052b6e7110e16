import io
import logging
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from elva.utils.progress import progress_line, track

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((30, 120, 30.0), "30/120 (25 %), 1 min 30 s left"),
        ((119, 120, 119.0), "119/120 (99 %), 1 s left"),
        ((7, 0, 3.0), "7"),
    ],
)
def test_line_names_what_is_left(arguments, line):
    assert progress_line(*arguments) == line


def test_plain_lines_away_from_a_terminal():
    out = io.StringIO()
    assert list(track(range(3), "render", stream=out, every=0.0)) == [0, 1, 2]
    lines = [line.split(" (")[0] for line in out.getvalue().splitlines()]
    assert lines == ["render: 1/3", "render: 2/3", "render: 3/3"]


def test_plain_lines_are_rare_but_the_last_is_there():
    out = io.StringIO()
    list(track(iter(range(100)), "render", total=100, stream=out, every=60.0))
    assert out.getvalue() == "render: 100/100 (100 %), 0 s left\n"


def in_a_terminal(code: str) -> str:
    """What a child that runs ``code`` shows on a terminal."""
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-c", code], stdout=slave, stderr=slave, cwd=ROOT, env={**os.environ, "TERM": "xterm"}
    )
    os.close(slave)
    shown = b""
    try:
        while chunk := os.read(master, 4096):
            shown += chunk
    except OSError:  # how Linux says that the child closed its side
        pass
    os.close(master)
    assert child.wait() == 0
    return shown.decode()


def test_bar_with_the_time_left_on_a_terminal_and_log_lines_above_it():
    shown = in_a_terminal(
        "import logging, sys\n"
        "from elva.utils.progress import Bars\n"
        "logger = logging.getLogger('x'); logger.addHandler(logging.StreamHandler(sys.stdout))\n"
        "bars = Bars(logger); bar = bars.add('train', 4, 1); bars.advance(bar, 'loss 0.5')\n"
        "logger.warning('a line of the log')\n"
        "bars.stop(); logger.warning('after')"
    )
    assert "2/4" in shown
    assert "loss 0.5" in shown
    assert "left" in shown
    assert "a line of the log" in shown
    assert shown.rstrip().endswith("after")
    assert shown.rindex("\x1b[?25h") > shown.index("\x1b[?25l")  # the cursor is back


def test_track_draws_a_bar_on_a_terminal():
    shown = in_a_terminal("from elva.utils.progress import track\nfor _ in track([1, 2], 'render'): pass")
    assert "render" in shown
    assert "2/2" in shown


def test_handlers_of_files_are_left_alone(tmp_path):
    from elva.utils.progress import Bars

    handler = logging.FileHandler(tmp_path / "a.log")
    logger = logging.Logger("y")
    logger.addHandler(handler)
    stream = handler.stream
    bars = Bars(logger)
    bars.stop()
    assert handler.stream is stream
