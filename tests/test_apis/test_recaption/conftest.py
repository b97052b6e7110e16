import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from elva.apis.recaption import Job, Limits, Protocol
from tests.test_apis.test_recaption.chat_server import ChatServer, serving

QUICK = Limits(concurrency=4, backoff=0.01, attempts=3, timeout=2.0)
PROTOCOL = Protocol(
    model="captioner", prompt="<<{raw_caption}>> What happens in {frames} frames?", frames=2, max_side=32
)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    """The key, in the environment."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-the-tests")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    return "sk-secret-of-the-tests"


@pytest.fixture
def server() -> Iterator[ChatServer]:
    """A server on a free port."""
    with serving() as running:
        yield running


@pytest.fixture
def annotate(tmp_path: Path, clip: Callable[[str], str]) -> Callable[..., Path]:
    """Writes an annotation of samples ``0``, ``1``, ... whose captions are their ids, of one clip or of files named."""

    def write(count: int, **videos: str) -> Path:
        rows = []
        for number in range(count):
            ask, reply = {"from": "human", "value": "<video>\nDescribe."}, {"from": "gpt", "value": str(number)}
            video = videos.get(f"v{number}", clip("h264.mp4"))
            rows.append({"id": str(number), "video": video, "conversations": [ask, reply], "source": "here"})
        path = tmp_path / "train.json"
        path.write_text(json.dumps(rows))
        return path

    return write


@pytest.fixture
def job(tmp_path: Path, server: ChatServer) -> Callable[..., Job]:
    """A job on the server, with quick limits; ``limits`` are changes of these."""

    def make(annotation: Path, limits: dict[str, Any] | None = None, **options: Any) -> Job:
        options = {"base_url": server.url, "protocol": PROTOCOL} | options
        return Job(annotation, tmp_path / "out" / "new.jsonl", limits=replace(QUICK, **(limits or {})), **options)

    return make


def lines(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
