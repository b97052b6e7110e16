"""The Ray engine, on a cluster of this machine."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from elva.apis.recaption import Job, RayOptions, recaption
from tests.test_apis.test_recaption import chat_server as chat
from tests.test_apis.test_recaption.conftest import lines

ROOT = Path(__file__).parents[3]
OPTIONS = RayOptions(actors=1, cpus=1, block=4)


@pytest.fixture(autouse=True, scope="module")
def cluster():
    """Ray with a small store, for all tests of this file."""
    import ray

    for name, value in {"RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0", "OPENAI_API_KEY": "sk-secret-of-the-tests"}.items():
        os.environ.setdefault(name, value)
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])  # actors import elva
    ray.init(num_cpus=2, object_store_memory=100 << 20, include_dashboard=False, log_to_driver=False)
    yield
    ray.shutdown()


def test_blocks_are_captioned_listed_and_resumed(job: Callable[..., Job], annotate, clip, server):
    server.scripts = {"3": [chat.failing(500)], "4": [chat.failing(500), chat.good]}
    made = job(annotate(10, v6=clip("empty.mp4")), ray=OPTIONS)
    report = recaption(made)
    assert (report.done, report.failed, report.tally.failed) == (8, 2, {"http 500": 1, "video": 1})
    assert [row["id"] for row in lines(made.out)] == ["0", "1", "2", "4", "5", "7", "8", "9"]
    assert {row["id"] for row in lines(made.beside("failed.jsonl"))} == {"3", "6"}
    assert report.spent.requests == 8 + 3 + 1 and report.tally.spent == report.spent
    names = [part.name for part in sorted(made.beside("journal").glob("*.jsonl"))]
    assert names == [f"00001-block000000{number}-0.jsonl" for number in range(3)]
    server.scripts = {}
    asked = len(server.requests)
    assert recaption(job(annotate(10), ray=OPTIONS, retry_failed=True)).done == 10  # the video is repaired
    assert sorted(server.samples[asked:]) == ["3", "6"]


def test_a_signal_stops_the_actors(job: Callable[..., Job], annotate, server):
    server.default = [chat.slow(0.2)]
    made = job(annotate(60), limits=dict(concurrency=2), ray=OPTIONS)
    before = signal.getsignal(signal.SIGTERM)

    def kill_when_busy() -> None:
        while len(server.requests) < 5:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=kill_when_busy, daemon=True).start()
    report = recaption(made)
    assert report.signum == signal.SIGTERM and signal.getsignal(signal.SIGTERM) == before
    assert 5 <= report.done < 60 and report.done == len(server.requests)
    server.default = [chat.good]
    recaption(job(annotate(60)))  # begun on a cluster, ended without one
    assert len(server.requests) == 60 and [row["id"] for row in lines(made.out)] == [str(n) for n in range(60)]


def test_an_endpoint_that_refuses_ends_the_run(job: Callable[..., Job], annotate, server):
    server.default = [chat.failing(401)]
    with pytest.raises(ValueError, match="refuses every request.*http 401"):
        recaption(job(annotate(40), ray=OPTIONS))
    assert len(server.requests) <= 12


def test_a_block_that_is_given_out_again_asks_only_for_the_rest(job: Callable[..., Job], annotate, server, tmp_path):
    import numpy as np
    import ray

    from elva.apis.recaption.journal import Journal, JournalWriter
    from elva.apis.recaption.ray_engine import BlockCaptioner, Share
    from elva.apis.recaption.samples import Samples

    made = job(annotate(4))
    samples = Samples(made.annotation)
    journal = Journal(tmp_path / "journal")
    first = JournalWriter(journal.part(1, "block0000000-0"))  # of an actor that was lost
    for index in (1, 2):
        first.add(int(samples.keys()[index]), {"caption": "c"})
    share = ray.put(Share(made, samples, samples.keys(), np.arange(4), 1, tmp_path / "stop"))
    counts = BlockCaptioner(share, journal.folder, 4)({"id": np.array([0])})
    assert sorted(server.samples) == ["0", "3"] and counts["done"] == [2]
    with pytest.raises(ValueError, match="does not see"):
        BlockCaptioner(share, tmp_path / "elsewhere", 4)


def test_ray_is_asked_for_by_name(job: Callable[..., Job], annotate, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.setitem(sys.modules, "ray.data", None)
    with pytest.raises(ValueError, match=r"pip install 'elva\[openai,ray\]'"):
        recaption(job(annotate(1), ray=OPTIONS))
