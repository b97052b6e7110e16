"""What guessing among the options would score, from annotations alone."""

from collections.abc import Iterable, Mapping
from typing import Any


def chance(records: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    """Return the expected accuracy of uniform guessing: the mean of 1 / number of options.

    A question of a circular evaluation is guessed right with the probability of as many lucky guesses as it has
    rotations.

    Args:
        records: Records with ``options`` and ``groups``; those without options are left out.

    Returns:
        By ``'<division>/<group>'``, and ``'overall'``; empty if no record has options.
    """
    groups: dict[str, list[float]] = {}
    for record in records:
        if record.get("options"):
            guess = len(record["options"]) ** -float(record.get("asked", 1))
            for name in ["overall", *(f"{division}/{group}" for division, group in record["groups"].items())]:
                groups.setdefault(name, []).append(guess)
    return {name: sum(values) / len(values) for name, values in groups.items()}
