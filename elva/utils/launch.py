"""What ``tools/train.py`` and ``tools/test.py`` share: configs, options of the command line, errors, exit codes."""

import errno
import gc
import os
import re
import shlex
import sys
import traceback
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from mmengine.config import Config, DictAction
from mmengine.dist import barrier, is_distributed, is_main_process
from mmengine.registry import DefaultScope
from mmengine.utils import import_modules_from_strings

import elva
from elva.registry import SCOPE

from .interrupted import Interrupted

if TYPE_CHECKING:  # what a command that trains nothing does without, and saves seconds
    from mmengine.runner import FlexibleRunner, Runner

_FULL = os.strerror(errno.ENOSPC)
_MIXED = "MixedPrecisionOptimWrapper"


def add_common_arguments(parser: ArgumentParser) -> None:
    """Add what both commands take: the config, ``--work-dir``, ``--amp``, ``--cfg-options``, ``--launcher``."""
    parser.add_argument("config", help="config file")
    parser.add_argument("--work-dir", help="for logs and checkpoints (default: the config's, or work_dirs/<config>)")
    parser.add_argument("--amp", action="store_true", help="compute in bfloat16 where it is safe, on CPU as well")
    add_cfg_options(parser)
    parser.add_argument("--launcher", choices=["none", "pytorch", "slurm", "mpi"], default="none", help="of processes")
    parser.add_argument("--local_rank", "--local-rank", type=int, default=0, help="set by some launchers")


def add_cfg_options(parser: ArgumentParser) -> None:
    """Add ``--cfg-options``."""
    parser.add_argument(
        "--cfg-options",
        nargs="+",
        action=DictAction,
        metavar="KEY=VALUE",
        help="change the config, e.g. train_dataloader.batch_size=8 model.merger.ratio=0.25",
    )


def read_config(path: str | Path, options: dict[str, Any] | None = None) -> Config:
    """Read a config with all that it inherits and import its ``custom_imports``.

    Args:
        path: The file.
        options: ``--cfg-options``: values by dotted key.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no config {path} (the working directory is {Path.cwd()}).")
    try:
        cfg = Config.fromfile(path, import_custom_modules=False)
        cfg.merge_from_dict(options or {})
        if cfg.get("custom_imports"):  # only now: the options may name some
            if os.getcwd() not in sys.path:
                sys.path.append(os.getcwd())  # a script's own folder is on the path, a plug-in's is not
            import_modules_from_strings(**cfg.custom_imports)
    except Exception as error:
        looked = f" (modules of one's own are looked for in {Path.cwd()})" if isinstance(error, ImportError) else ""
        raise ValueError(f"{path} cannot be read: {type(error).__name__}: {error}{looked}") from error
    return cfg


def load_config(args: Namespace) -> Config:
    """The config with the options of :func:`add_common_arguments` put into it, checked.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If it cannot be read, or something in it is misspelt.
    """
    from .config_check import check_config

    cfg = read_config(args.config, args.cfg_options)
    cfg.work_dir = args.work_dir or cfg.get("work_dir") or f"work_dirs/{Path(args.config).stem}"
    cfg.launcher = args.launcher
    if args.amp:
        enable_amp(cfg)
    check_config(cfg)
    return cfg


def enable_amp(cfg: Config) -> None:
    """Train and evaluate in mixed precision: exchange the plain optimizer wrapper for one that autocasts.

    Raises:
        ValueError: If the config has a wrapper of its own.
    """
    wrapper = cfg.get("optim_wrapper")
    if wrapper is None:  # a config for testing alone: EvaluationPrecisionHook reads the type from here
        cfg.optim_wrapper = {"type": _MIXED}
        return
    if wrapper.setdefault("type", "OptimWrapper") not in ("OptimWrapper", "AmpOptimWrapper", _MIXED):
        raise ValueError(f"--amp cannot exchange optim_wrapper.type='{wrapper.type}'; take mixed precision from it.")
    wrapper.type = _MIXED


def set_resume(cfg: Config, resume: str | None) -> None:
    """Let ``cfg`` continue from a checkpoint; without one in ``work_dir``, training starts anew (from ``load_from``).

    Args:
        cfg: Changed in place.
        resume: ``--resume``: a path, ``'auto'`` for the newest in ``work_dir``, or None.

    Raises:
        FileNotFoundError: If the checkpoint to continue or to start from does not exist.
        ValueError: If the work dir does not name its newest.
    """
    if resume == "auto":
        resume = newest_checkpoint(Path(cfg.work_dir))
        if resume is None:
            print(f"Nothing to resume in {cfg.work_dir}: training starts anew.", file=sys.stderr)
    if resume is not None:
        cfg.resume, cfg.load_from = True, resume
    start = cfg.get("load_from")
    if start and "://" not in start and not Path(start).expanduser().is_file():
        hint = "" if resume else " load_from names it: train the stage before first, or name another checkpoint."
        raise FileNotFoundError(f"There is no checkpoint {start}.{hint}")


def newest_checkpoint(work_dir: Path) -> str | None:
    """The path of the newest checkpoint of a work dir; None if nothing was saved there.

    Raises:
        ValueError: If its file ``last_checkpoint`` names none.
    """
    from mmengine.runner import find_latest_checkpoint

    if not (work_dir / "last_checkpoint").is_file():
        return None
    named = Path(find_latest_checkpoint(str(work_dir)) or "")
    if not named.name:
        raise ValueError(f"{work_dir / 'last_checkpoint'} is empty: name the checkpoint, --resume PATH.")
    moved = work_dir / named.name  # last_checkpoint has an absolute path, and folders are moved and copied
    return str(named if named.is_file() else moved)


def build_runner(cfg: Config) -> "Runner | FlexibleRunner":
    """The runner of ``cfg``: MMEngine's, or its flexible one if the config names a ``strategy``."""
    from mmengine.runner import FlexibleRunner, Runner

    import elva.engine  # noqa: F401  (makes MMEngine's checkpoints safe)

    if cfg.launcher != "none" and not torch.cuda.is_available():
        _use_cpu_processes(cfg)
    if not cfg.get("strategy"):
        return Runner.from_cfg(cfg)
    if not DefaultScope.check_instance_created(SCOPE):  # this runner looks its strategy up before it sets the scope
        DefaultScope.get_instance(SCOPE, scope_name=SCOPE)
    return FlexibleRunner.from_cfg(cfg)


def _use_cpu_processes(cfg: Config) -> None:
    """Several processes without a GPU, which MMEngine's own start-up does not provide for."""
    if cfg.launcher != "pytorch":
        raise ValueError(f"--launcher {cfg.launcher} needs GPUs; without them take --launcher pytorch (torchrun).")
    if not is_distributed():
        torch.distributed.init_process_group("gloo")
    if not cfg.get("strategy"):
        cfg.model_wrapper_cfg = {
            "type": "MMDistributedDataParallel",
            "device_ids": None,
            "broadcast_buffers": False,
            "find_unused_parameters": cfg.get("find_unused_parameters", False),
        }


def run(main: Callable[[], None]) -> int:
    """Call ``main`` and turn what ends it into an exit code and a message that a user can read.

    Returns:
        0; 2 for a mistake in config, data or surroundings (``error: ...`` on stderr); 128 + signal after a signal.

    Raises:
        Exception: Any error that is not the user's, with its traceback.
    """
    try:
        main()
        end_processes()
    except Interrupted as stop:
        if is_main_process():
            print(f"\nInterrupted; {stop.checkpoint} is saved.", end=" ", file=sys.stderr)
            print(f"Continue with: {resume_command(sys.argv)}", file=sys.stderr)
        return 128 + stop.signum
    except KeyboardInterrupt:
        print("\nInterrupted at once; nothing was saved now.", file=sys.stderr)
        return 130
    except Exception as error:
        message = user_message(error)
        if message is None:
            raise
        print(f"error: {message}", file=sys.stderr)
        return 2
    return 0


def end_processes() -> None:
    """Leave the process group together, if there is one; without it, a gloo process may abort when Python ends."""
    if is_distributed():
        gc.collect()  # models in reference cycles hold the group
        barrier()  # who leaves early takes it away from who still writes
        torch.distributed.destroy_process_group()


def resume_command(argv: list[str]) -> str:
    """The command ``argv`` with ``--resume``, whatever it resumed from itself."""
    paths = {i + 1 for i, word in enumerate(argv) if word == "--resume"}  # the places of what may be its path
    kept = [
        word
        for i, word in enumerate(argv)
        if not word.startswith("--resume") and not (i in paths and not word.startswith("-"))
    ]
    return shlex.join(["python", *kept, "--resume"])


def user_message(error: BaseException) -> str | None:
    """What to tell the user about ``error``; None if it is not theirs but a fault of the program (show the traceback).

    Theirs are missing files, a full disk, and every ``ValueError`` raised by this package, its projects or MMEngine;
    one raised by a library further in is not, nor is any other kind.
    """
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"{error.strerror}: {error.filename}" if error.filename else str(error)
    last = str(error).rstrip().rpartition("\n")[2]
    if isinstance(error, OSError) and _FULL in last:  # raised in a worker that loads data: it has no number there
        return last.partition(": ")[2] or last
    if not isinstance(error, (ValueError, FileNotFoundError, PermissionError)):
        return None
    text = str(error)
    if text.startswith("Caught ") and "\nOriginal Traceback" in text:  # raised in a worker that loads data
        files = re.findall(r'File "(.+?)", line', text)
        text = re.split(rf"\n(?:[\w.]+\.)?{type(error).__name__}: ", text)[-1].rstrip()
        ours = Path(elva.__file__).parent in Path(files[-1]).parents
    else:
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
        module = frames[-1].f_globals.get("__name__", "") if frames else ""
        ours = module.split(".")[0] in ("elva", "projects", "tools", "mmengine", "__main__")
    return text if ours or not isinstance(error, ValueError) else None


def local_rank(args: Namespace) -> None:
    """Pass on the rank that a launcher gave as an option."""
    os.environ.setdefault("LOCAL_RANK", str(args.local_rank))


def records(runner: Any) -> list[dict[str, Any]]:
    """What the test keeps of each sample: ``records`` of the first metric that has such."""
    kept = (metric.records for metric in runner.test_evaluator.metrics if hasattr(metric, "records"))
    return next(kept, [])
