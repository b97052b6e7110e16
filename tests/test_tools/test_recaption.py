"""The command, as a process of its own: ended by signals, killed, and started again."""

import json
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from elva.utils import launch
from tests.test_apis.test_recaption import chat_server as chat
from tests.test_apis.test_recaption.chat_server import CAPTION, ChatServer, serving

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "dataset_tools" / "recaption.py"
main = runpy.run_path(str(TOOL))["main"]
SAMPLES = 24
IN_FLIGHT = 3


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with serving() as running:
        yield running


@pytest.fixture
def annotation(tmp_path: Path, clip: Callable[[str], str]) -> Path:
    rows = [{"id": str(n), "video": clip("h264.mp4"), "caption": str(n)} for n in range(SAMPLES)]
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def command(annotation: Path, server: ChatServer, *more: str) -> list[str]:
    asking = ["--model", "m", "--base-url", server.url, "--prompt", "<<{raw_caption}>>", "--frames", "1"]
    out = ["--out", str(annotation.parent / "new.jsonl"), "--concurrency", str(IN_FLIGHT), "--backoff", "0.05"]
    return [sys.executable, str(TOOL), str(annotation), *asking, *out, *more]


def start(words: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)


def wait_for(server: ChatServer, requests: int) -> None:
    deadline = time.monotonic() + 60
    while len(server.requests) < requests:
        assert time.monotonic() < deadline, f"only {len(server.requests)} requests came"
        time.sleep(0.01)


def captions(annotation: Path) -> list[str]:
    rows = [json.loads(line) for line in (annotation.parent / "new.jsonl").read_text().splitlines()]
    assert all(row["conversations"][1]["value"] == CAPTION for row in rows)
    return [row["id"] for row in rows]


def journaled(annotation: Path) -> list[str]:
    """The ids that the journal says are done."""
    parts = sorted((annotation.parent / "new.jsonl.journal").glob("*.jsonl"))
    return [json.loads(line)["id"] for part in parts for line in part.read_text().splitlines() if line.endswith("}")]


def test_a_killed_run_goes_on_and_asks_nothing_finished_twice(annotation, server, capsys):
    server.default = [chat.slow(0.1)]
    process = start(command(annotation, server))
    wait_for(server, 10)
    process.kill()
    process.wait()
    kept = journaled(annotation)
    assert len(kept) >= 10 - IN_FLIGHT and not (annotation.parent / "new.jsonl").exists()
    main(command(annotation, server)[2:])
    assert f"{SAMPLES} of {SAMPLES} samples have captions" in capsys.readouterr().out
    assert [server.samples.count(sample) for sample in kept] == [1] * len(kept)
    assert len(server.requests) <= SAMPLES + IN_FLIGHT and set(server.samples) == set(map(str, range(SAMPLES)))
    assert captions(annotation) == [str(number) for number in range(SAMPLES)]


def test_a_torn_line_costs_one_sample(annotation, server):
    main(command(annotation, server)[2:])
    (part,) = (annotation.parent / "new.jsonl.journal").glob("*.jsonl")
    part.write_bytes(part.read_bytes()[:-20])
    main(command(annotation, server)[2:])
    assert len(server.requests) == SAMPLES + 1 and len(captions(annotation)) == SAMPLES


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_what_is_in_flight_end(signum, annotation, server):
    server.default = [chat.slow(0.3)]
    process = start(command(annotation, server))
    wait_for(server, 4)
    process.send_signal(signum)
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signum, errors
    asked = len(server.requests)
    assert sorted(journaled(annotation)) == sorted(server.samples)  # every answer was kept
    assert f"Interrupted with {SAMPLES - asked} samples left" in errors and f"{asked} of {SAMPLES}" in output
    assert "Traceback" not in errors
    server.default = [chat.good]
    main(command(annotation, server)[2:])
    assert len(server.requests) == SAMPLES and captions(annotation) == [str(number) for number in range(SAMPLES)]


def test_a_signal_does_not_wait_for_a_server_that_hangs(annotation, server):
    server.default = [chat.slow(60)]  # and a request may take 120 s
    process = start(command(annotation, server, "--grace", "1"))
    wait_for(server, 1)
    begin = time.monotonic()
    process.terminate()
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM and time.monotonic() - begin < 30, errors
    assert journaled(annotation) == []


def test_mistakes_are_told(annotation, server, tmp_path, capsys):
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("<<{raw_caption}>> What is this?")
    words = command(annotation, server)[2:]
    with pytest.raises(ValueError, match="both name the prompt"):
        main([*words, "--prompt-file", str(prompt)])
    with pytest.raises(ValueError, match="--extra-body is not JSON"):
        main([*words, "--extra-body", "{top_p: 1}"])
    with pytest.raises(ValueError, match="concurrency must be above 0"):
        main([*words, "--concurrency", "0"])
    with pytest.raises(ValueError, match="language 'xx'"):
        main([*words, "--language", "xx"])
    with pytest.raises(SystemExit):
        main([*words, "--modle", "m"])
    del words[words.index("--prompt") : words.index("--prompt") + 2]
    main([*words, "--prompt-file", str(prompt), "--price-in", "2"])
    assert f"{SAMPLES} of {SAMPLES} samples have captions ({SAMPLES} requests, 2400" in capsys.readouterr().out
    assert server.requests[0]["body"]["messages"][0]["content"][-1]["text"].endswith("What is this?")


def test_an_error_of_the_user_ends_with_2(annotation, server, capsys):
    server.default = [chat.failing(404, "no such model")]
    assert launch.run(lambda: main(command(annotation, server)[2:])) == 2
    assert (
        "error: The endpoint refuses every request; check its address, model and key: http 404"
        in capsys.readouterr().err
    )
