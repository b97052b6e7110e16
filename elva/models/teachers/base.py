"""What every teacher promises."""

from abc import abstractmethod

from torch import Tensor, nn


class Teacher(nn.Module):
    """A frozen model of single frames whose features guide the student.

    Attributes:
        channels: Width Ct of its features.
        image_size: Side in pixels of the square frames that it takes.
        identity: What its features depend on, in words; part of the key under which they are kept on disk.
    """

    channels: int
    image_size: int
    identity: str

    @abstractmethod
    def forward(self, frames_VTCHW: Tensor) -> Tensor:
        """Features (V, T, h, w, Ct) of frames (V, T, 3, S, S), RGB in [0, 1]; no gradient is recorded."""
