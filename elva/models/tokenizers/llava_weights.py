"""Reading a published LLaVA's projector, without the rest of its weights."""

import json
import re
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn
from transformers.utils import cached_file

_NAMES = {
    r"(^|\.)(multi_modal_projector\.linear_1|mm_projector\.0)\.": "0.",
    r"(^|\.)(multi_modal_projector\.linear_2|mm_projector\.2)\.": "2.",
    r"(^|\.)image_newline$": "newline",
}
"""Names in the files, of transformers' layout and of the first authors', and what the tokenizer calls them."""


def load_projector(path: str, projector: nn.Sequential, newline: nn.Parameter | None) -> None:
    """Copy the projector of a LLaVA checkpoint, and its newline where the tokenizer has one.

    Args:
        path: Directory with safetensors (sharded or not), or hub name (``llava-hf/llava-onevision-qwen2-7b-ov-hf``).
        projector: From ``build_projector('mlp2x_gelu', ...)``.
        newline: (C,).

    Raises:
        FileNotFoundError: If there are no safetensors at ``path``.
        ValueError: If a weight is not in them, or has another shape.
    """
    found = _read(path)
    wanted: dict[str, Tensor] = dict(projector.named_parameters())
    if newline is not None:
        wanted["newline"] = newline
    for name, parameter in wanted.items():
        shape = tuple(found[name].shape) if name in found else "not there"
        if shape != tuple(parameter.shape):
            raise ValueError(
                f"model.tokenizer.projector_path='{path}': weight {name} of the projector is {shape}, but this model "
                f"needs {tuple(parameter.shape)} (projector='mlp2x_gelu', the widths of the encoder and of the LLM)."
            )
        with torch.no_grad():
            parameter.copy_(found[name])


def _read(path: str) -> dict[str, Tensor]:
    tensors = {}
    for file in _files(path):
        with safe_open(file, "pt") as stored:
            for key in stored.keys():  # noqa: SIM118 (it is no dictionary)
                for pattern, name in _NAMES.items():
                    if match := re.search(pattern, key):
                        tensors[name + key[match.end() :]] = stored.get_tensor(key)
    return tensors


def _files(path: str) -> list[str]:
    """The files that hold what is wanted."""
    try:
        single = cached_file(path, "model.safetensors", _raise_exceptions_for_missing_entries=False)
        if single is not None:
            return [single]
        index = json.loads(Path(cached_file(path, "model.safetensors.index.json") or "").read_text())
        shards = {shard for key, shard in index["weight_map"].items() if any(re.search(name, key) for name in _NAMES)}
        return [cached_file(path, shard) or "" for shard in sorted(shards)]
    except OSError as error:
        raise FileNotFoundError(
            f"model.tokenizer.projector_path='{path}': no safetensors there. Give the directory of a LLaVA checkpoint "
            f"(for instance from 'hf download llava-hf/llava-onevision-qwen2-7b-ov-hf'), or None to train a projector."
        ) from error
