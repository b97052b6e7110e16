"""The ways in which a model is told what is said. Legend: T frames."""

from dataclasses import replace
from pathlib import Path

from elva.structures import Clip, Question

from ...conversation import VIDEO_TAG
from .cut import cut
from .json_file import read_json_subtitles
from .srt_file import read_srt
from .subtitle import Subtitle

SUBTITLE_MODES = ("none", "full", "frames", "interleaved")
SHORTEST = 1.0
"""Seconds: a shorter line counts as said for that long around its middle, when frames are looked for."""


def subtitled(mode: str, path: Path, clip: Clip, question: Question) -> tuple[str, list[Clip], str]:
    """Return what is said, in the way of ``mode``.

    Args:
        mode: One of :data:`SUBTITLE_MODES`, not ``'none'``. ``'full'``: every line. ``'frames'``: each line during
            which a frame was taken, once (lmms-eval's rule for Video-MME, there with frames of its own choice; here
            with those that the model gets). ``'interleaved'``: see :func:`interleaved`.
        path: The subtitle file, ``.srt`` or ``.json``.
        clip: The frames that were read.
        question: Its ``subtitles_from`` is taken from every time; its ``bounds`` limit what is heard.

    Returns:
        The text for the prompt (empty for ``'interleaved'``), the clips, and the text with their tags that stands in
        front of the prompt.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file cannot be read.
    """
    lines = _heard(read_json_subtitles(path) if path.suffix == ".json" else read_srt(path), question, clip)
    if mode == "interleaved":
        clips, tags = interleaved(lines, clip)
        return "", clips, tags
    if mode == "frames":
        lines = [line for line in lines if any(line.start <= second < line.end for second in clip.plan.seconds)]
    return "\n".join(line.text for line in lines), [clip], VIDEO_TAG


def interleaved(lines: list[Subtitle], clip: Clip) -> tuple[list[Clip], str]:
    """Cut a clip where something is said, as LongVideoBench does (arXiv:2407.15754).

    A line stands behind the last frame that is not later than the middle of its time. Lines during which no frame was
    taken are left out. LongVideoBench writes a tag a frame; here neighbouring frames are one clip with one tag.

    Args:
        lines: In the order in which they are to stand.
        clip: T frames.

    Returns:
        The pieces of the clip, and the text: their tags and the lines, one below the other.
    """
    seconds = clip.plan.seconds
    parts: list[str] = []
    starts: list[int] = []
    shown = 0
    for line in lines:
        middle = (line.start + line.end) / 2
        until = max(shown, sum(second <= middle for second in seconds))
        half = max(line.end - line.start, SHORTEST) / 2
        seen = any(middle - half < second < middle + half for second in seconds)
        if seen:
            if until > shown:
                starts.append(shown)
                parts.append(VIDEO_TAG)
            parts.append(line.text.replace(VIDEO_TAG, "video"))  # what is said is no tag
            shown = until
    if shown < len(seconds):
        starts.append(shown)
        parts.append(VIDEO_TAG)
    return cut(clip, starts), "\n".join(parts)


def _heard(lines: list[Subtitle], question: Question, clip: Clip) -> list[Subtitle]:
    """The lines in the part of the video that is asked about, in the video's time."""
    start, end = question.bounds or (float("-inf"), float("inf"))
    last = clip.plan.seconds[-1]
    heard = []
    for line in lines:
        begin, until = line.start - question.subtitles_from, line.end - question.subtitles_from
        if until == float("inf"):  # as far as anybody looks
            until = max(begin, last)
        if until > start and begin < end:
            heard.append(replace(line, start=begin, end=until))
    return heard
