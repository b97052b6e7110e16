"""Against a server on this machine that speaks the endpoint's protocol."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from mmengine.evaluator import Evaluator

from elva.evaluation import LLMJudge
from elva.registry import elva_scope
from elva.structures import VideoQASample


class Server(ThreadingHTTPServer):
    """Says 'correct' where the answer to grade is the reference; fails the first ``failing`` requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, Any]] = []
        self.headers: list[str] = []
        self.failing = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.headers.append(self.headers["Authorization"])
            fails = self.server.failing > 0
            self.server.failing -= fails
            if not fails:
                self.server.asked.append(body)
        self._answer(500, {"error": {"message": "busy"}}) if fails else self._answer(200, self._reply(body))

    def _reply(self, body: dict[str, Any]) -> dict[str, Any]:
        lines = dict(line.split(": ", 1) for line in body["messages"][0]["content"].splitlines() if ": " in line)
        said, wanted = lines["Answer to grade"], lines["Reference answer"]
        text = {"silent": "I cannot tell.", "both": "Verdict: correct\nVerdict: incorrect"}.get(
            said,
            f"They {'agree' if said == wanted else 'differ'}.\n**Verdict: {'' if said == wanted else 'in'}correct**",
        )
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        return {"id": "1", "object": "chat.completion", "created": 0, "model": "judge-2026", "choices": [choice]}

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Retry-After-Ms", "1")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: Any) -> None: ...


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("OPENAI_API_KEY", "secret-key")
    with Server() as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


def _samples(*pairs: tuple[str, str]) -> list[VideoQASample]:
    return [
        VideoQASample(f"q{i}", "<video>\nWhat is it?", answer, prediction=said)
        for i, (said, answer) in enumerate(pairs)
    ]


def _evaluate(samples: list[VideoQASample], server: Server, folder: Path, **config: Any) -> tuple[Any, LLMJudge]:
    endpoint = {"base_url": server.url, "retries": 2, **config.pop("endpoint", {})}
    cache = str(folder / "deep" / "judge.jsonl")
    with elva_scope():
        evaluator = Evaluator({"type": "LLMJudge", "model": "judge", "cache": cache, "endpoint": endpoint, **config})
    evaluator.process(data_samples=samples)
    return evaluator.evaluate(len(samples)), evaluator.metrics[0]


def test_answers_are_judged_and_recorded(server: Server, tmp_path: Path) -> None:
    samples = _samples(("a dog", "a dog"), ("a cat", "a dog"), ("silent", "a dog"), ("both", "a dog"), ("", "a dog"))
    results, metric = _evaluate(samples, server, tmp_path)
    assert [r["parsed"] for r in metric.records] == ["correct", "incorrect", None, None, None]
    assert [r["score"] for r in metric.records] == [1, 0, 0, 0, 0]
    assert metric.records[0]["judge"] == {"reply": "They agree.\n**Verdict: correct**", "model": "judge-2026"}
    assert (results["accuracy/overall"], results["unparsable"]) == (0.2, 3)
    assert len(server.asked) == 4  # nobody is asked about an answer without a word
    asked = next(body for body in server.asked if "a cat" in body["messages"][0]["content"])
    assert (asked["model"], asked["temperature"], asked["max_tokens"]) == ("judge", 0.0, 256)
    assert "Question: What is it?\nReference answer: a dog\nAnswer to grade: a cat" in asked["messages"][0]["content"]
    assert set(server.headers) == {"Bearer secret-key"}


def test_a_rerun_asks_nothing_twice(server: Server, tmp_path: Path) -> None:
    samples = _samples(("a dog", "a dog"), ("a cat", "a dog"))
    first, _ = _evaluate(samples, server, tmp_path)
    again, metric = _evaluate(samples, server, tmp_path)
    assert again == first and len(server.asked) == 2
    assert metric.records[0]["judge"]["model"] == "judge-2026"
    assert "secret-key" not in (tmp_path / "deep" / "judge.jsonl").read_text()
    _evaluate(samples, server, tmp_path, prompt="{question}\nReference answer: {answer}\nAnswer to grade: {prediction}")
    assert len(server.asked) == 4  # another prompt is another question


def test_the_same_answer_is_asked_about_once(server: Server, tmp_path: Path) -> None:
    results, _ = _evaluate(_samples(*[("a dog", "a dog")] * 5), server, tmp_path)
    assert results["accuracy/overall"] == 1 and len(server.asked) == 1


def test_a_line_that_was_cut_off_is_asked_again(server: Server, tmp_path: Path) -> None:
    samples = _samples(("a dog", "a dog"), ("a cat", "a dog"))
    first, _ = _evaluate(samples, server, tmp_path)
    cache = tmp_path / "deep" / "judge.jsonl"
    cache.write_text(cache.read_text()[:-20])
    assert _evaluate(samples, server, tmp_path)[0] == first
    assert len(server.asked) == 3
    assert _evaluate(samples, server, tmp_path)[0] == first
    assert len(server.asked) == 3


def test_requests_that_fail_are_sent_again(server: Server, tmp_path: Path) -> None:
    server.failing = 2
    results, _ = _evaluate(_samples(("a dog", "a dog")), server, tmp_path)
    assert results["accuracy/overall"] == 1 and len(server.headers) == 3


def test_an_endpoint_that_keeps_failing_stops_the_evaluation_and_loses_nothing(server: Server, tmp_path: Path) -> None:
    _evaluate(_samples(("a dog", "a dog")), server, tmp_path)
    server.failing = 100
    with pytest.raises(ValueError, match="judge 'judge' cannot be asked.* 1 answers are left.*judge.jsonl") as caught:
        _evaluate(_samples(("a dog", "a dog"), ("a cat", "a dog")), server, tmp_path)
    assert "secret-key" not in str(caught.value)
    server.failing = 0
    assert _evaluate(_samples(("a dog", "a dog"), ("a cat", "a dog")), server, tmp_path)[0]["accuracy/overall"] == 0.5
    assert len(server.asked) == 2


def test_other_verdicts_and_a_prompt_file(server: Server, tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("Reference answer: {answer}\nAnswer to grade: {prediction}\n0 to 5?")
    config = {"prompt": str(tmp_path / "prompt.txt"), "verdicts": {"0": 0, "5": 1, "10": 1, "2": 0.4}}
    metric = LLMJudge("judge", **config)
    assert metric.read("Good. Verdict: 5") == {"parsed": "5", "score": 1}
    assert metric.read("Verdict: 10.") == {"parsed": "10", "score": 1}
    assert metric.read("Verdict: 2.5") == {"parsed": None, "score": 0}
    assert metric.read("Verdict: 7") == {"parsed": None, "score": 0}
    assert metric.protocol()["prompt"].endswith("0 to 5?")
    assert metric.protocol()["judge"] == "judge" and metric.protocol()["verdicts"]["2"] == 0.4


def test_what_an_answer_says_is_not_filled_in_again(server: Server, tmp_path: Path) -> None:
    _evaluate(_samples(("{answer}", "a dog")), server, tmp_path)
    assert "Answer to grade: {answer}" in server.asked[0]["messages"][0]["content"]


def test_a_missing_key_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    metric = LLMJudge("judge", cache=str(tmp_path / "c.jsonl"))
    metric.process({}, _samples(("a dog", "a dog")))
    with pytest.raises(ValueError, match="cannot be asked.*OPENAI_API_KEY"):
        metric.evaluate(1)


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no {prediction}"):
        LLMJudge("judge", prompt="Is {answer} right?")
    with pytest.raises(ValueError, match="scores from 0 to 1"):
        LLMJudge("judge", verdicts={"5": 5})
    with pytest.raises(FileNotFoundError, match="no prompt file .*no.txt"):
        LLMJudge("judge", prompt=str(tmp_path / "no.txt"))
