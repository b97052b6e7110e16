"""Attention kernels behind one signature, and the mask and view that go with them."""

from .auto import auto
from .base import Attention
from .eager import attention_weights, eager
from .flex import flex
from .mask import AttnMask
from .sdpa import sdpa
from .view import AttnView
from .xformers import xformers

__all__ = ["Attention", "AttnMask", "AttnView", "attention_weights", "auto", "eager", "flex", "sdpa", "xformers"]
