"""Refuses a checkpoint that does not belong to the model, which MMEngine loads as far as it goes."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import BaseLoop
from torch import Tensor, nn

from elva.registry import HOOKS


@HOOKS.register_module()
class CheckpointGuardHook(Hook):
    """Compare a checkpoint's weights with the model's before they are loaded.

    A model says which of its parts may be absent on either side: ``optional_prefixes = ('supervisors.', 'teacher.')``
    (stage 3 has no supervisor and starts from a stage 2 that has). Parts in its ``new_prefixes`` may be absent from the
    checkpoint that a training starts from, and are trained from scratch; not from one that is tested or resumed.

    Raises:
        ValueError: In ``after_load_checkpoint``, if weights are missing, left over, or of another shape.
    """

    priority = "VERY_HIGH"  # before a hook acts on weights that do not fit

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Check ``checkpoint['state_dict']`` (or the bare state dict) against ``runner.model``."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        starts = isinstance(runner._train_loop, BaseLoop) and not runner._resume
        new = getattr(model, "new_prefixes", ()) if starts else ()
        check_weights(model, checkpoint, runner._load_from or f"to resume from in {runner.work_dir}", new)


def check_weights(
    model: nn.Module, checkpoint: Mapping[str, Any], source: str, new: Iterable[str] = ()
) -> dict[str, Tensor]:
    """Return the weights in ``checkpoint``, under the names that ``model`` has for them.

    Args:
        model: Its ``optional_prefixes``, if it has any, begin the names that may be absent on either side.
        checkpoint: With ``state_dict``, or a bare state dict.
        source: Of the checkpoint, for the message.
        new: Prefixes of names that may be absent from the checkpoint. Default: none.

    Raises:
        ValueError: If weights are missing, left over, or of another shape.
    """
    weights = {re.sub(r"^module\.", "", name): w for name, w in checkpoint.get("state_dict", checkpoint).items()}
    problems = mismatches(model.state_dict(), weights, getattr(model, "optional_prefixes", ()), new)
    if problems:
        raise ValueError(
            f"The checkpoint {source} does not fit the model of this config ({type(model).__name__}). "
            f"{' '.join(problems)} Check that it was trained with this config's model (width, depth, vocabulary, "
            "tokenizer), and that load_from names the stage before."
        )
    return weights


def mismatches(
    ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor], optional: Iterable[str], new: Iterable[str] = ()
) -> list[str]:
    """Sentences on what differs between the weights of a model and those of a checkpoint; none if they fit.

    Args:
        ours: The model's state dict.
        theirs: The checkpoint's.
        optional: Prefixes of names that may be absent on either side.
        new: Prefixes of names that may be absent from the checkpoint. Default: none.
    """
    optional = tuple(optional)
    missing = [name for name in ours if name not in theirs and not name.startswith((*optional, *new))]
    left_over = [name for name in theirs if name not in ours and not name.startswith(optional)]
    other_shape = [
        f"{name} {tuple(theirs[name].shape)} where the model has {tuple(weight.shape)}"
        for name, weight in ours.items()
        if name in theirs and theirs[name].shape != weight.shape
    ]
    return [
        *_sentence("Missing in the checkpoint", missing),
        *_sentence("Unknown to the model", left_over),
        *_sentence("Of another shape", other_shape),
    ]


def _sentence(title: str, names: list[str], shown: int = 4) -> list[str]:
    more = f", and {len(names) - shown} more" if len(names) > shown else ""
    return [f"{title}: {', '.join(names[:shown])}{more}."] if names else []
