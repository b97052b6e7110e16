"""What may be spent on an answer before its first token."""

import re
from dataclasses import dataclass
from typing import Literal

from elva.utils.report_text import amount

_PREFIXES = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_NUMBER = r"\s*(\d+(?:\.\d*)?(?:e\d+)?)\s*"


@dataclass(frozen=True)
class Budget:
    """An amount of one kind, for the prefill of one answer.

    Attributes:
        kind: ``'FLOPs'`` (a multiply-add is two), ``'ms'`` (from pixels on the device to the first logits, a batch of
            one), or ``'tokens'`` (rows that enter the first layer of the language model, text included).
        amount: How much.
    """

    kind: Literal["FLOPs", "ms", "tokens"]
    amount: float

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Read ``'6TFLOPs'``, ``'500ms'``, ``'0.5s'`` or ``'2048tokens'``.

        Raises:
            ValueError: If it is none of these, or not above 0.
        """
        found = re.fullmatch(_NUMBER + r"(?:([KMGTP]?)FLOPS?|(M?)S|(TOKENS?))\s*", text, re.IGNORECASE)
        if found is None or float(found[1]) <= 0:
            raise ValueError(f"--budget {text}: give FLOPs, time or tokens above 0, as 6TFLOPs, 500ms or 2048tokens.")
        number, prefix, milli, tokens = found.groups()
        if tokens:
            return cls("tokens", float(number))
        if prefix is not None:
            return cls("FLOPs", float(number) * _PREFIXES[prefix.upper()])
        return cls("ms", float(number) * (1.0 if milli else 1000.0))

    def words(self, spent: float | None = None) -> str:
        """The amount (or another of the same kind) as a person writes it."""
        value = self.amount if spent is None else spent
        return amount(value, "FLOPs") if self.kind == "FLOPs" else f"{value:,.0f} {self.kind}"
