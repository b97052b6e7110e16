import pytest

from elva.apis.check_dataset.remarks import remarks


def kinds(*turns: tuple[str, str]) -> list[str]:
    return [kind for kind, _ in remarks([{"role": role, "content": content} for role, content in turns])]


def test_a_usual_conversation_has_none():
    turns = [("system", "Be brief."), ("user", "<video>\nIs 2 < 3?"), ("assistant", "Yes, 3 > 2."), ("user", "Why?")]
    assert kinds(*turns, ("assistant", "Because.")) == []


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        ([("user", "<video><audio> What?"), ("assistant", "This")], ["tag"]),
        ([("user", "<video>\nWhat?"), ("assistant", "In <image> this")], ["tag"]),
        ([("user", "<video>\nWhat?"), ("assistant", "In <video> this")], ["tag"]),
        ([("user", "<image_1> What?"), ("assistant", "This")], ["tag"]),
        ([("user", "<video>\n<|video_pad|> What?"), ("assistant", "This")], ["placeholder"]),
        ([("user", "What?"), ("assistant", "This<|im_end|>")], ["placeholder"]),
        ([("user", "<video>\n"), ("assistant", "This")], ["no question"]),
        ([("user", "What?"), ("assistant", ""), ("user", "Then?"), ("assistant", "This")], ["empty answer"]),
    ],
)
def test_each_oddity_is_named(turns, expected):
    assert kinds(*turns) == expected


def test_words_name_turn_and_tag():
    ((_, words),) = remarks([{"role": "user", "content": "a <audio> b <audio> c <depth>"}])
    assert words.startswith("turn 0 (user) has <audio>, <depth>: expected")
