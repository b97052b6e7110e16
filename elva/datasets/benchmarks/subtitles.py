"""What is said in a video, and how it comes to the model. Legend: T frames."""

import re
from dataclasses import dataclass
from pathlib import Path

from elva.structures import Clip, FramePlan, Question

from ..conversation import VIDEO_TAG

SUBTITLE_MODES = ("none", "full", "frames", "interleaved")

_TIME = re.compile(r"(?:(\d+):)?(\d+):(\d+)[.,](\d+)")
_MARKUP = re.compile(r"<[^>]+>|\{[^}]+\}")


@dataclass(frozen=True)
class Subtitle:
    """A line that is said.

    Attributes:
        start: Seconds since the video's start.
        end: Seconds since the video's start.
        text: In one line, without markup.
    """

    start: float
    end: float
    text: str


def read_srt(path: Path) -> list[Subtitle]:
    """Return the lines of an ``.srt`` file, in order.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If a block has no times; it is named.
    """
    lines = []
    blocks = re.split(r"\n\s*\n", path.read_text(encoding="utf-8-sig", errors="replace").replace("\r\n", "\n").strip())
    for number, block in enumerate(blocks, start=1):
        times = _TIME.findall(block.partition("-->")[0]) + _TIME.findall(block.partition("-->")[2])
        if not block.strip():
            continue
        if len(times) < 2:
            raise ValueError(f"{path}: block {number} has no line with 'start --> end': {block[:60]!r}")
        said = block.partition("-->")[2].partition("\n")[2]
        text = " ".join(_MARKUP.sub("", said).split())
        if text:
            lines.append(Subtitle(_seconds(times[0]), _seconds(times[1]), text))
    return lines


def _seconds(time: tuple[str, str, str, str]) -> float:
    hours, minutes, seconds, fraction = time
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction}")


def subtitled(mode: str, path: Path, clip: Clip, question: Question) -> tuple[str, list[Clip], str]:
    """Return what is said, in the way of ``mode``.

    Args:
        mode: One of :data:`SUBTITLE_MODES`, not ``'none'``.
        path: The subtitle file.
        clip: The frames that were read.
        question: Its ``bounds`` limit what is heard.

    Returns:
        The text for the prompt (empty for ``'interleaved'``), the clips, and the text with their tags that stands in
        front of the prompt.
    """
    lines = _heard(read_srt(path), question)
    if mode == "full":
        return "\n".join(line.text for line in lines), [clip], VIDEO_TAG
    if mode == "frames":
        seen = [line for line in lines if any(line.start <= second <= line.end for second in clip.plan.seconds)]
        return "\n".join(line.text for line in seen), [clip], VIDEO_TAG
    return _interleaved(lines, clip)


def _heard(lines: list[Subtitle], question: Question) -> list[Subtitle]:
    if question.bounds is None:
        return lines
    start, end = question.bounds
    return [line for line in lines if line.end > start and line.start < end]


def _interleaved(lines: list[Subtitle], clip: Clip) -> tuple[str, list[Clip], str]:
    """The clip cut where something is said: each line stands behind the last frame before the middle of its time."""
    raise NotImplementedError
