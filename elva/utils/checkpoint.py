"""Checkpoints that hold tensors and plain values only: written atomically, loaded with ``weights_only=True``.

A pickle can run any code while it is being read. A file of tensors, numbers, strings and containers cannot, and torch's
``weights_only`` reader accepts nothing else. So whatever MMEngine wants to save is turned into plain values first.
"""

import errno
import os
import pickle
import pickletools
import re
import shutil
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor

_OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_VALUES, _COUNTS = "values", "counts"


def to_plain(value: Any, where: str = "checkpoint") -> Any:
    """Return ``value`` made of tensors, numbers, strings, ``None`` and containers of those alone.

    Arrays become tensors, numpy scalars Python numbers, paths strings, a ``HistoryBuffer`` a dict of two tensors.

    Args:
        value: What is to be saved.
        where: Its place in the checkpoint, for the message.

    Raises:
        ValueError: If a value has no plain form.
    """
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes, torch.dtype, torch.device)):
        return value.item() if isinstance(value, np.generic) else value  # np.float64 is a float too
    if type(value) in (Tensor, torch.nn.Parameter):
        return value.detach()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return torch.from_numpy(value.copy())
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, HistoryBuffer):
        values, counts = value.data
        return {_VALUES: torch.from_numpy(values.copy()), _COUNTS: torch.from_numpy(counts.copy())}
    if isinstance(value, Mapping):
        return _plain_mapping(value, where)
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [to_plain(item, f"{where}[{index}]") for index, item in enumerate(value)]
        return tuple(items) if isinstance(value, tuple) else items
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    raise ValueError(
        f"{where} is a {kind}: a checkpoint holds tensors and plain values only. "
        "Convert it where it is put in (a hook's before_save_checkpoint, the dataset's metainfo, the message hub)."
    )


def _plain_mapping(value: Mapping[Any, Any], where: str) -> dict[Any, Any]:
    plain = {to_plain(key, where): to_plain(item, f"{where}[{key!r}]") for key, item in value.items()}
    if hasattr(value, "_metadata"):  # torch keeps the modules' versions as an attribute of a state dict
        plain = OrderedDict(plain)
        plain._metadata = to_plain(value._metadata, where)  # type: ignore[attr-defined]
    return plain


def save_checkpoint(checkpoint: dict[str, Any], filename: str | Path) -> None:
    """Write ``checkpoint`` as plain values; ``filename`` appears when it is whole, or not at all.

    Args:
        checkpoint: What MMEngine's Runner collects; schedulers may hold functions, which the config builds anew.
        filename: A local path.

    Raises:
        OSError: (``ENOSPC``) if the disk is too full; files that were there before are untouched.
        ValueError: If something in it has no plain form.
    """
    path = Path(filename)
    if "param_schedulers" in checkpoint:
        checkpoint = {**checkpoint, "param_schedulers": _without_functions(checkpoint["param_schedulers"])}
    content = to_plain(checkpoint)
    needed = n_bytes(content)
    require_space(path.parent, needed, f"the checkpoint {path.name}")
    partial = path.with_name(path.name + ".partial")
    try:
        with open(partial, "wb") as file:
            torch.save(content, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    except BaseException as error:
        partial.unlink(missing_ok=True)
        if _ran_out_of_space(error):
            raise _no_space(path.parent, needed, f"the checkpoint {path.name}") from error
        raise


def load_checkpoint(filename: str | Path, map_location: Any = None) -> dict[str, Any]:
    """Load a checkpoint of tensors and plain values; the log history is rebuilt from its numbers.

    Args:
        filename: A local path.
        map_location: As in ``torch.load``.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file holds code or objects (it is not unpickled), is truncated, or is no checkpoint.
    """
    path = Path(filename).expanduser()
    if not path.is_file():
        raise FileNotFoundError(f"There is no checkpoint {path}.")
    mapped = map_location == "cpu" and zipfile.is_zipfile(path)  # pages on demand, shared by processes that load it too
    try:
        checkpoint = torch.load(path, map_location=map_location, weights_only=True, mmap=mapped)
    except (pickle.UnpicklingError, RuntimeError, EOFError, LookupError, ValueError) as error:
        raise ValueError(_why_not(path)) from error
    if not isinstance(checkpoint, dict):
        raise ValueError(f"{path} holds a {type(checkpoint).__name__}, not a dict of weights: it is no checkpoint.")
    if "message_hub" in checkpoint:
        checkpoint["message_hub"]["log_scalars"] = _histories(checkpoint["message_hub"]["log_scalars"])
    return checkpoint


def n_bytes(value: Any) -> int:
    """Bytes of all tensors in a nest of containers; a storage that several share counts once."""
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in _tensors(value)}.values())


def require_space(directory: str | Path, needed: int, what: str) -> None:
    """Raise ``OSError`` (``ENOSPC``) if ``directory`` has fewer than ``needed`` bytes free.

    Args:
        directory: An existing directory.
        needed: Bytes.
        what: What is to be written there, for the message.
    """
    if shutil.disk_usage(directory).free < needed:
        raise _no_space(directory, needed, what)


def _no_space(directory: str | Path, needed: int, what: str) -> OSError:
    free = shutil.disk_usage(directory).free
    return OSError(
        errno.ENOSPC,
        f"No space for {what}: it needs {needed / 2**20:,.1f} MiB, {free / 2**20:,.1f} MiB are free (or allowed). "
        "What was saved before is kept. Free some space, lower default_hooks.checkpoint.max_keep_ckpts, "
        "or choose another disk with --work-dir",
        str(directory),
    )


def _ran_out_of_space(error: BaseException | None) -> bool:
    """Whether a full disk (or a quota) is the reason, at any depth: torch hides it behind a RuntimeError."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _OUT_OF_SPACE:
            return True
        error = error.__cause__ or error.__context__
    return False


def _without_functions(schedulers: Any) -> Any:
    if isinstance(schedulers, dict) and all(isinstance(v, list) for v in schedulers.values()):
        return {name: _without_functions(group) for name, group in schedulers.items()}
    return [{key: value for key, value in state.items() if not callable(value)} for state in schedulers]


def _histories(scalars: dict[str, Any]) -> dict[str, HistoryBuffer]:
    return {name: HistoryBuffer(s[_VALUES].cpu().numpy(), s[_COUNTS].cpu().numpy()) for name, s in scalars.items()}


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)


def _why_not(path: Path) -> str:
    """Say what is wrong with a file that ``weights_only`` refused, without running any of it."""
    wanted = _globals_of(path)
    if wanted:
        return (
            f"{path} is refused: it holds more than tensors and plain values ({', '.join(wanted[:5])}), and reading "
            "such a pickle can run any code. If you trust where it comes from, save its weights alone in a script of "
            "your own (torch.save(model.state_dict(), ...)) and load that file."
        )
    return (
        f"{path} is no readable checkpoint: it is truncated, corrupt or was not written by torch.save "
        f"({path.stat().st_size:,} bytes). Copy it again, or resume from an earlier one."
    )


def _globals_of(path: Path) -> list[str]:
    """Names that the pickle in ``path`` would import, read from its opcodes."""
    try:
        return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(path))
    except (ValueError, RuntimeError, EOFError, LookupError, pickle.UnpicklingError):  # not of today's format
        with open(path, "rb") as file:
            return _globals_of_pickle(file)


def _globals_of_pickle(file: IO[bytes]) -> list[str]:
    names: set[str] = set()
    strings: list[str] = []
    try:
        for opcode, argument, _ in pickletools.genops(file):
            if opcode.name == "GLOBAL":
                names.add(str(argument).replace(" ", "."))
            elif opcode.name == "STACK_GLOBAL":
                names.add(".".join(strings[-2:]))
            elif isinstance(argument, str):
                strings.append(argument)
    except ValueError:  # not a pickle (to its end)
        return sorted(names)
    return sorted(name for name in names if not re.match(r"(torch|collections)\.", name))
