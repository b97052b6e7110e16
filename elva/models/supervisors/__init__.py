"""Supervisors: losses that guide the visual hidden states by a teacher's features."""

from .base import Supervisor
from .frame_contrast import FrameContrast
from .tube_alignment import TubeAlignment

__all__ = ["FrameContrast", "Supervisor", "TubeAlignment"]
