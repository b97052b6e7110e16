from typing import Any

import pytest

from elva.datasets import parse_sample
from elva.datasets.formats import MessagesFormat


def row(content: Any, answer: Any = "This.", **keys: Any) -> dict[str, Any]:
    messages = [{"role": "user", "content": content}, {"role": "assistant", "content": answer}]
    return {"id": "s", "messages": messages} | keys


def video(path: str | None = None, **keys: Any) -> dict[str, Any]:
    return {"type": "video"} | ({"video": path} if path else {}) | keys


def item(content: Any, **keys: Any) -> dict[str, Any]:
    return parse_sample(MessagesFormat().convert(row(content, **keys)))


def test_a_system_column_comes_first() -> None:
    turns = item("Hello?", system="Be short.")["conversations"]
    assert turns[0] == {"role": "system", "content": "Be short."} and len(turns) == 3


def test_parts_take_from_the_columns_in_order() -> None:
    found = item([video(), {"type": "text", "text": "and "}, video("own.mp4"), video()], videos=["1.mp4", "2.mp4"])
    assert found["videos"] == ["1.mp4", "own.mp4", "2.mp4"]
    assert found["conversations"][0]["content"] == "<video>\nand <video>\n<video>"


def test_tags_between_parts_take_from_the_columns_too() -> None:
    messages = [
        {"role": "user", "content": [video("own.mp4"), {"type": "text", "text": "What?"}]},
        {"role": "assistant", "content": "This <video>."},
        {"role": "user", "content": "<video>And now?"},
        {"role": "assistant", "content": "That."},
    ]
    found = parse_sample(MessagesFormat().convert({"id": "s", "messages": messages, "videos": ["next.mp4"]}))
    assert found["videos"] == ["own.mp4", "next.mp4"]


def test_parts_say_which_part_of_a_video_is_meant() -> None:
    found = item([video("a.mp4", video_start=2, video_end=4.5), {"type": "image", "image": "b.jpg"}, video("c.mp4")])
    assert found["videos"] == ["a.mp4", "b.jpg", "c.mp4"] and found["bounds"] == [(2.0, 4.5), None, None]


def test_one_file_needs_no_list_and_the_singular_will_do() -> None:
    assert item("<video>What?", videos="a.mp4")["videos"] == item("<video>What?", video="a.mp4")["videos"] == ["a.mp4"]


def test_other_keys_are_kept() -> None:
    assert item("<video>What?", videos=["a.mp4"], skill="count")["meta"] == {"skill": "count"}


def test_usual_names_of_sharegpt_need_no_tags() -> None:
    talk = [{"from": "human", "value": "<video>What?"}, {"from": "gpt", "value": "This."}]
    found = parse_sample(MessagesFormat().convert({"id": "s", "conversations": talk, "videos": ["a.mp4"]}))
    assert found["videos"] == ["a.mp4"] and found["conversations"][1]["content"] == "This."


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"messages": "hi"}, "'messages' must be a list of messages"),
        ({"messages": ["hi"]}, "message 0 is a str"),
        (row("Hello?", audios=["a.wav"]), "'audios' is not supported"),
        (row("Hello?", tools="[]"), "'tools' is not supported"),
        (row([{"type": "audio", "audio": "a.wav"}]), "message 0 has the part .*expected a text, a video or an image"),
        (row(["text"]), "message 0 has the part 'text'"),
        (row([video()]), "message 0 has a video without a path, and 'videos' has none left"),
        (row([video("a.mp4")], videos=["b.mp4"]), "no message names b.mp4"),
        (row("Hello?", answer=[video("a.mp4")]), "message 1 is from 'assistant' and has a video"),
        ({"messages": [{"role": "user", "content": "a", "loss": False}]}, "'loss': false"),
        ({"messages": [{"role": "tool", "content": "a"}]}, "turn 0 is from 'tool'"),
        (row(None), "turn 0 has no text"),
        (row([video("a.mp4")], answer=None), "turn 1 has no text"),
    ],
)
def test_bad_rows_are_explained(bad: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_sample({"id": "s"} | MessagesFormat().convert(bad))


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="MessagesFormat: columns has no 'mesages'; it has: messages"):
        MessagesFormat(columns={"mesages": "x"})
    with pytest.raises(ValueError, match="MessagesFormat: tags has no 'role'; it has: role_tag"):
        MessagesFormat(tags={"role": "x"})
