from pathlib import Path

import pytest

from elva.datasets.benchmarks.subtitles import Subtitle, read_srt

PLAIN = "1\n00:00:01,000 --> 00:00:02,500\nhello\nthere\n\n2\n01:00:03,000 --> 01:00:04,000\nagain\n"
LINES = [Subtitle(1.0, 2.5, "hello there"), Subtitle(3603.0, 3604.0, "again")]


def _read(tmp_path: Path, content: str | bytes) -> list[Subtitle]:
    path = tmp_path / "a.srt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_srt(path)


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.rstrip(),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\r"),
        "\n\n" + PLAIN.replace("\n\n", "\n \t\n\n"),
        PLAIN.replace(",", "."),
        PLAIN.replace("1\n00", "00", 1).replace("\n2\n", "\n"),
        PLAIN.replace("\n\n", "\n"),
        PLAIN.replace("\n\n2\n", "\n"),
        PLAIN.replace("00:00:01,000 --> 00:00:02,500", "00:01.000-->0:02.5 X1:10 Y1:20"),
        PLAIN.replace("hello", '<font color="white" size=".72c">hello</font>').replace("again", r"{\an8}<i>again</i>"),
        PLAIN.replace("again", "\n\n3\n00:00:05,000 --> 00:00:06,000\n<b> </b>").replace("2\n01", "2\n01", 1)
        + "\n4\n01:00:03,000 --> 01:00:04,000\nagain",
        PLAIN.encode("utf-16"),
        b"\xef\xbb\xbf" + PLAIN.encode(),
    ],
    ids=lambda content: repr(content[:70]),
)
def test_however_it_is_written_the_lines_are_the_same(tmp_path: Path, content: str | bytes) -> None:
    assert _read(tmp_path, content) == LINES


def test_what_is_not_utf_8_is_a_western_code_page(tmp_path: Path) -> None:
    content = PLAIN.replace("hello", "caf\u00e9 \u2013").encode("cp1252")
    assert _read(tmp_path, content)[0].text == "caf\u00e9 \u2013 there"
    assert _read(tmp_path, content.replace(b"there", b"\x81"))[0].text == "caf\u00e9 \u2013 \ufffd"


def test_numbers_that_are_said_stay(tmp_path: Path) -> None:
    content = "1\n00:00:01,000 --> 00:00:02,000\nhow many?\n7\n\n2\n00:00:03,000 --> 00:00:04,000\n1984\n"
    assert [line.text for line in _read(tmp_path, content)] == ["how many? 7", "1984"]
    unnumbered = content.replace("1\n00", "00", 1).replace("\n2\n", "\n")
    for dense in (unnumbered, unnumbered.replace("\n\n", "\n")):
        assert [line.text for line in _read(tmp_path, dense)] == ["how many? 7", "1984"]


def test_signs_that_are_no_markup_stay(tmp_path: Path) -> None:
    content = PLAIN.replace("hello", "1 < 2 > 0, I <3 you &amp; {all}")
    assert _read(tmp_path, content)[0].text == "1 < 2 > 0, I <3 you & {all} there"


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    assert _read(tmp_path, "") == [] and _read(tmp_path, "\n \n") == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("WEBVTT", "a.srt: is no .srt file: no line says 'start --> end'"),
        (PLAIN.replace("00:00:02,500", "later"), "a.srt: line 2 has no times like"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _read(tmp_path, content)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_srt(tmp_path / "none.srt")
