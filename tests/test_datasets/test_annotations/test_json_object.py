import json

import pytest

from elva.datasets.annotations.json_object import json_object


def test_whole_characters_are_read_however_they_are_written() -> None:
    for text in ('{"a": "\\ud83d\\ude00"}', '{"a": "\\uD83D\\uDE00"}', '{"a": "😀"}', '\ufeff{"a": "😀"}'):
        assert json_object(text.encode()) == {"a": "😀"}
    assert json_object(b'{"a": "\\\\ud83d"}') == {"a": "\\ud83d"}


@pytest.mark.parametrize("text", ['{"a": "x\\ud83d"}', '{"a": {"\\uDE00": 1}}', '{"a": ["\\ude00\\ud83d"]}'])
def test_half_a_character_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"has \\u[d8e03]+, half of a character"):
        json_object(text.encode())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[]", "is a list, expected an object"),
        (b"null", "is a NoneType"),
        ("{}".encode("utf-16"), "is not UTF-8 text"),
    ],
)
def test_anything_else_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        json_object(content)


def test_what_is_not_json_has_its_place() -> None:
    with pytest.raises(json.JSONDecodeError, match=r"line 2 column 1"):
        json_object(b'{"a": 1,\n}')
