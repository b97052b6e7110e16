"""One JSON object."""

import json
import re
from typing import Any

_HALF = re.compile(r"\\u[dD][89a-fA-F]")
"""Half of a UTF-16 pair, which is no text without the other; tools that cut texts by length leave some."""


def json_object(content: bytes) -> dict[str, Any]:
    """Read an object, in UTF-8.

    Raises:
        json.JSONDecodeError: If it is not JSON.
        ValueError: If it is not UTF-8, something else than an object, or has half a character in it; the message goes
            on after what was read.
    """
    try:
        text = content.decode("utf-8-sig")  # of bytes, json would guess the encoding
    except UnicodeDecodeError as error:
        raise ValueError(f"is not UTF-8 text: {error}") from error
    row = json.loads(text)
    if not isinstance(row, dict):
        raise ValueError(f"is a {type(row).__name__}, expected an object")
    if _HALF.search(text):
        try:
            json.dumps(row, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            half = error.object[error.start].encode(errors="backslashreplace").decode()
            raise ValueError(f"has {half}, half of a character; write the whole one, or none") from error
    return row
