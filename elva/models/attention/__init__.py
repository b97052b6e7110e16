"""Attention kernels behind one signature, and the mask and view that go with them."""

from .eager import attention_weights, eager
from .mask import AttnMask
from .sdpa import sdpa
from .view import AttnView

__all__ = ["AttnMask", "AttnView", "attention_weights", "eager", "sdpa"]
