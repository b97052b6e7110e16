"""Lists of messages: ms-swift, OpenAI, Qwen-VL, and LLaMA-Factory's sharegpt."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from elva.registry import SAMPLE_FORMATS

from .base import SampleFormat
from .columns import renamed, rest

_COLUMNS = {key: key for key in ("messages", "system", "videos", "images", "audios", "tools")}
_TAGS = {"role_tag": "role", "content_tag": "content", "user_tag": "user", "assistant_tag": "assistant"}
_TAGS |= {"system_tag": "system", "observation_tag": "observation", "function_tag": "function"}
_ROLES = ("user", "assistant", "system")
_KINDS = {"video": "video", "video_url": "video", "image": "image", "image_url": "image"}
_TAG = re.compile(r"<(image|video)>")


@SAMPLE_FORMATS.register_module()
class MessagesFormat(SampleFormat):
    """``{"messages": [{"role": "user", "content": "<video>What?"}, {"role": "assistant", ...}], "videos": ["a.mp4"]}``.

    The content may be a list of parts, ``[{"type": "video", "video": "a.mp4"}, {"type": "text", "text": "What?"}]``:
    each video or image becomes a tag and a line end, texts stay as they are. A part without a path takes the next of
    ``videos`` or ``images``; ``video_start`` and ``video_end`` (Qwen-VL) say which part of a video is meant.

    Args:
        columns: Other names of the columns ``messages``, ``system``, ``videos``, ``images``, as ``columns`` in
            LLaMA-Factory's ``dataset_info.json``. Default: these; for ``messages`` also ``conversations``.
        tags: Names inside of a message, as ``tags`` there: ``role_tag``, ``content_tag``, ``user_tag``,
            ``assistant_tag``, ``system_tag``. Default: ``role`` and ``content``, or ``from`` and ``value``.

    Raises:
        ValueError: If ``columns`` or ``tags`` have an unknown key.
    """

    def __init__(self, columns: Mapping[str, str] | None = None, tags: Mapping[str, str] | None = None) -> None:
        self._columns = renamed("MessagesFormat: columns", _COLUMNS, columns)
        self._tags = renamed("MessagesFormat: tags", _TAGS, tags)
        self._roles = {self._tags[f"{role}_tag"]: role for role in _ROLES}

    def fits(self, row: Mapping[str, Any]) -> bool:
        media = (self._columns["videos"], self._columns["images"])
        return self._columns["messages"] in row or ("conversations" in row and any(name in row for name in media))

    def convert(self, row: Mapping[str, Any]) -> dict[str, Any]:
        column = self._columns["messages"]
        key = column if column in row else "conversations"
        messages = row.get(key)
        if not isinstance(messages, list):
            raise ValueError(f"'{column}' must be a list of messages, got {messages!r}")
        for name in ("audios", "tools"):
            if row.get(self._columns[name]):
                raise ValueError(f"'{self._columns[name]}' is not supported: only text, images and videos are")
        media = _Media({kind: _listed(row, self._columns[f"{kind}s"], kind) for kind in ("video", "image")})
        turns = [self._turn(number, message) for number, message in enumerate(messages)]
        in_parts = any(isinstance(turn["content"], list) for turn in turns)
        if in_parts:
            turns = [turn | {"content": media.text(number, turn)} for number, turn in enumerate(turns)]
        if row.get(self._columns["system"]):
            turns.insert(0, {"role": "system", "content": row[self._columns["system"]]})
        used = rest(row, key, *self._columns.values(), "video", "image")
        return used | {"conversations": turns} | (media.of_parts() if in_parts else media.given)

    def _turn(self, number: int, message: Any) -> dict[str, Any]:
        if not isinstance(message, Mapping):
            raise ValueError(f"message {number} is a {type(message).__name__}, expected an object")
        if message.get("loss") is False:
            raise ValueError(f"message {number} has 'loss': false, which is not supported: every answer is learned")
        role = message.get(self._tags["role_tag"], message.get("from"))
        content = message.get(self._tags["content_tag"], message.get("value"))
        return {"role": self._roles.get(role, role) if isinstance(role, str) else role, "content": content}


class _Media:
    """The files of a sample, in the order in which its messages name them.

    Args:
        given: Those in columns of their own, by kind.
    """

    def __init__(self, given: dict[str, list[Any]]) -> None:
        self.given: dict[str, Any] = given
        self._left: dict[str, Iterator[Any]] = {kind: iter(files) for kind, files in given.items()}
        self._found: dict[str, list[Any]] = {kind: [] for kind in given}
        self._bounds: list[Any] = []

    def text(self, number: int, turn: Mapping[str, Any]) -> Any:
        """What a message says, with a tag for each file."""
        content = turn["content"]
        if not isinstance(content, list):
            for kind in _TAG.findall(str(content)) if turn["role"] == "user" else ():
                self._add(number, kind, {})
            return content
        return "".join(self._part(number, turn["role"], part) for part in content)

    def of_parts(self) -> dict[str, Any]:
        """``video``, ``image`` and ``bounds``, as the parts have them."""
        unused = [str(path) for files in self._left.values() for path in files]
        if unused:
            raise ValueError(f"no message names {', '.join(unused)}")
        return {**self._found, "bounds": self._bounds}

    def _part(self, number: int, role: str, part: Any) -> str:
        kind = part.get("type") if isinstance(part, Mapping) else None
        if kind == "text" and isinstance(part.get("text"), str):
            return str(part["text"])
        if not isinstance(kind, str) or kind not in _KINDS:
            raise ValueError(f"message {number} has the part {part!r}, expected a text, a video or an image")
        if role != "user":
            raise ValueError(f"message {number} is from '{role}' and has a {kind}: only users may show something")
        self._add(number, _KINDS[kind], part)
        return f"<{_KINDS[kind]}>\n"

    def _add(self, number: int, kind: str, part: Mapping[str, Any]) -> None:
        path = part.get(kind, part.get(f"{kind}_url", part.get("path", part.get("url"))))
        path = path.get("url") if isinstance(path, Mapping) else path
        path = next(self._left[kind], None) if path is None else path
        if path is None:
            raise ValueError(f"message {number} has a {kind} without a path, and '{kind}s' has none left")
        self._found[kind].append(path)
        if kind == "video":
            times = part.get("video_start"), part.get("video_end")
            self._bounds.append(None if times == (None, None) else times)


def _listed(row: Mapping[str, Any], column: str, key: str) -> list[Any]:
    value = row.get(column) or row.get(key) or []
    return list(value) if isinstance(value, list | tuple) else [value]
