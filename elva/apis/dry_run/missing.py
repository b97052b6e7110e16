"""What a run would look for and not find, in words."""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from elva.utils.report_text import gibibytes

_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w.-]+")
_HARDWARE = re.compile(r"^#.*?\b(\d+) x (\d+) GB", re.MULTILINE)


@dataclass(frozen=True)
class Devices:
    """What a config is to run on.

    Attributes:
        count: Processes, one a device.
        gigabytes: Memory of each; None where nobody says.
        known_from: In words.
    """

    count: int
    gigabytes: int | None
    known_from: str


def devices_of(config_text: str) -> Devices:
    """The devices of a launched run (``WORLD_SIZE``), those that a config's first comment names, or those seen."""
    said = _HARDWARE.search(config_text)
    gigabytes = int(said[2]) if said else None
    if "WORLD_SIZE" in os.environ:
        return Devices(int(os.environ["WORLD_SIZE"]), gigabytes, "the launcher")
    if said:
        return Devices(int(said[1]), gigabytes, "the config's first comment")
    return Devices(max(1, torch.cuda.device_count()), None, "what torch sees here")


def missing_devices(devices: Devices, needed_bytes: float) -> Iterator[str]:
    """Fewer GPUs than the config is for, or too little memory on each."""
    seen = torch.cuda.device_count()
    if devices.gigabytes is not None and seen < devices.count:
        yield f"devices: the config is for {devices.count} x {devices.gigabytes} GB; torch sees {seen} GPUs here."
    memory = [torch.cuda.get_device_properties(index).total_memory for index in range(seen)]
    here = min(memory, default=None)
    there = here if here is not None else devices.gigabytes * 1e9 if devices.gigabytes else None
    if there is not None and needed_bytes > there:
        yield (
            f"memory: about {gibibytes(needed_bytes)} are needed on each device, which has {gibibytes(there)}. Divide "
            "the weights over the devices (FSDP), lower train_dataloader.batch_size, or train fewer parts."
        )


def missing_weights(cfg: Any) -> Iterator[str]:
    """Weights, tokenizers and the checkpoint to start from that are not on this machine."""
    llm, teacher, encoder = ((cfg.model.get(part) or {}).get("path") for part in ("llm", "teacher", "tokenizer"))
    for what, path, remedy in (
        ("language model (model.llm.path)", llm, "tools/model_tools/make_tiny_llm.py makes a tiny one."),
        ("vision encoder (model.tokenizer.path)", encoder, "or use a tokenizer without an encoder (ElvaPatchEmbed)."),
        ("teacher (model.teacher.path)", teacher, "or set model.teacher.type='HOGTeacher', which needs no weights."),
    ):
        if path is not None and not _is_here(path):
            yield f"{what}: {_absent(path, remedy)}"
    for path in sorted(set(_tokenizers(cfg)) - {llm}):
        if not _is_here(path):
            yield f"text tokenizer: {_absent(path, 'tools/model_tools/make_tiny_llm.py makes one.')}"
    start = cfg.get("load_from")
    if start and "://" not in start and not Path(start).is_file():
        yield f"checkpoint (load_from): there is no file {start}; train the stage before, or set load_from=None."


def _absent(path: str, remedy: str) -> str:
    if _HUB_NAME.fullmatch(path):
        return (
            f"{path} is not in the Hugging Face cache of this machine; it is downloaded at the first run, or before "
            f"with 'hf download {path}'."
        )
    return f"there is no folder {path}; {remedy}"


def _is_here(path: str) -> bool:
    if Path(path).is_dir():
        return True
    if not _HUB_NAME.fullmatch(path):
        return False
    from huggingface_hub import try_to_load_from_cache

    return any(isinstance(try_to_load_from_cache(path, name), str) for name in ("config.json", "tokenizer_config.json"))


def _tokenizers(cfg: Any) -> Iterator[str]:
    for loader in ("train_dataloader", "val_dataloader", "test_dataloader"):
        yield from _paths(cfg.get(loader) or {})


def _paths(node: Any) -> Iterator[str]:
    """The tokenizer of every ``TokenizeConversation`` below ``node``."""
    if isinstance(node, dict):
        if node.get("type") == "TokenizeConversation":
            yield node["path"]
        node = node.values()
    if isinstance(node, Iterable) and not isinstance(node, str):
        for child in node:
            yield from _paths(child)
