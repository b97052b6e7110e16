"""Training with weights, gradients and optimizer state divided over the processes (torch's FSDP2, ``fully_shard``)."""

import time
from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from typing import Any

import torch
from mmengine._strategy import DDPStrategy
from mmengine.device import get_device
from mmengine.dist import barrier, get_world_size, is_distributed, is_main_process
from mmengine.model import BaseDataPreprocessor
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

from elva.registry import STRATEGIES
from elva.utils.checkpoint import save_checkpoint

_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True, strict=False)
_EXTRAS = ("base_param_settings", "loss_scaler")


@STRATEGIES.register_module()
class FSDP2Strategy(DDPStrategy):
    """``strategy=dict(type='FSDP2Strategy')`` with ``tools/dist_train.sh``; the rest of the config stays as it is.

    Each process holds 1/n of every weight, gradient and moment; a unit's weights are gathered while it computes. A
    checkpoint has whole tensors under the names of the undivided model: any number of processes resumes from it, and
    ``tools/test.py`` and the next stage load it. Each process builds the model on the CPU before it is divided.

    It trains only: generating takes a different number of steps in each process, which would wait for each other.

    Args:
        units: Patterns of the names of the modules to gather one at a time; they must be modules that are called. What
            is in none is gathered for the whole forward pass. Default: attention and MLP of ``HFDecoder``'s layers.
        param_dtype: ``'bfloat16'`` (needs ``MixedPrecisionOptimWrapper``) or ``'float32'``: in what weights are
            gathered. Gradients are summed, and weights are kept, in their own dtype. Default: bfloat16.
        **kwargs: What the runner gives: work dir, environment, log.

    Raises:
        ValueError: If it is used without several processes' launcher, to test, with a pattern that nothing matches,
            with an optimizer wrapper that does not go with ``param_dtype``, or if a parameter has no dimension.
    """

    def __init__(
        self,
        *,
        units: Sequence[str] = ("llm.model.model.layers.*.self_attn", "llm.model.model.layers.*.mlp"),
        param_dtype: str = "bfloat16",
        **kwargs: Any,
    ) -> None:
        if param_dtype not in ("bfloat16", "float32"):
            raise ValueError(f"strategy.param_dtype is '{param_dtype}'; it must be 'bfloat16' or 'float32'.")
        super().__init__(**kwargs)
        if not is_distributed():
            raise ValueError(
                "FSDP2Strategy divides a model over processes: start with --launcher pytorch or slurm, or leave it out "
                "with --cfg-options strategy=None."
            )
        self.units, self.param_dtype = tuple(units), param_dtype

    def prepare(self, model: nn.Module | dict[str, Any], **kwargs: Any) -> Any:
        """Build and divide the model, and build what trains it."""
        wrapper = kwargs.get("optim_wrapper")
        if wrapper is None:
            raise ValueError("FSDP2Strategy only trains; test or evaluate with --cfg-options strategy=None.")
        casts = isinstance(wrapper, dict) and wrapper.get("type") == "MixedPrecisionOptimWrapper"
        dtype = wrapper.get("dtype", "bfloat16") if casts else "float32"
        if dtype != self.param_dtype:
            raise ValueError(
                f"strategy.param_dtype is '{self.param_dtype}' but optim_wrapper computes in {dtype}: make them agree "
                "(optim_wrapper.type='MixedPrecisionOptimWrapper' computes in bfloat16)."
            )
        return super().prepare(model, **kwargs)

    def _wrap_model(self, model: nn.Module) -> nn.Module:
        modules = dict(model.named_modules())
        for module in modules.values():
            if isinstance(module, BaseDataPreprocessor):
                module.to(get_device())  # it remembers where it sends the data
        scalars = [name for name, parameter in model.named_parameters() if parameter.dim() == 0]
        if scalars:
            raise ValueError(f"FSDP2Strategy cannot divide {', '.join(scalars)}: make it a tensor of shape (1,).")
        mesh = init_device_mesh(get_device(), (get_world_size(),))
        # Inputs are not cast: positions and ranks above 256 would be rounded in bfloat16. Autocast casts what may be.
        policy = MixedPrecisionPolicy(getattr(torch, self.param_dtype), torch.float32, cast_forward_inputs=False)
        for pattern in self.units:
            matching = [module for name, module in modules.items() if fnmatch(name, pattern)]
            if not matching:
                raise ValueError(f"strategy.units: no module of {type(model).__name__} is called '{pattern}'.")
            for module in matching:
                fully_shard(module, mesh=mesh, mp_policy=policy)
        fully_shard(model, mesh=mesh, mp_policy=policy)
        return model

    def model_state_dict(self) -> dict[str, Any]:
        """Whole weights, on the CPU of the main process; empty elsewhere. Every process must call it."""
        return get_model_state_dict(self.model, options=_WHOLE)

    def optim_state_dict(self) -> dict[str, Any]:
        """Whole optimizer state by the parameters' names, likewise."""
        extras = {key: value for key, value in self.optim_wrapper.state_dict().items() if key in _EXTRAS}
        return get_optimizer_state_dict(self.model, self.optim_wrapper.optimizer, options=_WHOLE) | extras

    def load_model_state_dict(self, state_dict: dict[str, Any], **_: Any) -> None:
        """Take this process's share of whole weights."""
        set_model_state_dict(self.model, dict(state_dict), options=_WHOLE)

    def load_optim_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take this process's share of a whole optimizer state.

        Raises:
            ValueError: If it was saved without this strategy, by the parameters' numbers instead of names.
        """
        if any(not isinstance(key, str) for key in state_dict["state"]):
            raise ValueError(
                "The checkpoint was saved without FSDP2Strategy, and its optimizer cannot be divided: resume without "
                "the strategy, or start anew from its weights (load_from)."
            )
        whole = {key: value for key, value in state_dict.items() if key not in _EXTRAS}
        set_optimizer_state_dict(self.model, self.optim_wrapper.optimizer, whole, options=_WHOLE)

    def load_checkpoint(self, filename: str, **kwargs: Any) -> dict[str, Any]:
        """Load into the CPU's memory (the file is mapped, and so shared by the processes of a machine)."""
        checkpoint: dict[str, Any] = super().load_checkpoint(filename, **{**kwargs, "map_location": "cpu"})
        return checkpoint

    def save_checkpoint(
        self,
        filename: str,
        *,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        extra_ckpt: dict[str, Any] | None = None,
        callback: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        """Gather in every process, write in the main one; see MMEngine's ``BaseStrategy``."""
        checkpoint = {"state_dict": self.model_state_dict(), **(extra_ckpt or {})}
        checkpoint["meta"] = {**checkpoint.get("meta", {}), "seed": self.seed, "time": time.strftime("%Y%m%d_%H%M%S")}
        if save_optimizer:
            checkpoint["optimizer"] = self.optim_state_dict()
        if save_param_scheduler and hasattr(self, "param_schedulers"):
            checkpoint["param_schedulers"] = self.scheduler_state_dict()
        if callback is not None:
            callback(checkpoint)
        if is_main_process():
            save_checkpoint(checkpoint, filename)
        barrier()  # who runs on, and perhaps ends, takes the process group away from who still writes
