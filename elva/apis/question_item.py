"""A question about videos, as the raw item that a pipeline starts from."""

import re
from collections.abc import Sequence
from os import PathLike, fspath
from typing import Any

from elva.datasets.conversation import VIDEO_TAG

Videos = str | PathLike[str] | Sequence[str | PathLike[str]]
"""One video or image, or several; an image is a video of one frame."""

Item = dict[str, Any]
"""What a pipeline starts from: ``id``, ``videos`` (paths), ``conversations`` (``role``, ``content`` with ``<video>``
tags), ``meta``, and optionally ``bounds``: of each video the (start, end) in seconds that is looked at, or None."""

_TAG = re.compile(r"<(?:image|video)>")


def question_item(videos: Videos, question: str, id: str = "0") -> Item:
    """Return the raw item of a question.

    Args:
        videos: Paths of videos and images; none for a question about text alone.
        question: Its ``<video>`` and ``<image>`` tags are the places of the videos; without any, they stand before it.
        id: Of the question.

    Raises:
        ValueError: If there are tags, but not one for each video.
    """
    paths = [fspath(videos)] if isinstance(videos, (str, PathLike)) else [fspath(path) for path in videos]
    turn = {"role": "user", "content": place_videos(question, len(paths))}
    return {"id": id, "videos": paths, "conversations": [turn], "meta": {}}


def place_videos(text: str, count: int) -> str:
    """Return ``text`` with ``count`` ``<video>`` tags: where it has tags, or else each on a line before it.

    Raises:
        ValueError: If it has another number of tags.
    """
    text, tags = _TAG.subn(VIDEO_TAG, text)
    if not tags:
        return f"{VIDEO_TAG}\n" * count + text
    if tags != count:
        raise ValueError(f"the question has {tags} <image>/<video> tags, but {count} videos are given: {text!r}")
    return text
