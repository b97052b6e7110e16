"""What formats have in common that name columns."""

import re
from collections.abc import Mapping
from typing import Any

_COLUMN = re.compile(r"\{([^{}]+)\}")


def columns_of(template: str) -> list[str]:
    """The columns that a template names: ``'{page_dir}/{videoid}.mp4'`` names two."""
    return _COLUMN.findall(template)


def fill(template: str, row: Mapping[str, Any]) -> str:
    """Return ``template`` with each ``{column}`` replaced by what the row has there.

    Raises:
        ValueError: If the row does not have one.
    """
    return _COLUMN.sub(lambda found: str(value_of(row, found[1])), template)


def value_of(row: Mapping[str, Any], column: str) -> Any:
    """What a row has in a column.

    Raises:
        ValueError: If it has nothing there.
    """
    if row.get(column) is None:
        raise ValueError(f"there is no '{column}' (but: {', '.join(map(str, row))})")
    return row[column]


def text_of(row: Mapping[str, Any], column: str) -> str:
    """The text that a row has in a column.

    Raises:
        ValueError: If it has none there.
    """
    value = value_of(row, column)
    if not isinstance(value, str):
        raise ValueError(f"'{column}' is {value!r}, expected a text")
    return value


def optional_text_of(row: Mapping[str, Any], column: str) -> str:
    """The text that a row has in a column; empty if it has nothing there.

    Raises:
        ValueError: If it has something else.
    """
    return "" if row.get(column) is None else text_of(row, column)


def media_of(row: Mapping[str, Any], video: str | None) -> dict[str, Any]:
    """The ``video`` and ``image`` of a row; with a template, the one video that it names.

    Raises:
        ValueError: If there is neither.
    """
    if video is not None:
        return {"video": fill(video, row)}
    media = {kind: row[kind] for kind in ("video", "image") if row.get(kind)}
    if not media:
        raise ValueError("neither 'video' nor 'image' names a file")
    return media


def tags_of(media: Mapping[str, Any]) -> str:
    """A tag for each file."""
    return "".join(f"<{kind}>" * (len(files) if isinstance(files, list) else 1) for kind, files in media.items())


def conversation(*texts: str) -> list[dict[str, str]]:
    """Turns of a user and an assistant, one after the other."""
    return [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]


def rest(row: Mapping[str, Any], *used: str | None) -> dict[str, Any]:
    """The row without the columns that were used."""
    return {key: value for key, value in row.items() if key not in used}


def renamed(what: str, known: Mapping[str, str], given: Mapping[str, str] | None) -> dict[str, str]:
    """The names in ``known``, replaced by those that are given.

    Raises:
        ValueError: If a name is given for something unknown.
    """
    unknown = set(given or {}) - set(known)
    if unknown:
        raise ValueError(f"{what} has no '{min(unknown)}'; it has: {', '.join(known)}")
    return {**known, **(given or {})}
