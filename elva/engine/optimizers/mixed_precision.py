"""Mixed precision on GPU and CPU; MMEngine's ``AmpOptimWrapper`` refuses a CPU."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
from torch import Tensor, nn

from elva.registry import OPTIM_WRAPPERS

DTYPES = {"bfloat16": torch.bfloat16, "float16": torch.float16}


@OPTIM_WRAPPERS.register_module()
class MixedPrecisionOptimWrapper(OptimWrapper):
    """Forward under ``torch.autocast``; weights, gradients and the optimizer's state stay as they are.

    bfloat16 has float32's range and needs no loss scaling. float16 is scaled dynamically, and needs a GPU.
    ``EvaluationPrecisionHook`` runs validation and test in the same dtype.

    Args:
        dtype: ``'bfloat16'`` or ``'float16'``. Default: bfloat16.
        **kwargs: ``optimizer``, ``accumulative_counts``, ``clip_grad`` of MMEngine's ``OptimWrapper``.

    Raises:
        ValueError: If the dtype is unknown, or float16 without a GPU.
    """

    def __init__(self, dtype: str = "bfloat16", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.device_type = get_device()
        self.dtype = autocast_dtype(dtype, self.device_type)
        self.loss_scaler = torch.amp.GradScaler(self.device_type, enabled=self.dtype is torch.float16)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast, and no gradient exchange between steps that only accumulate."""
        with super().optim_context(model), torch.autocast(self.device_type, self.dtype):
            yield

    def backward(self, loss: Tensor, **kwargs: Any) -> None:
        """Back-propagate the scaled loss."""
        super().backward(self.loss_scaler.scale(loss), **kwargs)

    def step(self, **kwargs: Any) -> None:
        """Unscale, clip, step; a float16 step whose gradients overflowed is left out."""
        if self.clip_grad_kwargs:
            self.loss_scaler.unscale_(self.optimizer)
            self._clip_grad()
        self.loss_scaler.step(self.optimizer, **kwargs)
        self.loss_scaler.update()

    def state_dict(self) -> dict[str, Any]:
        """The optimizer's state and the scaler's (empty with bfloat16)."""
        return {**super().state_dict(), "loss_scaler": self.loss_scaler.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore both; a checkpoint of a run without mixed precision has no scaler's state."""
        scaler = state_dict.pop("loss_scaler", {})
        if scaler and self.loss_scaler.is_enabled():
            self.loss_scaler.load_state_dict(scaler)
        super().load_state_dict(state_dict)


def autocast_dtype(name: str, device_type: str) -> torch.dtype:
    """The dtype called ``name``, if ``device_type`` can compute in it.

    Raises:
        ValueError: If it is unknown, or float16 on a CPU.
    """
    if name not in DTYPES:
        raise ValueError(f"optim_wrapper.dtype is '{name}'; it must be one of {', '.join(DTYPES)}.")
    if name == "float16" and device_type != "cuda":
        raise ValueError(f"optim_wrapper.dtype 'float16' needs a GPU and not a {device_type}: use 'bfloat16'.")
    return DTYPES[name]
