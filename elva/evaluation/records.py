"""What is kept of each answer: one line of ``predictions.jsonl``."""

from collections.abc import Sequence
from typing import Any

from elva.structures import FramePlan, VideoQASample

Record = dict[str, Any]


def record_of(sample: VideoQASample, divisions: Sequence[str] = ()) -> Record:
    """Return what is known of a sample that was answered, before it is judged.

    Args:
        sample: With its prediction.
        divisions: Keys of the annotation that scores are reported by, where it has no ``groups`` of its own.

    Returns:
        ``id``, ``question_id`` (the same for every rotation), ``cluster`` (its video), ``videos``, ``question``,
        ``options``, ``answer`` (None where it is not published), ``raw`` (what the model said), ``groups``, ``frames``
        (of each video: ``seconds`` and ``sizes``), ``tokens`` (rows that enter each layer); and, where there are
        such, ``alternatives`` (other right answers), ``option_logits``, ``rotation`` and ``error``.
    """
    meta = sample.meta
    groups = meta.get("groups") or {key: str(meta[key]) for key in divisions if meta.get(key) is not None}
    record = {
        "id": sample.id,
        "question_id": meta.get("question_id", sample.id),
        "cluster": meta.get("cluster", sample.videos[0] if sample.videos else sample.id),
        "videos": list(sample.videos),
        "question": sample.question,
        "options": meta.get("options") or [],
        "answer": sample.answer if meta.get("labelled", True) else None,
        "raw": sample.prediction or "",
        "groups": groups,
        "frames": [_frames(plan) for plan in sample.plans],
        "tokens": sample.stats.get("tokens_per_layer", []),
    }
    optional = {
        "alternatives": meta.get("alternatives") or None,
        "rotation": meta.get("rotation"),
        **{k: sample.stats.get(k) for k in ("option_logits", "error")},
    }
    return record | {key: value for key, value in optional.items() if value is not None}


def _frames(plan: FramePlan) -> dict[str, list[Any]]:
    return {"seconds": [round(second, 6) for second in plan.seconds], "sizes": [list(size) for size in plan.sizes]}
