import json
from email.utils import formatdate
from time import time

import pytest

from elva.apis.recaption.endpoint import Trouble, parse_reply, retry_after
from elva.apis.recaption.outcome import Spent
from tests.test_apis.test_recaption.chat_server import completion


def test_a_reply_is_read():
    reply = parse_reply(completion(" A ball.\n"))
    assert (reply.text, reply.finish_reason, reply.model, reply.spent) == (
        "A ball.", "stop", "captioner-1", Spent(1, 100, 20),
    )  # fmt: skip


def test_half_a_character_is_no_reply():
    body = {"choices": [{"message": {"content": "A ball \ud83d"}}]}
    with pytest.raises(Trouble, match="no reply"):
        parse_reply(json.dumps(body).encode())


def test_text_in_parts_and_no_usage():
    parts = [{"type": "text", "text": "A "}, {"type": "text", "text": "ball."}, {"type": "other"}]
    body = {"choices": [{"message": {"content": parts}}], "usage": None}
    reply = parse_reply(json.dumps(body).encode())
    assert (reply.text, reply.finish_reason, reply.spent) == ("A ball.", "stop", Spent(1, 0, 0))


@pytest.mark.parametrize("usage", [7, [], {"prompt_tokens": "many", "completion_tokens": -3}])
def test_a_usage_that_makes_no_sense_counts_nothing(usage):
    body = {"choices": [{"message": {"content": "A ball."}}], "usage": usage}
    assert parse_reply(json.dumps(body).encode()).spent == Spent(1, 0, 0)


def test_an_empty_reply_was_paid_for():
    with pytest.raises(Trouble) as caught:
        parse_reply(completion("", finish="length"))
    assert caught.value.reason == "empty" and caught.value.spent == Spent(1, 100, 20)
    assert "finish_reason length" in caught.value.detail


def test_retry_after_in_seconds_and_as_a_date():
    assert retry_after({}) is None and retry_after({"retry-after": "soon"}) is None
    assert retry_after({"retry-after": "2.5"}) == 2.5 and retry_after({"retry-after": "-3"}) == 0
    assert retry_after({"retry-after": "inf"}) is None and retry_after({"retry-after": "nan"}) is None
    assert retry_after({"retry-after": formatdate(time() + 30, usegmt=True)}) == pytest.approx(30, abs=2)
