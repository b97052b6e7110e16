"""Formats whose texts stand in columns."""

from typing import Any

import pytest

from elva.datasets import parse_sample
from elva.datasets.formats import (
    AlpacaFormat,
    AutoFormat,
    CaptionFormat,
    QuestionAnswerFormat,
    SampleFormat,
    ShareGPT4VideoFormat,
    VideoChatFormat,
)

CHAT = {"id": "s", "video": "a.mp4", "QA": [{"i": "In a word.", "q": "What?", "a": "This."}]}


def item(own: SampleFormat, row: dict[str, Any]) -> dict[str, Any]:
    return parse_sample({"id": "s"} | own.convert(row))


def texts(own: SampleFormat, row: dict[str, Any]) -> list[str]:
    return [turn["content"] for turn in item(own, row)["conversations"]]


def test_the_instruction_of_videochat_goes_where_it_is_said() -> None:
    assert texts(VideoChatFormat(), CHAT) == ["In a word.", "<video>\nWhat?", "This."]
    assert texts(VideoChatFormat("question"), CHAT) == ["<video>\nIn a word.\nWhat?", "This."]
    assert texts(VideoChatFormat("drop"), CHAT) == ["<video>\nWhat?", "This."]
    with pytest.raises(ValueError, match="instruction must be one of system, question, drop, got 'user'"):
        VideoChatFormat("user")


def test_several_questions_are_spread_over_the_samples() -> None:
    own = CaptionFormat(["What is it?", "Describe it."])
    rows = [{"video": f"{number}.mp4", "caption": "A cat."} for number in range(20)]
    asked = [texts(own, row)[0] for row in rows]
    assert set(asked) == {"<video>\nWhat is it?", "<video>\nDescribe it."}
    assert asked == [texts(own, row)[0] for row in rows]


def test_captions_of_parts_name_their_columns() -> None:
    own = CaptionFormat(video="{key}.mp4", caption="text", id="key", start="from", end="to")
    found = item(own, {"key": "k", "text": "A cat.", "from": "00:00:02.5", "to": "4"})
    assert found["id"] == "k" and found["videos"] == ["k.mp4"] and found["bounds"] == [(2.5, 4.0)]


def test_history_comes_before_the_question() -> None:
    row = {"instruction": "And?", "output": "c", "history": [["<video>First?", "a"]], "videos": "v.mp4", "system": "s"}
    assert texts(AlpacaFormat(), row) == ["s", "<video>First?", "a", "And?", "c"]


@pytest.mark.parametrize(
    ("own", "bad", "message"),
    [
        (VideoChatFormat(), {"video": "a.mp4", "QA": []}, "'QA' must be a list of"),
        (VideoChatFormat(), {"QA": CHAT["QA"]}, "neither 'video' nor 'image' names a file"),
        (VideoChatFormat(), CHAT | {"QA": [*CHAT["QA"], {"q": "", "a": "x"}]}, r"QA\[1\] has no question 'q'"),
        (VideoChatFormat(), CHAT | {"QA": [{"q": "What?"}]}, r"there is no 'a' \(but: q\)"),
        (VideoChatFormat(), CHAT | {"start": 4, "end": 2}, "the part from 4 to 2 is empty"),
        (CaptionFormat(), {"video": "a.mp4"}, r"there is no 'caption' \(but: video\)"),
        (CaptionFormat(), {"video": "a.mp4", "caption": ["x", "y"]}, r"'caption' is \['x', 'y'\], expected a text"),
        (CaptionFormat(video="{a}/{b}.mp4"), {"a": 1, "caption": "x"}, r"there is no 'b' \(but: a, caption\)"),
        (QuestionAnswerFormat(), {"video_id": 1, "q": "?"}, "there is no 'a'"),
        (AlpacaFormat(), {"instruction": "?", "output": None}, "there is no 'output'"),
        (AlpacaFormat(), {"instruction": "?", "output": "x", "history": ["a"]}, "'history' must be a list of pairs"),
        (ShareGPT4VideoFormat(), {"video_id": 1, "captions": []}, "0 of 'captions' have the idx -1"),
    ],
)
def test_bad_rows_are_explained(own: SampleFormat, bad: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        item(own, bad)


def test_rows_that_fit_nothing_are_explained() -> None:
    with pytest.raises(ValueError, match=r"\(id, clip\) fit none of the formats MessagesFormat, LLaVAFormat, .*type="):
        AutoFormat().convert({"id": 1, "clip": "a.mp4"})
    assert not AutoFormat().fits({"clip": "a.mp4"}) and AutoFormat().fits(CHAT)


def test_formats_to_try_can_be_named() -> None:
    own = AutoFormat(["VideoChatFormat", {"type": "CaptionFormat", "caption": "text"}])
    assert own.fits({"text": "x"}) and not own.fits({"caption": "x"})
