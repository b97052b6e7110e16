"""Questions in one file, their answers in another: the layout of ActivityNet-QA and of the zero-shot releases."""

from collections.abc import Iterator
from pathlib import Path

from .rows import Row, json_rows


def paired_rows(questions: Path, answers: Path) -> Iterator[tuple[Row, Row]]:
    """Each question with its answer, matched by ``question_id``; the order of the answers does not matter.

    Args:
        questions: JSON list of ``{video_name, question, question_id}``.
        answers: JSON list of ``{answer, question_id}``, with ``type`` or without.

    Raises:
        ValueError: If an id stands in one of the files alone, or twice in one.
    """
    by_id = _by_id(answers)
    asked = _by_id(questions)
    for name, row in asked.items():
        if name not in by_id:
            raise row.wrong(f"question '{name}' has no answer in {answers}")
        yield row, by_id[name]
    if len(by_id) > len(asked):
        name = next(name for name in by_id if name not in asked)
        raise by_id[name].wrong(f"question '{name}' is not in {questions}")


def _by_id(path: Path) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    for row in json_rows(path):
        name = row.text("question_id")
        if name in rows:
            raise row.wrong(f"question '{name}' stood in {rows[name].where} already")
        rows[name] = row
    return rows
