"""Which samples of a source are used: the rules of LLaVA-NeXT's mixtures."""

import random
import re

import numpy as np

_RULE = re.compile(r"(first|end|random):(\d+(?:\.\d+)?)(%?)")


def taken(count: int, rule: str = "all") -> np.ndarray:
    """Return the indices, rising, of the samples that ``rule`` takes of ``count``: at least one, at most all.

    A random draw is always the same one, and a smaller draw is a part of a larger one.

    Args:
        count: Samples there are.
        rule: ``'all'``, or ``first:``, ``end:`` or ``random:`` with a share (``10%``) or a number (``1000``).

    Raises:
        ValueError: If the rule cannot be read, or takes nothing or more than all.
    """
    if rule == "all":
        return np.arange(count)
    found = _RULE.fullmatch(rule) if isinstance(rule, str) else None
    if found is None:
        raise ValueError(
            f"take={rule!r}: expected 'all', 'first:10%', 'end:10%', 'random:10%' or, of each, 'first:1000'"
        )
    where, amount, percent = found[1], float(found[2]), bool(found[3])
    if amount <= 0 or (percent and amount > 100) or (not percent and amount != int(amount)):
        raise ValueError(f"take={rule!r}: a share lies in (0, 100], a number is a whole one above 0")
    number = min(count, max(1, round(count * amount / 100)) if percent else int(amount))
    if where == "random":
        order = list(range(count))
        random.Random(0).shuffle(order)
        return np.array(sorted(order[:number]))
    return np.arange(number) if where == "first" else np.arange(count - number, count)
