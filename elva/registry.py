"""The registries of ELVA: where a config's ``type='Name'`` is looked up.

Those that MMEngine's Runner builds from are children of MMEngine's own; the rest (readers, mergers, ...) are ELVA's.
An unknown name or argument is answered with the nearest known ones and the file that they live in.
"""

import difflib
import importlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mmengine import registry as _roots
from mmengine.registry import DefaultScope, build_from_cfg
from mmengine.registry import Registry as _Registry

SCOPE = "elva"


class Registry(_Registry):
    """A registry of scope ``elva`` whose errors say what the user could have meant.

    Args:
        name: What it registers, in the singular (``'merger'``).
        locations: Modules whose import registers the components; imported at the first look-up.
        parent: The MMEngine registry that the Runner builds from. Default: none.
    """

    def __init__(self, name: str, locations: list[str], parent: _Registry | None = None) -> None:
        super().__init__(name, build_func=_build, parent=parent, scope=SCOPE, locations=locations)

    def get(self, key: str) -> Any:
        """Return the component registered as ``key``.

        Raises:
            ValueError: If there is none; the message names the nearest ones and their files.
        """
        found = self._find(key)
        if found is None:
            raise ValueError(self._unknown(key))
        return found

    def names(self) -> list[str]:
        """Names of every component registered in this scope, sorted."""
        self.import_from_location()
        return sorted(self.module_dict)

    def build_with(self, cfg: dict[str, Any], **offered: Any) -> Any:
        """Build ``cfg`` with those of ``offered`` that its component takes and ``cfg`` does not set itself."""
        takes = inspect.signature(self.get(cfg["type"])).parameters
        return self.build({**{name: value for name, value in offered.items() if name in takes}, **cfg})

    def __contains__(self, key: str) -> bool:
        return self._find(key) is not None

    def _find(self, key: str) -> Any:
        self.import_from_location()  # outside the try: an error in a component's module is not an unknown name
        if self.parent is not None:
            self.parent.import_from_location()  # mmengine looks in the parent, but does not fill it
        try:
            return super().get(key)
        except RuntimeError:  # mmengine's answer to a name that it cannot resolve as a module path either
            return None

    def _unknown(self, key: str) -> str:
        known = self.module_dict if self.parent is None else {**self.parent.module_dict, **self.module_dict}
        near = difflib.get_close_matches(key, known, n=3, cutoff=0.4)
        hint = "; ".join(f"{name} ({_where(known[name])})" for name in near)
        elsewhere = [r.name for r in all_registries() if r is not self and key in r.names()]
        lines = [f"'{key}' is not in the registry '{self.scope}::{self.name}'."]
        if hint:
            lines.append(f"Nearest names: {hint}.")
        if elsewhere:
            lines.append(f"A component of that name is in the registry '{elsewhere[0]}': is it under the right key?")
        lines.append("If it is your own, register it and list its module in the config's custom_imports.")
        return " ".join(lines)


def check_arguments(component: Callable[..., Any], arguments: dict[str, Any]) -> None:
    """Raise ``ValueError`` if ``component`` does not take one of ``arguments``; the nearest name is in the message."""
    try:
        parameters = inspect.signature(component).parameters
    except (TypeError, ValueError):  # a builtin without a signature
        return
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for name in arguments:
        if name not in parameters:
            near = difflib.get_close_matches(name, parameters, n=1, cutoff=0.4)
            meant = f" Did you mean '{near[0]}'?" if near else ""
            known = ", ".join(parameters)
            title = getattr(component, "__name__", component)
            raise ValueError(f"{title} has no argument '{name}'.{meant} It takes: {known} ({_where(component)}).")


def _build(cfg: Any, registry: _Registry, *args: Any, **kwargs: Any) -> Any:
    if isinstance(cfg, dict) and isinstance(cfg.get("type"), str):
        check_arguments(registry.get(cfg["type"]), {k: v for k, v in cfg.items() if k not in ("type", "_scope_")})
    return build_from_cfg(cfg, registry, *args, **kwargs)


def _where(component: Any) -> str:
    """``file:line`` of a component, as far as Python knows it."""
    try:
        return f"{inspect.getsourcefile(component)}:{inspect.getsourcelines(component)[1]}"
    except (OSError, TypeError):
        return getattr(component, "__module__", "unknown file")


MODELS = Registry("model", ["elva.models"], _roots.MODELS)
DATASETS = Registry("dataset", ["elva.datasets", "elva.datasets.benchmarks"], _roots.DATASETS)
TRANSFORMS = Registry("transform", ["elva.datasets.transforms"], _roots.TRANSFORMS)
DATA_SAMPLERS = Registry("data sampler", ["elva.datasets"], _roots.DATA_SAMPLERS)
METRICS = Registry("metric", ["elva.evaluation"], _roots.METRICS)
HOOKS = Registry("hook", ["elva.engine"], _roots.HOOKS)
LOOPS = Registry("loop", ["elva.engine"], _roots.LOOPS)
OPTIM_WRAPPERS = Registry("optim_wrapper", ["elva.engine"], _roots.OPTIM_WRAPPERS)
STRATEGIES = Registry("strategy", ["elva.engine"], _roots.STRATEGIES)
VISUALIZERS = Registry("visualizer", ["elva.visualization"], _roots.VISUALIZERS)
INFERENCERS = Registry("inferencer", ["elva.apis.inferencer"], _roots.INFERENCERS)

# Without a child of this scope, MMEngine warns at every look-up and falls back to its own.
MODEL_WRAPPERS = Registry("model wrapper", ["elva.engine"], _roots.MODEL_WRAPPERS)
WEIGHT_INITIALIZERS = Registry("weight initializer", ["elva.models"], _roots.WEIGHT_INITIALIZERS)
OPTIMIZERS = Registry("optimizer", ["elva.engine"], _roots.OPTIMIZERS)
OPTIM_WRAPPER_CONSTRUCTORS = Registry("optim_wrapper constructor", ["elva.engine"], _roots.OPTIM_WRAPPER_CONSTRUCTORS)
PARAM_SCHEDULERS = Registry("parameter scheduler", ["elva.engine"], _roots.PARAM_SCHEDULERS)
EVALUATORS = Registry("evaluator", ["elva.evaluation"], _roots.EVALUATOR)
VISBACKENDS = Registry("visualization backend", ["elva.visualization"], _roots.VISBACKENDS)
LOG_PROCESSORS = Registry("log processor", ["elva.engine"], _roots.LOG_PROCESSORS)

SAMPLE_FORMATS = Registry("sample format", ["elva.datasets.formats"])
PROMPTS = Registry("prompt", ["elva.datasets.benchmarks"])
VIDEO_READERS = Registry("video reader", ["elva.datasets.readers"])
FRAME_SAMPLERS = Registry("frame sampler", ["elva.datasets.sampling"])
RESOLUTION_SCHEDULERS = Registry("resolution scheduler", ["elva.datasets.sampling"])
TOKENIZERS = Registry("video tokenizer", ["elva.models.tokenizers"])
REDUCERS = Registry("token reducer", ["elva.models.reducers"])
MERGERS = Registry("merger", ["elva.models.mergers"])
ATTENTIONS = Registry("attention", ["elva.models.attention"])
TEACHERS = Registry("teacher", ["elva.models.teachers"])
SUPERVISORS = Registry("supervisor", ["elva.models.supervisors"])
LLMS = Registry("language model", ["elva.models.llms"])


def all_registries() -> Iterator[Registry]:
    """Every registry of ELVA, in the order of this file."""
    return (value for value in list(globals().values()) if isinstance(value, Registry))


def register_all_modules() -> None:
    """Import every component of ELVA, and make ``elva`` the default scope (for scripts that run without a Runner)."""
    for registry in all_registries():
        for location in registry._locations:
            importlib.import_module(location)
    if DefaultScope.get_current_instance() is None:
        DefaultScope.get_instance(SCOPE, scope_name=SCOPE)


@contextmanager
def elva_scope() -> Iterator[None]:
    """Within it, MMEngine's own ``build`` finds ELVA's components (for notebooks and tests)."""
    with DefaultScope.overwrite_default_scope(SCOPE):
        yield
