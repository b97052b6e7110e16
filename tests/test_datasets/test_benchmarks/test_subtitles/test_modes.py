import json
import math
import random
from pathlib import Path

import pytest

from elva.datasets.benchmarks.subtitles import Subtitle, subtitled
from elva.datasets.benchmarks.subtitles.modes import interleaved
from elva.structures import Question
from tests.test_datasets.test_benchmarks.test_subtitles.test_cut import BIG, SMALL, frames_of, make_clip

CLIP = make_clip([BIG] * 5)
"""Frames at 0, 1, 2, 3 and 4 s."""


def naive(lines: list[Subtitle], seconds: list[float]) -> list[object]:
    """The published loop: a list of frames (their numbers) and texts."""
    out: list[object] = []
    current = 0
    for line in lines:
        start, end, middle = line.start, line.end, (line.start + line.end) / 2
        while current < len(seconds) and seconds[current] <= middle:
            out.append(current)
            current += 1
        if end - start < 1:
            start, end = middle - 0.5, middle + 0.5
        if any(start < second < end for second in seconds):
            out.append(line.text)
    return out + list(range(current, len(seconds)))


def flattened(lines: list[Subtitle], clip) -> list[object]:
    """What ``interleaved`` returns, in the same form."""
    pieces, text = interleaved(lines, clip)
    frames = iter([[value for value, _ in frames_of(piece)] for piece in pieces])
    out: list[object] = []
    for part in text.split("\n"):
        out += next(frames) if part == "<video>" else [part]
    assert next(frames, None) is None
    return out


@pytest.mark.parametrize("seed", range(20))
def test_interleaving_is_the_published_one(seed: int) -> None:
    draw = random.Random(seed)
    clip = make_clip([draw.choice([BIG, SMALL]) for _ in range(draw.randint(1, 9))])
    starts = sorted(draw.uniform(-1, 9) for _ in range(draw.randint(0, 8)))
    lines = [Subtitle(start, start + draw.uniform(0, 3), f"line {n}") for n, start in enumerate(starts)]
    lines.sort(key=lambda line: line.start + line.end)
    assert flattened(lines, clip) == naive(lines, list(clip.plan.seconds))


def test_a_line_before_the_first_frame_and_one_behind_the_last() -> None:
    lines = [Subtitle(-0.9, 0.1, "early"), Subtitle(3.5, 6.0, "late")]
    pieces, text = interleaved(lines, CLIP)
    assert text == "early\n<video>\nlate" and [len(piece.plan) for piece in pieces] == [5]


def test_a_line_that_comes_too_late_in_the_file_shows_no_frame_twice() -> None:
    lines = [Subtitle(2.5, 3.5, "second"), Subtitle(0.5, 1.5, "first"), Subtitle(3.5, 4.5, "third")]
    pieces, text = interleaved(lines, CLIP)
    assert text == "<video>\nsecond\nfirst\n<video>\nthird" and [len(piece.plan) for piece in pieces] == [4, 1]


def _said(tmp_path: Path, mode: str, lines: list[tuple[float, float | None, str]], **question) -> tuple[str, str]:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"timestamp": [start, end], "text": text} for start, end, text in lines]))
    said, _, tags = subtitled(mode, path, CLIP, Question("q", "v.mp4", "What?", **question))
    return said, tags


LINES = [(0.2, 0.9, "between"), (1.0, 2.0, "at one"), (2.5, 3.0, "up to three"), (3.9, 9.0, "at four")]


def test_frames_a_line_holds_from_its_start_to_before_its_end(tmp_path: Path) -> None:
    assert _said(tmp_path, "frames", LINES) == ("at one\nat four", "<video>")


def test_full(tmp_path: Path) -> None:
    assert _said(tmp_path, "full", LINES) == ("between\nat one\nup to three\nat four", "<video>")
    assert _said(tmp_path, "full", []) == ("", "<video>")


def test_only_what_is_heard_in_the_part_that_is_asked_about(tmp_path: Path) -> None:
    assert _said(tmp_path, "full", LINES, bounds=(0.9, 2.6))[0] == "at one\nup to three"


def test_the_clock_of_the_subtitles_may_start_earlier(tmp_path: Path) -> None:
    later = [(start + 100, end + 100, text) for start, end, text in LINES]
    for mode in ("full", "frames", "interleaved"):
        assert _said(tmp_path, mode, later, subtitles_from=100.0) == _said(tmp_path, mode, LINES)


def test_a_line_without_end_lasts_to_the_last_frame(tmp_path: Path) -> None:
    assert _said(tmp_path, "interleaved", [(1.0, None, "on and on")])[1] == "<video>\non and on\n<video>"
    assert _said(tmp_path, "interleaved", [(1.0, 4.0, "on and on")])[1] == "<video>\non and on\n<video>"
    assert _said(tmp_path, "full", [(1.0, None, "on and on")], bounds=(2.0, math.inf))[0] == "on and on"


def test_what_is_said_is_no_tag(tmp_path: Path) -> None:
    assert _said(tmp_path, "interleaved", [(1.5, 2.5, "a &lt;video&gt; here")])[1] == "<video>\na video here\n<video>"
