"""Finds what is misspelt in a config before anything is built.

MMEngine ignores a top-level option that it does not know, and most others reach the component that they are meant for
only after the weights are loaded. Every message here names the key, what was probably meant, and the file.
"""

import difflib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from mmengine import registry as mmengine_registries
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, IterBasedTrainLoop, LogProcessor, Runner, TestLoop, ValLoop
from mmengine.utils.dl_utils import set_multi_processing
from mmengine.visualization import Visualizer
from torch import nn
from torch.utils.data import DataLoader

from elva import registry as r
from elva.registry import Registry, all_registries, check_arguments

Path = tuple[str | int, ...]

_REGISTRIES: dict[str, Registry] = {
    "model": r.MODELS,
    "data_preprocessor": r.MODELS,
    "tokenizer": r.TOKENIZERS,
    "reducers": r.REDUCERS,
    "merger": r.MERGERS,
    "llm": r.LLMS,
    "teacher": r.TEACHERS,
    "supervisors": r.SUPERVISORS,
    "dataset": r.DATASETS,
    "pipeline": r.TRANSFORMS,
    "reader": r.VIDEO_READERS,
    "resolution": r.RESOLUTION_SCHEDULERS,
    "batch_sampler": r.DATA_SAMPLERS,
    "optim_wrapper": r.OPTIM_WRAPPERS,
    "optimizer": r.OPTIMIZERS,
    "param_scheduler": r.PARAM_SCHEDULERS,
    "default_hooks": r.HOOKS,
    "custom_hooks": r.HOOKS,
    "train_cfg": r.LOOPS,
    "val_cfg": r.LOOPS,
    "test_cfg": r.LOOPS,
    "visualizer": r.VISUALIZERS,
    "vis_backends": r.VISBACKENDS,
    "log_processor": r.LOG_PROCESSORS,
    "val_evaluator": r.METRICS,
    "test_evaluator": r.METRICS,
    "metrics": r.METRICS,
    "strategy": r.STRATEGIES,
    "model_wrapper_cfg": r.MODEL_WRAPPERS,
}
"""Where the ``type`` of a dict is looked up, by the last word of its key."""

_NEEDS_TYPE = {
    "model", "tokenizer", "merger", "llm", "teacher", "dataset", "optimizer", "param_scheduler", "default_hooks",
    "custom_hooks", "strategy", "pipeline", "reader", "resolution", "supervisors", "reducers",
}  # fmt: skip

_COMPLETE_IN_CONFIG = {
    "dataset", "pipeline", "reader", "resolution", "llm", "teacher", "data_preprocessor", "default_hooks",
    "custom_hooks", "val_evaluator", "test_evaluator",
}  # fmt: skip
"""Kinds of components that get every argument from the config; others are given some when they are built."""

_DATALOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")
_DATALOADER_KEYS = {"dataset", "num_batch_per_epoch", "disable_subprocess_warning"}
_DEFAULT_HOOKS = ("runtime_info", "timer", "sampler_seed", "logger", "param_scheduler", "checkpoint")
_PARAMWISE_KEYS = (
    "custom_keys", "bias_lr_mult", "bias_decay_mult", "norm_decay_mult", "dwconv_decay_mult", "flat_decay_mult",
    "dcn_offset_lr_mult", "bypass_duplicate",
)  # fmt: skip
_COMPLETE = [  # what the Runner takes all of or none of
    ("train_dataloader", "train_cfg", "optim_wrapper"),
    ("val_dataloader", "val_cfg", "val_evaluator"),
    ("test_dataloader", "test_cfg", "test_evaluator"),
]


def _parameters(function: Callable[..., Any]) -> set[str]:
    return set(inspect.signature(function).parameters) - {"self"}


TOP_LEVEL = (_parameters(Runner.__init__) - {"cfg"}) | {
    "custom_imports", "runner_type", "sync_bn", "find_unused_parameters", "model_wrapper_cfg", "strategy", "compile",
    "activation_checkpointing", "efficient_conv_bn_eval",
}  # fmt: skip
"""Keys that mean something at the top of a config; any other is a variable of the config's own."""

_SECTIONS: dict[str, set[str]] = {
    **{name: _parameters(DataLoader.__init__) | _DATALOADER_KEYS for name in _DATALOADERS},
    "randomness": _parameters(Runner.set_randomness),
    "env_cfg": {"cudnn_benchmark", "mp_cfg", "dist_cfg", "resource_limit"},
    "mp_cfg": _parameters(set_multi_processing) - {"distributed"},
    "auto_scale_lr": {"enable", "base_batch_size"},
    "custom_imports": {"imports", "allow_failed_imports"},
}
"""Keys of the sections that are no components."""

_UNTYPED: dict[str, Callable[..., Any]] = {
    "val_cfg": ValLoop,
    "test_cfg": TestLoop,
    "log_processor": LogProcessor,
    "visualizer": Visualizer,
    "optim_wrapper": OptimWrapper,
}
"""What the Runner builds from a section without ``type``."""

_POPPED: dict[str, set[str]] = {
    "default_hooks": {"priority"},
    "custom_hooks": {"priority"},
    "optim_wrapper": {"optimizer", "constructor", "paramwise_cfg"},
    "param_scheduler": {"convert_to_iter_based"},
    "train_cfg": {"by_epoch"},
}
"""Keys that the Runner takes out before it builds a component."""


def check_config(cfg: Config | Mapping[str, Any]) -> None:
    """Check every name in a config: options, sections, components and their arguments.

    Args:
        cfg: A loaded config; its ``custom_imports`` have been imported. Nothing is built.

    Raises:
        ValueError: With everything that is wrong, a line each.
    """
    plain = cfg.to_dict() if isinstance(cfg, Config) else dict(cfg)
    found = [*_top_level(plain)]
    for name in plain:
        if name in TOP_LEVEL:
            found += _walk(plain[name], (name,))
    if found:
        source = getattr(cfg, "filename", None) or "The config"
        raise ValueError("\n".join(f"{source}: {problem}" for problem in dict.fromkeys(found)))


def _top_level(cfg: Mapping[str, Any]) -> Iterator[str]:
    for name in cfg:
        near = difflib.get_close_matches(name, TOP_LEVEL, n=1, cutoff=0.87)
        if name not in TOP_LEVEL and near:  # the right one may well be there too, inherited
            yield f"'{name}' is no option. Did you mean '{near[0]}'?"
    if cfg.get("default_scope") != r.SCOPE:
        yield (
            f"default_scope is {cfg.get('default_scope')!r} and not '{r.SCOPE}': no component of ELVA would be found. "
            "Put '_base_/default_runtime.py' into _base_."
        )
    if cfg.get("model") is None:
        yield "there is no 'model'."
    for group in _COMPLETE:
        given = [name for name in group if cfg.get(name) is not None]
        missing = [name for name in group if cfg.get(name) is None]
        if given and missing:
            yield f"{', '.join(given)} without {', '.join(missing)}: give all of them, or none."


def _walk(value: Any, path: Path) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield from _check_dict(value, path)
        for name, item in value.items():
            yield from _walk(item, (*path, name))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _walk(item, (*path, index))


def _check_dict(cfg: Mapping[str, Any], path: Path) -> Iterator[str]:
    key = _role(path)
    popped = _POPPED.get(key, set()) | {"type", "_scope_"}
    arguments = {name: value for name, value in cfg.items() if name not in popped}
    if key == "paramwise_cfg" or path == ("default_hooks",):
        known = _PARAMWISE_KEYS if key == "paramwise_cfg" else _DEFAULT_HOOKS
        yield from _unknown_keys(arguments, known, path, only_near=path == ("default_hooks",))
    elif isinstance(cfg.get("type"), str):
        yield from _check_component(cfg, arguments, key, path)
    elif inspect.isclass(cfg.get("type")) or inspect.isfunction(cfg.get("type")):  # of a config in pure Python
        yield from _check_arguments(cfg["type"], arguments, path)
    elif key in _SECTIONS:
        yield from _unknown_keys(arguments, _SECTIONS[key], path)
        yield from _needless_workers(arguments, path)
    elif path == ("train_cfg",):
        yield from _check_arguments(EpochBasedTrainLoop if cfg.get("by_epoch") else IterBasedTrainLoop, arguments, path)
    elif key in _UNTYPED and len(path) == 1:
        yield from _check_arguments(_UNTYPED[key], arguments, path)
    elif key in _NEEDS_TYPE:
        yield f"{_dotted(path)} has no 'type': what should be built?"


def _needless_workers(dataloader: Mapping[str, Any], path: Path) -> Iterator[str]:
    """Options of a data loader that it refuses when there are no workers."""
    for name in ("persistent_workers", "prefetch_factor"):
        if path[0] in _DATALOADERS and not dataloader.get("num_workers") and dataloader.get(name):
            yield (
                f"{_dotted(path)}.{name}={dataloader[name]} needs num_workers above 0. Without workers, set "
                f"{_dotted(path)}.{name}={'False' if name == 'persistent_workers' else 'None'} as well."
            )


def _role(path: Path) -> str:
    """The word that says what a dict is: ``pipeline`` for ``train_dataloader.dataset.pipeline[2]``."""
    words = [word for word in path if isinstance(word, str)]
    return words[0] if words[0] == "default_hooks" and len(words) == 2 else words[-1]


def _check_component(cfg: Mapping[str, Any], arguments: dict[str, Any], key: str, path: Path) -> Iterator[str]:
    name = f"{cfg['_scope_']}.{cfg['type']}" if cfg.get("_scope_") else cfg["type"]
    if key in ("collate_fn", "worker_init_fn"):
        r.DATASETS.names()  # imports them
        component = mmengine_registries.FUNCTIONS.module_dict.get(name)
        if component is None:
            near = difflib.get_close_matches(name, mmengine_registries.FUNCTIONS.module_dict, n=3, cutoff=0.4)
            yield f"{_dotted(path)}: '{name}' is no registered function. Nearest names: {', '.join(near) or 'none'}."
            return
    else:
        registry = _registry(key, cfg, path)
        if registry is None:  # a dict with a 'type' that is none of ours
            return
        try:
            component = registry.get(name)
        except ValueError as error:
            yield f"{_dotted(path)}: {error}"
            return
    yield from _check_arguments(component, arguments, path)


def _registry(key: str, cfg: Mapping[str, Any], path: Path) -> Registry | None:
    if key == "sampler":
        return r.DATA_SAMPLERS if path[0] in _DATALOADERS and len(path) == 2 else r.FRAME_SAMPLERS
    if key.endswith("_evaluator") and "metrics" in cfg:
        return r.EVALUATORS
    if key in _REGISTRIES:
        return _REGISTRIES[key]
    return next((registry for registry in all_registries() if cfg["type"] in registry), None)


def _check_arguments(component: Callable[..., Any], arguments: dict[str, Any], path: Path) -> Iterator[str]:
    if path[0] == "train_cfg":
        arguments = {name: value for name, value in arguments.items() if name not in ("runner", "dataloader")}
    try:
        check_arguments(component, arguments)
    except ValueError as error:
        yield f"{_dotted(path)}: {error}"
        return
    if _role(path) in _COMPLETE_IN_CONFIG:
        missing = [p.name for p in inspect.signature(component).parameters.values() if _required(p, arguments)]
        if missing:
            yield f"{_dotted(path)}: {component.__name__} needs {', '.join(map(repr, missing))}."
    if inspect.isclass(component) and _takes_any(component):
        owners = [c for c in component.__mro__ if "__init__" in c.__dict__ and c not in (object, nn.Module)]
        known = set().union(*(_parameters(vars(c)["__init__"]) for c in owners))  # what **kwargs may be passed on to
        yield from _unknown_keys(arguments, known, path, only_near=bool(owners))


def _required(parameter: inspect.Parameter, given: Mapping[str, Any]) -> bool:
    variadic = parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    return parameter.default is parameter.empty and not variadic and parameter.name not in given


def _takes_any(function: Callable[..., Any]) -> bool:
    return any(p.kind is p.VAR_KEYWORD for p in inspect.signature(function).parameters.values())


def _unknown_keys(given: Iterable[str], known: Iterable[str], path: Path, only_near: bool = False) -> Iterator[str]:
    """Keys that are not known; with ``only_near`` those alone that look like a misspelt known one."""
    known = sorted(set(known) - {"args", "kwargs"})
    for name in given:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.8 if only_near else 0.4)
        if name not in known and (near or not only_near):
            meant = f" Did you mean '{near[0]}'?" if near else ""
            takes = "" if only_near else f" It takes: {', '.join(known) or 'nothing'}."
            yield f"{_dotted(path)} has no option '{name}'.{meant}{takes}"


def _dotted(path: Path) -> str:
    return "".join(f"[{word}]" if isinstance(word, int) else f".{word}" for word in path).lstrip(".")
