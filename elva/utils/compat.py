"""MMEngine 0.10.7 and 0.11 on today's torch: the one place that changes what MMEngine itself does.

0.10.7 pickles callables with its log history, so a checkpoint of its own cannot be loaded with ``weights_only=True``
(torch's default since 2.6): training cannot be resumed. 0.11.0rc3 answers with ``weights_only=False``: whoever hands
you a checkpoint can run code. Here both go through ``elva.utils.checkpoint``: plain values out, ``weights_only`` in.
"""

from pathlib import Path
from typing import Any

import mmengine.runner
import torch
from mmengine.dist import get_dist_info
from mmengine.dist.utils import barrier
from mmengine.runner.checkpoint import CheckpointLoader

from .checkpoint import load_checkpoint, save_checkpoint, to_plain

_their_save = mmengine.runner.checkpoint.save_checkpoint


def install() -> None:
    """Send every checkpoint that MMEngine reads or writes through ``elva.utils.checkpoint``; twice is harmless.

    ``import elva.engine`` calls it, and so does every config that names one of ELVA's hooks.
    """
    for prefix in CheckpointLoader._schemes:
        loader = _LOADERS.get(prefix, load_from_elsewhere)
        CheckpointLoader.register_scheme(prefixes=prefix, loader=loader, force=True)
    # The Runner took the function into its own namespace when it was imported; strategies and hooks look it up late.
    for module in (mmengine.runner.runner, mmengine.runner.checkpoint, mmengine.runner):
        module.save_checkpoint = _save


def load_from_local(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Load from disk (the name's end is what MMEngine logs)."""
    return load_checkpoint(filename, map_location)


def load_from_http(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Download once, by the main process, into torch's cache; then as from disk."""
    path = Path(torch.hub.get_dir(), "checkpoints", filename.rsplit("/", 1)[-1])
    rank, world_size = get_dist_info()
    if rank == 0 and not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(filename, str(path))
    if world_size > 1:
        barrier()
    return load_checkpoint(path, map_location)


def load_from_elsewhere(filename: str, map_location: Any = None) -> dict[str, Any]:
    """Refuse what MMEngine would fetch and unpickle by other means.

    Raises:
        ValueError: Always.
    """
    scheme = filename.partition("://")[0]
    raise ValueError(f"{filename}: '{scheme}://' is not read here. Download the checkpoint and give its path.")


_LOADERS = {"": load_from_local, "http://": load_from_http, "https://": load_from_http}


def _save(checkpoint: dict[str, Any], filename: str, file_client_args: Any = None, backend_args: Any = None) -> None:
    if "://" in str(filename) or file_client_args or backend_args:  # a remote store: MMEngine's client, plain content
        _their_save(to_plain(checkpoint), filename, file_client_args=file_client_args, backend_args=backend_args)
    else:
        save_checkpoint(checkpoint, filename)
