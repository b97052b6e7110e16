"""What happened on the way through the layers: numbers for logs, pictures and tests."""

from dataclasses import dataclass, field

from torch import Tensor

from elva.structures import SequenceState


@dataclass
class Trace:
    """Filled in by the language model when it is given one.

    Attributes:
        rows: For each layer, (B,) valid rows that enter its attention.
        records: Numbers that mergers recorded, by name.
        states: The state entering each layer's attention, if ``keep_states``.
        keep_states: Whether to keep them. Default: False (they hold every hidden state).
    """

    rows: list[Tensor] = field(default_factory=list)
    records: dict[str, Tensor] = field(default_factory=dict)
    states: list[SequenceState] = field(default_factory=list)
    keep_states: bool = False
    _valid: Tensor | None = field(default=None, repr=False)

    def enter(self, state: SequenceState) -> None:
        """Note the state that enters a layer's attention."""
        same = self._valid is state.valid
        self._valid = state.valid
        self.rows.append(self.rows[-1] if same else state.lengths)
        if self.keep_states:
            self.states.append(state)

    def record(self, name: str, value: Tensor) -> None:
        """Note a number under ``name``."""
        self.records[name] = value.detach()

    def tokens_per_layer(self) -> list[float]:
        """Mean valid rows of each layer."""
        return [float(rows.float().mean()) for rows in self.rows]

    def log_vars(self) -> dict[str, Tensor]:
        """Numbers for the log: mean rows of the first layer and of each layer that has fewer than the one before."""
        out = dict(self.records)
        for index, rows in enumerate(self.rows):
            if index == 0 or rows is not self.rows[index - 1]:
                out[f"rows/layer{index:02d}"] = rows.float().mean()
        return out
