"""Validation and test in the precision of training."""

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.hooks import Hook

from elva.engine.optimizers.mixed_precision import MixedPrecisionOptimWrapper, autocast_dtype
from elva.registry import HOOKS


@HOOKS.register_module()
class EvaluationPrecisionHook(Hook):
    """Run ``val_step`` and ``test_step`` under the autocast of ``MixedPrecisionOptimWrapper``, if training has it.

    MMEngine's loops know an ``fp16`` switch alone, which means float16 on a GPU and bfloat16 on a CPU.
    """

    def before_run(self, runner: Any) -> None:
        """Wrap the two steps of this runner's model, once."""
        device_type = get_device()
        dtype = evaluation_dtype(runner.cfg, device_type)
        if dtype is None:
            return
        for name in ("val_step", "test_step"):
            step = getattr(runner.model, name)
            if not hasattr(step, "__wrapped__"):
                setattr(runner.model, name, torch.autocast(device_type, dtype)(step))


def evaluation_dtype(cfg: Mapping[str, Any], device_type: str) -> torch.dtype | None:
    """What a config's model is to be evaluated in under autocast: what it is trained in; None without any."""
    wrapper = cfg.get("optim_wrapper") or {}
    if wrapper.get("type") not in ("MixedPrecisionOptimWrapper", MixedPrecisionOptimWrapper):
        return None
    return autocast_dtype(wrapper.get("dtype", "bfloat16"), device_type)
