"""What is odd about a conversation that can be read."""

import re
from collections.abc import Iterator, Mapping, Sequence

from elva.datasets.conversation import VIDEO_TAG

_MEDIUM = re.compile(r"<(?:image|video|audio|speech|depth|point|3d|pc|vid|img)(?:[_ -]?\d+)?>", re.IGNORECASE)
_SPECIAL = re.compile(r"<\|[a-z0-9_]{2,40}\|>|<(?:image|video|vid|im)_(?:pad|start|end|token)>|</?s>")


def remarks(turns: Sequence[Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the kind and the text of each warning about a conversation.

    Args:
        turns: ``role`` and ``content``, with ``<video>`` wherever a user's turn names a file, as ``parse_sample`` gives
            them.
    """
    for number, turn in enumerate(turns):
        role, content = turn["role"], turn["content"]
        name = f"turn {number} ({role})"
        if role == "user" and not content.replace(VIDEO_TAG, "").strip():
            yield "no question", f"{name} says nothing beside its tags"
        if role == "assistant" and not content:
            yield "empty answer", f"{name} is empty: expected an answer"
        if "<" not in content:  # the usual case
            continue
        stray = [tag for tag in _MEDIUM.findall(content) if role != "user" or tag != VIDEO_TAG]
        if stray:
            yield "tag", f"{name} has {_listed(stray)}: expected only <video> or <image>, and only in questions"
        special = _SPECIAL.findall(content)
        if special:
            yield "placeholder", f"{name} has {_listed(special)}: special tokens in annotations are read as plain text"


def _listed(found: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(found))
