"""Strategies of MMEngine's FlexibleRunner, which a config's ``strategy`` asks for."""

from .fsdp2 import FSDP2Strategy

__all__ = ["FSDP2Strategy"]
