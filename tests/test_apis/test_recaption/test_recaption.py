"""The whole, against a real server: what is written, what is retried, what is listed."""

import json
import threading
import time

import pytest

from elva.apis.recaption import Prices, Protocol, Rules, recaption
from elva.registry import DATASETS
from tests.test_apis.test_recaption import chat_server as chat
from tests.test_apis.test_recaption.chat_server import CAPTION, serving
from tests.test_apis.test_recaption.conftest import PROTOCOL, lines

TROUBLES = {
    "http 500": chat.failing(500),
    "http 503": chat.failing(503),
    "http 429": chat.failing(429, Retry_After="0"),
    "no reply: html": chat.raw(b"<html><body>Bad gateway</body></html>", "text/html"),
    "no reply: html called json": chat.raw(b"<html>"),
    "no reply: nothing in it": chat.raw(b""),
    "no reply: not utf-8": chat.raw(b"\xff\xfe\x00"),
    "no reply: no choices": chat.raw(b'{"choices": []}'),
    "no reply: a list": chat.raw(b"[1, 2]"),
    "no reply: null": chat.raw(b"null"),
    "no reply: a message of text": chat.raw(b'{"choices": [{"message": "hello"}]}'),
    "connection: half a body": chat.half,
    "connection: closed": chat.nothing,
    "empty: no text": chat.saying(""),
    "empty: null": chat.saying(None),
    "empty: space": chat.saying("  \n "),
    "timeout: slow": chat.slow(0.6),
    "timeout: a byte now and then": chat.drip,
}
REJECTED = {
    "refusal": chat.saying("I'm sorry, but I can't help with describing this video."),
    "refusal: filter": chat.saying("A red ball rolls over the", finish="content_filter"),
    "refusal: field": chat.saying(None, refusal="I can not do that for you."),
    "language": chat.saying("Ein roter Ball rollt über die Wiese und ein Hund läuft mit dem Kind hinter ihm."),
    "truncated": chat.saying(CAPTION, finish="length"),
    "length": chat.saying("A ball."),
    "repetition": chat.saying("the ball rolls and rolls " * 20),
    "markup": chat.saying("<think>The user wants a caption.</think> " + CAPTION),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_endpoint_trouble_is_retried_then_listed(name, job, annotate, server):
    server.scripts = {"0": [TROUBLES[name], TROUBLES[name], chat.good], "1": [TROUBLES[name]]}
    made = job(annotate(3), limits=dict(timeout=0.3))
    report = recaption(made)
    assert (report.done, report.failed) == (2, 1)
    assert [row["id"] for row in lines(made.out)] == ["0", "2"]
    assert all(row["conversations"][1]["value"] == CAPTION for row in lines(made.out))
    (failed,) = lines(made.beside("failed.jsonl"))
    assert failed["id"] == "1" and failed["error"] == name.split(":")[0] and failed["requests"] == 3
    assert failed["detail"]
    assert sorted(server.samples) == ["0"] * 3 + ["1"] * 3 + ["2"]


@pytest.mark.parametrize("name", REJECTED)
def test_a_reply_that_breaks_a_rule_is_asked_for_again_then_listed(name, job, annotate, server):
    server.scripts = {"0": [REJECTED[name], chat.good], "1": [REJECTED[name]]}
    made = job(annotate(2))
    recaption(made)
    assert [row["id"] for row in lines(made.out)] == ["0"]
    (failed,) = lines(made.beside("failed.jsonl"))
    assert (failed["id"], failed["error"]) == ("1", name.split(":")[0])
    assert failed["reply"] and failed["requests"] == 2 and failed["tokens_in"] == 200
    assert sorted(server.samples) == ["0", "0", "1", "1"]


def test_the_output_keeps_what_was_there_in_its_order(job, annotate, server):
    server.scripts = {"0": [chat.slow(0.3)]}  # ends last
    annotation = annotate(6)
    made = job(annotation)
    recaption(made)
    before, after = json.loads(annotation.read_text()), lines(made.out)
    assert [row["id"] for row in after] == [row["id"] for row in before]
    assert [row["raw_caption"] for row in after] == [row["conversations"][1]["value"] for row in before]
    assert {row["source"] for row in after} == {"here"} and [r["video"] for r in after] == [r["video"] for r in before]
    assert after[0]["conversations"] == [{"from": "human", "value": "<video>"}, {"from": "gpt", "value": CAPTION}]
    digest = PROTOCOL.digest
    made_by = {"model": "captioner-1", "protocol": digest, "requests": 1, "tokens_in": 100, "tokens_out": 20}
    assert after[0]["recaption"] == made_by
    assert json.loads(made.beside("protocol.json").read_text())[digest]["prompt"] == PROTOCOL.prompt
    dataset = DATASETS.build(dict(type="VideoTextDataset", ann_file=str(made.out)))
    assert dataset.raw(5)["conversations"][1] == {"role": "assistant", "content": CAPTION}


def test_files_of_several_kinds_and_rows_without_a_caption(job, tmp_path, clip, server):
    from PIL import Image

    Image.new("RGB", (100, 50), "red").save(tmp_path / "a.png")
    both = [{"from": "human", "value": "<video> or <image>?"}, {"from": "gpt", "value": "both"}]
    rows = [
        {"id": "both", "image": "a.png", "video": clip("h264.mp4"), "conversations": both},
        {"id": "bare", "image": "a.png"},
        {"video": clip("h264.mp4"), "caption": "old"},
        {"id": "untold", "video": clip("h264.mp4"), "caption": None},
        {"id": "faulty", "video": clip("h264.mp4"), "conversations": [{"from": "gpt", "value": "no tag"}, 7]},
    ]
    annotation = tmp_path / "rows.jsonl"
    annotation.write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = job(annotation, data_root=str(tmp_path))
    assert recaption(made).done == 5
    both, bare, nameless, untold, faulty = lines(made.out)
    assert both["conversations"][0]["value"] == "<video>\n<image>" and both["image"] == "a.png"
    assert bare["conversations"][0]["value"] == "<image>" and bare["raw_caption"] == ""
    assert nameless["id"] == "rows-2" and nameless["raw_caption"] == "old"
    assert untold["raw_caption"] == "" and faulty["raw_caption"] == "no tag"
    assert all(row["conversations"][0]["value"] == "<video>" for row in (nameless, untold, faulty))
    sent = next(r["body"]["messages"][0]["content"] for r in server.requests if r["sample"] == "both")
    assert [part["type"] for part in sent] == ["text", "image_url", "image_url", "text", "image_url", "text"]


@pytest.mark.parametrize("broken", ["missing.mp4", "empty.mp4", "noise.mp4", "sound.mp4", "text.mp4"])
def test_a_video_that_cannot_be_read_is_listed(broken, job, annotate, clip, server):
    made = job(annotate(3, v1=clip(broken)))
    assert recaption(made).done == 2
    (failed,) = lines(made.beside("failed.jsonl"))
    assert failed["error"] == "video" and broken in failed["detail"] and failed["requests"] == 0
    assert sorted(server.samples) == ["0", "2"]


def test_a_row_that_cannot_be_used_is_listed_with_its_place(job, annotate, tmp_path):
    row = json.loads(annotate(1).read_text())[0]
    text_only = {"id": "chat", "conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hi."}]}
    annotation = tmp_path / "rows.jsonl"
    annotation.write_text("\n".join([json.dumps(row), "{broken", json.dumps(text_only)]))
    made = job(annotation)
    assert recaption(made).failed == 2
    broken, chat_row = lines(made.beside("failed.jsonl"))
    assert broken["id"] == "rows-1" and "line 2 is not JSON" in broken["detail"]
    assert chat_row["id"] == "chat" and "neither a video nor an image" in chat_row["detail"]


def test_a_second_run_asks_nothing_twice_and_retries_only_when_told(job, annotate, server):
    server.scripts = {"1": [chat.failing(500)]}
    annotation = annotate(3)
    recaption(job(annotation))
    asked = len(server.requests)
    report = recaption(job(annotation))
    assert len(server.requests) == asked and (report.done, report.failed) == (2, 1)
    server.scripts = {}
    report = recaption(job(annotation, retry_failed=True))
    assert server.samples[asked:] == ["1"] and (report.done, report.failed) == (3, 0)
    assert [row["id"] for row in lines(job(annotation).out)] == ["0", "1", "2"]
    assert report.spent.requests == 3 + 2 + 1  # of all runs


def test_rows_may_be_added_removed_and_moved_between_runs(job, annotate, server):
    recaption(job(annotate(4)))
    annotation = annotate(6)
    rows = json.loads(annotation.read_text())
    annotation.write_text(json.dumps([rows[5], rows[3], rows[0], rows[4]]))
    made = job(annotation)
    recaption(made)
    assert sorted(server.samples[4:]) == ["4", "5"]
    assert [row["id"] for row in lines(made.out)] == ["5", "3", "0", "4"]


def test_samples_alike_in_id_and_file_are_all_captioned(job, annotate, server):
    annotation = annotate(3)
    rows = json.loads(annotation.read_text())
    annotation.write_text(json.dumps([row | {"id": "same"} for row in rows]))
    made = job(annotation)
    recaption(made)
    recaption(made)
    assert [row["raw_caption"] for row in lines(made.out)] == ["0", "1", "2"] and len(server.requests) == 3


def test_other_settings_are_refused_unless_accepted(job, annotate, server):
    annotation = annotate(2)
    recaption(job(annotation))
    other = Protocol(model="captioner", prompt=PROTOCOL.prompt, frames=1, max_side=32, rules=Rules(min_words=3))
    with pytest.raises(ValueError, match=r"other settings \(frames, rules\)"):
        recaption(job(annotation, protocol=other))
    annotation = annotate(3)
    made = job(annotation, protocol=other, mix_protocols=True)
    recaption(made)
    digests = [row["recaption"]["protocol"] for row in lines(made.out)]
    assert digests == [PROTOCOL.digest, PROTOCOL.digest, other.digest]
    assert set(json.loads(made.beside("protocol.json").read_text())) == set(digests)


def test_write_only_asks_nothing(job, annotate, server):
    made = job(annotate(2))
    recaption(made)
    made.out.unlink()
    recaption(job(annotate(5), write_only=True))
    assert len(server.requests) == 2 and [row["id"] for row in lines(made.out)] == ["0", "1"]


def test_requests_in_flight_stay_within_the_limit(job, annotate, server):
    server.default = [chat.slow(0.05)]
    recaption(job(annotate(12), limits=dict(concurrency=3)))
    assert server.most == 3


def test_retry_after_is_honoured_by_every_worker(job, annotate, server):
    answers = iter([chat.failing(429, Retry_After="0.6")])
    server.default = [lambda handler: next(answers, chat.good)(handler)]  # the first request, whichever it is
    recaption(job(annotate(4), limits=dict(concurrency=1)))
    begin = server.requests[0]["time"]
    assert len(server.requests) == 5
    assert all(request["time"] - begin >= 0.6 for request in server.requests[1:])


def test_a_wrong_key_stops_the_run_at_once_and_is_written_nowhere(job, annotate, server, key):
    server.default = [chat.failing(401, f"Incorrect API key provided: {key}")]
    made = job(annotate(20))
    with pytest.raises(ValueError, match="refuses every request.*http 401") as caught:
        recaption(made)
    assert len(server.requests) <= made.limits.concurrency and key not in str(caught.value)
    assert server.requests[0]["headers"]["Authorization"] == f"Bearer {key}"
    assert lines(made.beside("failed.jsonl")) == []  # nothing has to be asked with --retry-failed
    server.default = [chat.good]
    assert recaption(made).done == 20
    assert not [path for path in made.out.parent.rglob("*") if path.is_file() and key in path.read_text()]


def test_no_money_left_is_not_waited_for(job, annotate, server):
    body = json.dumps({"error": {"message": "quota", "code": "insufficient_quota"}}).encode()
    server.default = [lambda handler: chat.plain(handler, body, 429)]
    with pytest.raises(ValueError, match="refuses every request.*http 429"):
        recaption(job(annotate(3), limits=dict(concurrency=1)))
    assert len(server.requests) == 1


def test_an_endpoint_that_stays_down_ends_the_run_with_what_was_made(job, annotate, server):
    recaption(job(annotate(2)))
    server.default = [chat.failing(500)]
    made = job(annotate(40), limits=dict(give_up=5, concurrency=2))
    with pytest.raises(ValueError, match=r"failed 5 samples in a row, the last with http 500.*--retry-failed. 2 of 40"):
        recaption(made)
    assert [row["id"] for row in lines(made.out)] == ["0", "1"]
    assert 5 <= len(lines(made.beside("failed.jsonl"))) <= 7
    server.default = [chat.good]
    assert recaption(job(annotate(40), retry_failed=True)).done == 40


def test_a_server_that_dies_and_comes_back_costs_nothing(job, annotate):
    with serving() as first:
        port = first.server_address[1]
        first.default = [chat.slow(0.05)]
        made = job(annotate(12), base_url=first.url, limits=dict(attempts=10, backoff=0.1, concurrency=2))
        done = []
        run = threading.Thread(target=lambda: done.append(recaption(made)))
        run.start()
        while len(first.requests) < 5:
            time.sleep(0.01)
    time.sleep(0.3)
    with serving(port) as second:
        run.join(20)
    assert done and (done[0].done, done[0].failed) == (12, 0)
    assert second.requests and [row["id"] for row in lines(made.out)] == [str(number) for number in range(12)]


def test_two_processes_do_not_work_on_one_output(job, annotate):
    from elva.apis.recaption.journal import Journal

    made = job(annotate(1))
    made.out.parent.mkdir()
    other = Journal(made.beside("journal"))
    other.lock()
    with pytest.raises(ValueError, match="Another process is writing"):
        recaption(made)
    other.unlock()
    assert recaption(made).done == 1


def test_what_is_sent(job, annotate, server):
    protocol = Protocol("captioner", "<<{raw_caption}>> {frames} at {seconds} {x}", "Be brief.", 2, 32, max_tokens=77)
    protocol = Protocol(**(vars(protocol) | {"extra_body": {"top_p": 0.5, "temperature": None}}))
    recaption(job(annotate(1), protocol=protocol))
    (request,) = server.requests
    body = request["body"]
    assert (body["model"], body["max_tokens"], body["top_p"]) == ("captioner", 77, 0.5) and "temperature" not in body
    assert body["messages"][0] == {"role": "system", "content": "Be brief."}
    assert body["messages"][1]["content"][-1]["text"] == "<<0>> 2 at 0.0, 1.6 {x}"
    assert request["path"] == "/v1/chat/completions"


def test_prices_are_told(job, annotate, capsys):
    report = recaption(job(annotate(2), prices=Prices(10.0, 100.0)))
    assert Prices(10.0, 100.0).cost(report.spent) == pytest.approx(2 * (100 * 10 + 20 * 100) / 1e6)
    assert "2/2 (100 %), 0 s left, 200 tokens in, 40 out, $0.01 of about $0.01" in capsys.readouterr().err


def test_failures_among_captions_do_not_stop_the_run(job, annotate, server):
    server.scripts = {str(number): [chat.failing(500)] for number in range(0, 20, 2)}
    made = job(annotate(20), limits=dict(give_up=3, concurrency=1, attempts=1), decoders=1)
    report = recaption(made)
    assert (report.done, report.failed) == (10, 10)


def test_what_stands_at_out_is_not_lost(job, annotate, server):
    made = job(annotate(1))
    made.out.mkdir(parents=True)
    with pytest.raises(ValueError, match="new.jsonl is a folder"):
        recaption(made)
    made.out.rmdir()
    made.out.write_text("mine")
    with pytest.raises(ValueError, match=r"new.jsonl is there, but recaptioning did not write it"):
        recaption(made)
    assert made.out.read_text() == "mine" and not server.requests
    made.out.unlink()
    assert recaption(made).done == recaption(made).done == 1 and len(server.requests) == 1


def test_mistakes_in_the_job(job, annotate, tmp_path, monkeypatch):
    annotation = annotate(1)
    with pytest.raises(ValueError, match="must be named .jsonl"):
        type(job(annotation))(annotation, tmp_path / "out.json", PROTOCOL)
    with pytest.raises(ValueError, match="is the annotation itself"):
        type(job(annotation))(tmp_path / "a.jsonl", tmp_path / "a.jsonl", PROTOCOL)
    with pytest.raises(ValueError, match="must begin with http:// or https://, got 'localhost:8000'"):
        job(annotation, base_url="localhost:8000")
    with pytest.raises(FileNotFoundError, match=r"missing.json"):
        recaption(job(tmp_path / "missing.json"))
    with pytest.raises(ValueError, match="DecordReader"):
        recaption(job(annotation, protocol=Protocol("m", reader="DecodReader")))
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ValueError, match="Set OPENAI_API_KEY"):
        recaption(job(annotation, base_url=None))
    assert recaption(job(annotation)).done == 1  # a server of one's own needs none


def test_the_client_is_asked_for_by_name(job, annotate, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "openai", None)
    with pytest.raises(ValueError, match=r"pip install 'elva\[openai\]'"):
        recaption(job(annotate(1)))
