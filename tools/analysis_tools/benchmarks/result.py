"""A measured number and its target."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Result:
    """One line of the table.

    Attributes:
        name: What was measured.
        measured: The number.
        target: What it is to reach.
        at_least: Whether more is better; else the target is the most that is allowed.
        details: Other numbers, by name.
    """

    name: str
    measured: float
    target: float
    at_least: bool
    details: dict[str, float] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        """Whether the target is met."""
        return self.measured >= self.target if self.at_least else self.measured <= self.target
