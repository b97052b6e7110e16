"""Instruction, input and output in columns: alpaca, as LLaMA-Factory reads it."""

from collections.abc import Mapping
from typing import Any

from elva.registry import SAMPLE_FORMATS

from .base import SampleFormat
from .columns import conversation, optional_text_of, renamed, rest, text_of

_COLUMNS = {"prompt": "instruction", "query": "input", "response": "output"}
_COLUMNS |= {key: key for key in ("system", "history", "videos", "images")}


@SAMPLE_FORMATS.register_module()
class AlpacaFormat(SampleFormat):
    """``{"instruction": "<video>What?", "input": "", "output": "This.", "videos": ["a.mp4"]}``.

    What is asked is the instruction and, on a line of its own, the input. ``system`` and ``history`` (pairs of earlier
    questions and answers) may be there.

    Args:
        columns: Other names of the columns ``prompt``, ``query``, ``response``, ``system``, ``history``, ``videos``,
            ``images``, as ``columns`` in LLaMA-Factory's ``dataset_info.json``. Older data of ms-swift is
            ``dict(prompt='query', query='', response='response')``. Default: ``instruction``, ``input``, ``output``.

    Raises:
        ValueError: If ``columns`` has an unknown key.
    """

    def __init__(self, columns: Mapping[str, str] | None = None) -> None:
        self._columns = renamed("AlpacaFormat: columns", _COLUMNS, columns)

    def fits(self, row: Mapping[str, Any]) -> bool:
        return self._columns["prompt"] in row and self._columns["response"] in row

    def convert(self, row: Mapping[str, Any]) -> dict[str, Any]:
        names = self._columns
        asked = [text_of(row, names["prompt"]), optional_text_of(row, names["query"])]
        earlier = self._history(row.get(names["history"]) or [])
        turns = conversation(*earlier, "\n".join(filter(None, asked)), text_of(row, names["response"]))
        if row.get(names["system"]):
            turns.insert(0, {"role": "system", "content": text_of(row, names["system"])})
        media = {kind: row.get(names[f"{kind}s"]) or row.get(kind) or [] for kind in ("video", "image")}
        return rest(row, *names.values()) | media | {"conversations": turns}

    def _history(self, pairs: Any) -> list[str]:
        if not isinstance(pairs, list) or not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in pairs):
            raise ValueError(f"'{self._columns['history']}' must be a list of pairs [question, answer], got {pairs!r}")
        return [str(text) for pair in pairs for text in pair]
