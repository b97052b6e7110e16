"""Turns one LLaVA-style annotation into the raw item that a pipeline starts from."""

import os
import re
from collections.abc import Mapping
from reprlib import repr as short
from typing import Any

from .bounds import Bounds, parse_bounds

VIDEO_TAG = "<video>"
IMAGE_SUFFIXES = frozenset({".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
VIDEO_SUFFIXES = frozenset({".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".ts", ".webm", ".wmv"})
ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system"}

_TAG = re.compile(r"<(image|video)>")
_ELSEWHERE = re.compile(r"(\w[\w+.-]+)://|(data):")

File = tuple[str, Bounds | None]
"""A path, and the part that is meant."""


def parse_sample(sample: Mapping[str, Any], data_root: str = "", answered: bool = True) -> dict[str, Any]:
    """Return the raw item of an annotation; images become one-frame videos.

    LLaVA's own data names a ``video`` but writes ``<image>``, others write ``<video>``: where one kind of file is
    named, both tags mean it. Where both kinds are named, each tag means its own.

    Args:
        sample: Keys ``id``, ``image`` and/or ``video`` (a path or a list of paths; neither for text alone), and
            ``conversations`` of ``{from: human | gpt, value}`` or ``{role: user | assistant, content}``. Where parts of
            the videos are meant, ``bounds``: see :func:`parse_bounds`.
        data_root: What relative paths are relative to.
        answered: Whether the last turn must be a reply, and no reply may be empty.

    Returns:
        ``id`` (str), ``videos`` (paths, in the order of their tags), ``conversations`` (``role``, ``content`` with
        ``<video>`` tags) and ``meta`` (every other key); where parts are meant, ``bounds``, (start, end) in seconds or
        None for each of ``videos``.

    Raises:
        ValueError: If something of this is not so; the message says what was expected.
    """
    for key in ("id", "conversations"):
        if key not in sample:
            raise ValueError(f"the annotation has no '{key}' (it has: {', '.join(map(str, sample))})")
    if isinstance(sample["id"], bool) or not isinstance(sample["id"], str | int | float):
        raise ValueError(f"'id' must be a text or a number, got {short(sample['id'])}")
    turns = _turns(sample["conversations"], answered)
    images: list[File] = [(path, None) for path in _paths(sample, "image", VIDEO_SUFFIXES, "video")]
    paths = _paths(sample, "video", IMAGE_SUFFIXES, "image")
    videos: list[File] = list(zip(paths, parse_bounds(sample.get("bounds"), len(paths)), strict=True))
    tags = [tag for turn in turns if turn["role"] == "user" for tag in _TAG.findall(turn["content"])]
    for turn in turns:
        if turn["role"] == "user":
            turn["content"] = _TAG.sub(VIDEO_TAG, turn["content"])
    files = _in_order(tags, images, videos)
    item = {
        "id": str(sample["id"]),
        "videos": [os.path.join(data_root, path) for path, _ in files],
        "conversations": turns,
        "meta": {k: v for k, v in sample.items() if k not in ("id", "image", "video", "conversations", "bounds")},
    }
    bounds = [part for _, part in files]
    return item | {"bounds": bounds} if any(bounds) else item


def named(sample: dict[str, Any], name: str) -> dict[str, Any]:
    """Return ``sample``, whose id is ``name`` where it has none; null and an empty text are none."""
    return sample if sample.get("id") not in (None, "") else sample | {"id": name}


def _turns(conversations: Any, answered: bool) -> list[dict[str, str]]:
    """Turns with normalised keys and roles; a conversation asks first, and takes turns."""
    if not isinstance(conversations, list):
        raise ValueError(f"'conversations' must be a list of turns, got {short(conversations)}")
    if not conversations:
        raise ValueError("the conversation is empty: expected at least a question and an answer")
    turns = [_turn(number, turn) for number, turn in enumerate(conversations)]
    talk = [turn["role"] for turn in turns if turn["role"] != "system"]
    expected = [("user", "assistant")[i % 2] for i in range(len(talk))]
    if talk != expected or not talk or any(turn["role"] == "system" for turn in turns[1:]):
        raise ValueError(f"turns must be user, assistant, user, ... (one system turn may stand first), got {talk}")
    if answered and (talk[-1] != "assistant" or not turns[-1]["content"]):
        raise ValueError("the last turn must be an answer that is not empty")
    empty = [number for number, turn in enumerate(turns) if turn["role"] == "assistant" and not turn["content"]]
    if answered and empty:
        raise ValueError(f"turn {empty[0]} is an empty answer; in training every answer is learned")
    return turns


def _turn(number: int, turn: Any) -> dict[str, str]:
    if not isinstance(turn, Mapping):
        raise ValueError(f"turn {number} is a {type(turn).__name__}, expected an object with 'from' and 'value'")
    role, content = turn.get("from", turn.get("role")), turn.get("value", turn.get("content"))
    if not isinstance(role, str) or role not in ROLES:
        raise ValueError(f"turn {number} is from {role!r}, expected one of {', '.join(ROLES)}")
    if not isinstance(content, str):
        raise ValueError(f"turn {number} has no text under 'value' or 'content'")
    return {"role": ROLES[role], "content": content.strip()}


def _paths(sample: Mapping[str, Any], key: str, wrong: frozenset[str], other: str) -> list[str]:
    """Paths under ``key``, none of which may have a suffix in ``wrong``."""
    value = sample.get(key) or []
    given = [value] if isinstance(value, str) else value
    if not isinstance(given, list | tuple):
        raise ValueError(f"'{key}' must be a path or a list of paths, got {short(value)}")
    paths = [path.removeprefix("file://") if isinstance(path, str) else path for path in given]
    for path in paths:
        if not isinstance(path, str):
            raise ValueError(f"'{key}' must be a path or a list of paths, got {short(path)}")
        if found := _ELSEWHERE.match(path):
            raise ValueError(f"'{key}' is no path but {short(path)}: write it to a file ({found[0]} is not read)")
        if os.path.splitext(path)[1].lower() in wrong:
            raise ValueError(f"'{key}' names the {other} file '{path}': put it under '{other}'")
    return paths


def _in_order(tags: list[str], images: list[File], videos: list[File]) -> list[File]:
    """The files in the order of their tags."""
    if images and videos:
        named = {"image": iter(images), "video": iter(videos)}
        counts = (tags.count("image"), tags.count("video"))
        if counts != (len(images), len(videos)):
            raise ValueError(
                f"the questions have {counts[0]} <image> and {counts[1]} <video> tags, "
                f"but {len(images)} images and {len(videos)} videos are named"
            )
        return [next(named[tag]) for tag in tags]
    files = images or videos
    if len(tags) != len(files):
        kind = "image" if images else "video"
        raise ValueError(f"the questions have {len(tags)} <image>/<video> tags, but {len(files)} {kind}s are named")
    return files
