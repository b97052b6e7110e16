"""What guessing among the options would score, from annotations alone."""

from collections.abc import Iterable, Mapping
from typing import Any


def chance(samples: Iterable[Mapping[str, Any]], group_by: str = "skill") -> dict[str, float]:
    """Return the expected accuracy of uniform guessing: the mean of 1 / number of options.

    Args:
        samples: Annotations (or any mappings) of one question each, with ``options``; those without are left out.
        group_by: Key of the groups that are reported beside ``overall``.

    Returns:
        By group, and ``'overall'``; empty if no sample has options.
    """
    groups: dict[str, list[float]] = {}
    for sample in samples:
        if sample.get("options"):
            group = sample.get(group_by)
            for name in ["overall"] if group is None else ["overall", str(group)]:
                groups.setdefault(name, []).append(1 / len(sample["options"]))
    return {name: sum(values) / len(values) for name, values in groups.items()}
