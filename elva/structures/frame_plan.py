"""What is known of a video before it is decoded, and which of its frames are wanted at which size."""

from dataclasses import dataclass, replace

from torch import Tensor


@dataclass(frozen=True)
class VideoMeta:
    """A video's metadata, read from the container without decoding a frame.

    Attributes:
        path: The file or frame folder.
        duration: Seconds from the first frame's time to the end of the last frame.
        fps: Mean frames per second; 0 for a still image.
        height: Rows of an upright frame (rotation metadata applied).
        width: Columns of an upright frame.
        start: Presentation time of the first frame in seconds; frame times below are measured from it.
        codec: The codec's name, or ``'image'``.
    """

    path: str
    duration: float
    fps: float
    height: int
    width: int
    start: float = 0.0
    codec: str = ""


@dataclass(frozen=True)
class FramePlan:
    """Which frames of one video to read, and the size of each.

    Attributes:
        seconds: (T,) times in seconds since the first frame, non-decreasing. A reader returns the frame shown at each.
        sizes: (T,) pairs ``(height, width)`` in pixels after resizing; empty until a resolution scheduler assigns them.
    """

    seconds: tuple[float, ...]
    sizes: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if self.sizes and len(self.sizes) != len(self.seconds):
            raise ValueError(f"FramePlan: {len(self.seconds)} times but {len(self.sizes)} sizes")

    def __len__(self) -> int:
        return len(self.seconds)

    def groups(self) -> dict[tuple[int, int], list[int]]:
        """Frame indices of each distinct size, in the order in which the sizes first appear."""
        groups: dict[tuple[int, int], list[int]] = {}
        for index, size in enumerate(self.sizes):
            groups.setdefault(size, []).append(index)
        return groups


@dataclass(frozen=True)
class Clip:
    """A decoded video: its plan, and its frames grouped by size.

    Attributes:
        plan: With sizes assigned.
        pixels: One tensor (T_g, 3, H_g, W_g) for each entry of ``plan.groups()``, in that order: uint8 RGB as read,
            floating point once the data preprocessor normalised it.
        path: Where the video came from, for messages and for caches.
    """

    plan: FramePlan
    pixels: tuple[Tensor, ...]
    path: str = ""

    def __post_init__(self) -> None:
        expected = [(len(frames), 3, *size) for size, frames in self.plan.groups().items()]
        actual = [tuple(p.shape) for p in self.pixels]
        if expected != actual:
            raise ValueError(f"Clip of {self.path or 'unnamed video'}: plan needs frames {expected}, got {actual}")

    def map(self, function) -> "Clip":  # type: ignore[no-untyped-def]
        """The same clip with ``function`` applied to each group of pixels."""
        return replace(self, pixels=tuple(function(p) for p in self.pixels))
