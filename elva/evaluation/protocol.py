"""What must be told with a score, so that it can be repeated and compared."""

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config

from elva.utils.digests import file_digest, files_digest
from elva.version import __version__

PACKAGES = ("torch", "transformers", "tokenizers", "mmengine", "numpy", "av", "decord2")
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "vocab.json", "merges.txt")


def make_protocol(
    cfg: Config, dataset: Any, metrics: Sequence[Any], exact: bool, device: str, precision: str
) -> dict[str, Any]:
    """Return everything that decides the predictions and the score.

    How fast they come (batch size, workers, processes) and where they lie is not in it.

    Args:
        cfg: The run's config; its ``load_from`` is the checkpoint.
        dataset: The test data; its ``protocol()`` is asked.
        metrics: The evaluator's; their ``protocol()`` is asked.
        exact: Whether each sample goes through the model alone.
        device: Type of the model's device.
        precision: Of the model's arithmetic.
    """
    steps = _plain(cfg.test_dataloader.dataset).get("pipeline", [])
    load: dict[str, Any] = next((step for step in steps if step["type"] == "LoadVideo"), {})
    reader = load.get("reader")
    checkpoint = cfg.get("load_from")
    return {
        "data": dataset.protocol(),
        "frames": load.get("sampler"),
        "resolution": load.get("resolution"),
        "reader": dataset.reader(reader) if reader and hasattr(dataset, "reader") else reader,
        "steps": [step for step in steps if step is not load],
        "model": _plain(cfg.model),
        "text_tokenizer": _tokenizer_files(cfg.model),
        "checkpoint": {"file": Path(checkpoint).name, "sha256": file_digest(Path(checkpoint))} if checkpoint else None,
        "group_by": list(dict.fromkeys(division for metric in metrics for division in metric.group_by)),
        "metrics": [metric.protocol() for metric in metrics],
        "seed": (cfg.get("randomness") or {}).get("seed"),
        "exact": exact,
        "device": device,
        "precision": precision,
        "versions": versions(),
    }


def protocol_digest(protocol: Mapping[str, Any]) -> str:
    """Twelve characters that change with anything in the protocol that decides the answers: all but the metrics."""
    answering = {key: value for key, value in protocol.items() if key != "metrics"}
    return hashlib.sha256(json.dumps(answering, sort_keys=True).encode()).hexdigest()[:12]


def versions() -> dict[str, str]:
    """Of Python, of elva, and of what decides its numbers."""
    return {
        "python": platform.python_version(),
        "elva": __version__,
        **{name: importlib.metadata.version(name) for name in PACKAGES},
    }


def _tokenizer_files(model: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of the files that turn text into ids, where they lie in a folder; none for a name on the hub."""
    path = model.get("text_tokenizer") or (model.get("llm") or {}).get("path")
    return files_digest(Path(path), TOKENIZER_FILES) if path else {}


def _plain(node: Any) -> Any:
    """A part of a config as JSON can hold it."""
    if isinstance(node, Mapping):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_plain(value) for value in node]
    return node if isinstance(node, str | int | float | bool | None) else str(node)
