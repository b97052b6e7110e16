"""From lmms-eval's documents to the raw items that ELVA's pipelines start from."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL.Image import Image

from elva.apis.question_item import Item, place_videos, question_item
from elva.datasets.conversation import VIDEO_TAG


class MediaFolder:
    """A folder for the images that tasks hand over in memory: readers read files.

    Args:
        folder: Existing.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def path(self, visual: Any, name: str) -> str:
        """The path of a visual: its own, or that of a PNG file that is written here.

        Args:
            visual: A path, or a PIL image.
            name: Of the file, without suffix.

        Raises:
            ValueError: If it is something else: sound, or frames that were decoded before.
        """
        if isinstance(visual, (str, Path)):
            return str(visual)
        if not isinstance(visual, Image):
            kind = type(visual).__name__
            raise ValueError(f"{name}: a visual is a {kind}; ELVA takes paths of videos and images, and PIL images")
        path = self.folder / f"{name}.png"
        visual.convert("RGB").save(path, compress_level=1)
        return str(path)

    def discard(self, paths: Sequence[str]) -> None:
        """Delete those of ``paths`` that were written here."""
        for path in map(Path, paths):
            if path.parent == self.folder:
                path.unlink(missing_ok=True)


def simple_item(media: MediaFolder, id: str, context: str, visuals: Any) -> Item:
    """The item of a task in lmms-eval's simple form: a text, and what is to be seen.

    Args:
        media: Takes images.
        id: Of the document; no two have the same.
        context: The question. Its ``<image>`` and ``<video>`` tags, if there is one for each visual, are their places;
            without any, the visuals stand before it.
        visuals: A list of paths and images; None for none.
    """
    paths = [media.path(visual, f"{id}-{number}") for number, visual in enumerate(visuals or ())]
    return question_item(paths, context, id)


def chat_item(media: MediaFolder, id: str, messages: Sequence[Mapping[str, Any]]) -> Item:
    """The item of a task in lmms-eval's chat form: turns of text, images and videos.

    Parts of a turn stand on lines of their own. Where the texts of a turn have ``<image>`` or ``<video>`` tags, there
    must be one for each of its images and videos, and these stand there.

    Args:
        media: Takes images.
        id: Of the document; no two have the same.
        messages: Of ``role`` and ``content``: a text, or a list of ``{type: text, text}``,
            ``{type: image, url}`` and ``{type: video, url, start_time, end_time}``.

    Raises:
        ValueError: If a part is of another type, or stands in a turn of the assistant.
    """
    turns: list[dict[str, str]] = []
    paths: list[str] = []
    bounds: list[tuple[float, float] | None] = []
    for message in messages:
        content = message["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        seen = [part for part in parts if part["type"] in ("image", "video")]
        _check(id, message["role"], parts, seen)
        paths += [media.path(part["url"], f"{id}-{len(paths) + n}") for n, part in enumerate(seen)]
        bounds += [_bounds(part) for part in seen]
        turns.append({"role": message["role"], "content": _text(parts, len(seen))})
    return {"id": id, "videos": paths, "bounds": bounds, "conversations": turns, "meta": {}}


def _check(id: str, role: str, parts: Sequence[Mapping[str, Any]], seen: Sequence[Any]) -> None:
    other = {part["type"] for part in parts} - {"text", "image", "video"}
    if other:
        raise ValueError(f"{id}: a message has a part of type '{min(other)}'; ELVA takes text, image and video")
    if seen and role != "user":
        raise ValueError(f"{id}: a message of the {role} has an image or a video; only the user's may")


def _bounds(part: Mapping[str, Any]) -> tuple[float, float] | None:
    start, end = part.get("start_time"), part.get("end_time")
    if start is None and end is None:
        return None
    return (0.0 if start is None else float(start), math.inf if end is None else float(end))


def _text(parts: Sequence[Mapping[str, Any]], count: int) -> str:
    texts = "\n".join(part["text"] for part in parts if part["type"] == "text")
    if "<image>" in texts or "<video>" in texts:
        return place_videos(texts, count)
    return "\n".join(part["text"] if part["type"] == "text" else VIDEO_TAG for part in parts)
