"""What every attention kernel is, and how one says that another does its work.

Legend: B batch, H heads, G key/value heads, Q query rows, K key rows, D head width.
"""

from collections.abc import Callable
from functools import cache
from typing import Protocol, TypeVar

from mmengine.logging import MMLogger
from torch import Tensor

from .mask import AttnMask


class Attention(Protocol):
    """Attention of queries over keys and values under an :class:`AttnMask`.

    Attributes:
        devices: Types of the devices that it runs on.
        trains_on: Those on which it has a backward pass.
    """

    devices: tuple[str, ...]
    trains_on: tuple[str, ...]

    def __call__(
        self, q_BHQD: Tensor, k_BGKD: Tensor, v_BGKD: Tensor, mask: AttnMask, scale: float, dropout: float = 0.0
    ) -> Tensor:
        """(B, H, Q, D); arguments as in :func:`elva.models.attention.sdpa.sdpa`."""


F = TypeVar("F", bound=Callable[..., Tensor])


def runs_on(*devices: str, trains_on: tuple[str, ...] | None = None) -> Callable[[F], F]:
    """Decorate an attention function with what it promises.

    Args:
        devices: Types of the devices that it runs on.
        trains_on: Those on which it has a backward pass. Default: all of them.
    """

    def mark(function: F) -> F:
        vars(function).update(devices=devices, trains_on=devices if trains_on is None else trains_on)
        return function

    return mark


@cache
def say_once(message: str, warn: bool = True) -> None:
    """Put ``message`` into the log the first time that it is said."""
    logger = MMLogger.get_current_instance()
    (logger.warning if warn else logger.info)(message)
