"""Steps run in order, fail with a message that helps, and leave no process behind."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from elva.utils import steps
from elva.utils.steps import Step, StepFailedError, clock, run_steps, time_left


def step(name: str, code: str, expected: float = 1.0, log: str = "") -> Step:
    return Step(name, f"Doing {name}", (sys.executable, "-c", code), expected, log)


def test_steps_run_in_order_and_are_timed(tmp_path: Path) -> None:
    file = tmp_path / "order"
    append = f"open({str(file)!r}, 'a').write"
    said: list[str] = []
    taken = run_steps(
        [step("one", f"import time; time.sleep(0.2); {append}('1')"), step("two", f"{append}('2')")], said.append
    )
    assert file.read_text() == "12"
    assert list(taken) == ["one", "two"]
    assert taken["one"] >= 0.2
    assert said[0].startswith("[1/2] Doing one (about 1 s; 2 s left in all)")
    assert said[1].startswith("$ ")


def test_a_failing_step_stops_the_rest_and_names_command_and_log(tmp_path: Path) -> None:
    log, later = tmp_path / "sub" / "log.txt", tmp_path / "later"
    failing = step("bad", "print('before'); raise SystemExit(3)", log=str(log))
    with pytest.raises(StepFailedError, match=r"'Doing bad' failed with exit status 3") as caught:
        run_steps([failing, step("next", f"open({str(later)!r}, 'w')")], lambda _: None)
    assert f"Its log: {log}" in str(caught.value)
    assert "raise SystemExit(3)" in str(caught.value)
    assert log.read_text() == "before\n"
    assert not later.exists()


def test_with_a_log_the_screen_gets_progress_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(steps, "EVERY", 0.0)
    lines = ["Config:", "11/20 - INFO - Iter(train) [10/150]  eta: 0:00:50", "done"]
    code = f"for line in {lines}: print(line)"
    run_steps([step("train", code, log=str(tmp_path / "log.txt"))], lambda _: None)
    assert (tmp_path / "log.txt").read_text().splitlines() == lines
    assert capfd.readouterr().out == "  Iter(train) [10/150]  eta: 0:00:50\n"


def test_progress_is_shown_now_and_then(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code = "for i in range(100): print(f'Iter(train) [{i}/100]')"
    run_steps([step("train", code, log=str(tmp_path / "log.txt"))], lambda _: None)
    assert len((tmp_path / "log.txt").read_text().splitlines()) == 100
    assert capfd.readouterr().out == ""  # all of it within EVERY seconds


def test_time_left_follows_the_pace_but_a_short_first_step_says_little() -> None:
    plan = [step(str(i), "", expected) for i, expected in enumerate((10, 100, 200))]
    assert time_left(plan, []) == (10, 310)
    assert time_left(plan, [10.0]) == (100, 300)
    own, everything = time_left(plan, [0.0])
    assert own == pytest.approx(100 * 60 / 70)
    assert everything == pytest.approx(300 * 60 / 70)
    assert time_left(plan, [10.0, 210.0])[1] > 300  # half as fast as expected, so more than 200 are left


def test_clock() -> None:
    assert [clock(s) for s in (0.4, 59.4, 59.6, 125)] == ["0 s", "59 s", "1 min 00 s", "2 min 05 s"]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_ends_the_command_and_its_children(tmp_path: Path, signum: int) -> None:
    pids = tmp_path / "pids"
    child = (
        "import os, signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{p.pid}} '); time.sleep(60)"
    )
    parent = (
        "import signal, sys; from elva.utils import steps; steps.GRACE = 0.2; "
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(143)); "
        f"steps.run_steps([steps.Step('s', 'S', (sys.executable, '-c', {child!r}), 1.0)])"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 20
    while not (pids.exists() and pids.read_text().endswith(" ")) and time.monotonic() < deadline:
        time.sleep(0.05)
    family = [int(pid) for pid in pids.read_text().split()]
    process.send_signal(signum)
    assert process.wait(20) != 0
    assert not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in family)
