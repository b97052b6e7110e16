"""The annotation files that a config names."""

import re
from collections.abc import Sequence
from pathlib import Path

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"(\d+)\.\.(\d+)")
_LISTED = 20


def annotation_paths(names: str | Sequence[str]) -> list[str]:
    """Return the paths that ``names`` stands for, in order; all of them exist.

    Args:
        names: A path or several. As in a shell, ``data/{00000..00099}.tar`` is a hundred paths (the numbers keep their
            leading zeros), ``{train,extra}.jsonl`` two; WebDataset writes its shards so.

    Raises:
        FileNotFoundError: If one does not exist; all that are missing are named.
        ValueError: If no path is named, or braces cannot be read.
    """
    if not names or not isinstance(names, str | Sequence) or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"ann_file must name a file or several, got {names!r}")
    paths = [path for name in ([names] if isinstance(names, str) else names) for path in expand_braces(name)]
    missing = [path for path in paths if not Path(path).exists()]
    if len(missing) == 1:
        raise FileNotFoundError(
            f"Annotation file '{missing[0]}' does not exist. Check ann_file, and that the data is made."
        )
    if missing:
        more = f"\n  ... and {len(missing) - _LISTED} more" if len(missing) > _LISTED else ""
        listed = "".join(f"\n  {path}" for path in missing[:_LISTED])
        raise FileNotFoundError(f"{len(missing)} of {len(paths)} annotation files do not exist:{listed}{more}")
    return paths


def expand_braces(text: str) -> list[str]:
    """Return what a shell makes of the braces in ``text``; without braces, ``text`` alone."""
    found = _BRACES.search(text)
    if found is None:
        return [text]
    before, after = text[: found.start()], text[found.end() :]
    return [path for word in _words(found[1], text) for path in expand_braces(before + word + after)]


def _words(inside: str, text: str) -> list[str]:
    numbers = _RANGE.fullmatch(inside)
    if numbers:
        first, last = int(numbers[1]), int(numbers[2])
        if first > last:
            raise ValueError(f"'{text}': the range {{{inside}}} ends before it begins")
        return [str(number).zfill(len(numbers[1])) for number in range(first, last + 1)]
    if "," not in inside:
        raise ValueError(f"'{text}': {{{inside}}} is neither a range, {{000..099}}, nor a list, {{a,b}}")
    return inside.split(",")
