"""The numbers of the demo's report: what was answered, at what cost."""

import importlib.metadata
import json
import math
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from elva.evaluation import chance, estimate_difference
from elva.models.video_llm import VideoLLM
from elva.structures import FramePlan
from elva.utils.flops import decoder_flops, tokenizer_flops
from elva.version import __version__

Record = Mapping[str, Any]
"""One answer, as ``predictions.jsonl`` has it, with the skill that it is about in ``groups``."""


def accuracy_numbers(merged: Sequence[Record], no_merge: Sequence[Record], blind: Sequence[Record]) -> dict[str, Any]:
    """Accuracy and its context, in the keys of ``report.json``.

    Args:
        merged: Answers of the model as it is configured.
        no_merge: Answers of the same weights without merging.
        blind: Answers of the same weights to blank frames.

    Raises:
        ValueError: If the three did not answer the same questions.
    """
    for name, other in (("no_merge", no_merge), ("blind", blind)):
        if [r["id"] for r in other] != [r["id"] for r in merged]:
            raise ValueError(f"The predictions '{name}' are of other questions than 'merged': they cannot be compared")
    by = {name: by_skill(r) for name, r in (("merged", merged), ("no_merge", no_merge), ("blind", blind))}
    overall = {name: _share(r) for name, r in (("merged", merged), ("no_merge", no_merge), ("blind", blind))}
    guess = chance(merged)
    return {
        "accuracy": {
            "overall": overall["merged"],
            "by_skill": by["merged"],
            "no_merge": overall["no_merge"],
            "no_merge_by_skill": by["no_merge"],
            "blind": overall["blind"],
            "blind_by_skill": by["blind"],
        },
        "chance": {
            "overall": guess.pop("overall"),
            "by_skill": {name.removeprefix("skill/"): p for name, p in sorted(guess.items())},
        },
        "n": len(merged),
        "n_by_skill": {skill: sum(skill_of(r) == skill for r in merged) for skill in by["merged"]},
        "skipped": sum("error" in r for r in merged),
        "merge_cost": paired_difference(no_merge, merged),
    }


def by_skill(records: Sequence[Record]) -> dict[str, float]:
    """Accuracy of each skill, by name."""
    skills = sorted({skill_of(r) for r in records})
    return {skill: _share([r for r in records if skill_of(r) == skill]) for skill in skills}


def skill_of(record: Record) -> str:
    """The skill that a question is about."""
    skill: str = record["groups"]["skill"]
    return skill


def paired_difference(one: Sequence[Record], other: Sequence[Record]) -> dict[str, float]:
    """Accuracy of ``one`` minus that of ``other``, on the same questions, and its standard error.

    Only questions on which the two differ count for the error, so it is smaller than that of either accuracy.
    """
    found = estimate_difference(
        [_score(r) for r in one], [_score(r) for r in other], clusters=[r["cluster"] for r in one]
    )
    return {"accuracy": found.mean, "standard_error": math.nan if found.stderr is None else found.stderr}


def mean_tokens(records: Sequence[Record]) -> list[float]:
    """Mean rows that enter the attention of each layer."""
    return [float(rows) for rows in np.mean([r["tokens"] for r in records if r["tokens"]], axis=0)]


def prefill_flops(model: VideoLLM, rows_per_layer: Sequence[float], plan: FramePlan) -> dict[str, float]:
    """FLOPs of one prefill, by part.

    Args:
        model: The model.
        rows_per_layer: Of a question.
        plan: Of the clip that it is about.
    """
    return {"tokenizer": tokenizer_flops(model.tokenizer, plan)} | decoder_flops(
        model.llm, rows_per_layer, logit_rows=1
    )


def parameters(model: VideoLLM) -> dict[str, int]:
    """Weights of each part that has any, and ``total``; weights that two parts share count once."""
    parts = {name: sum(p.numel() for p in part.parameters()) for name, part in model.named_children()}
    return {"total": sum(p.numel() for p in model.parameters()), **{name: n for name, n in parts.items() if n}}


def versions() -> dict[str, str]:
    """Of elva and of what decides its numbers."""
    others = {name: importlib.metadata.version(name) for name in ("torch", "mmengine", "transformers")}
    return {"elva": __version__, "python": platform.python_version(), **others}


def read_predictions(path: str | Path) -> list[Record]:
    """The predictions that ``tools/test.py --out`` wrote into a ``.json``."""
    predictions: list[Record] = json.loads(Path(path).read_text(encoding="utf-8"))["predictions"]
    return predictions


def _share(records: Sequence[Record]) -> float:
    return sum(_score(r) for r in records) / len(records)


def _score(record: Record) -> float:
    return record["score"] or 0.0  # None: without its video it was not answered
