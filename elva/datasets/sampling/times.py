"""What the samplers share: how many frames a video has, and times spread evenly over them."""

from elva.structures import VideoMeta


def frame_count(meta: VideoMeta) -> int:
    """Frames of a video, from its duration and mean rate; at least 1, which is a still image's count."""
    return max(1, round(meta.duration * meta.fps))


def spread(meta: VideoMeta, count: int) -> tuple[float, ...]:
    """``count`` times from the first frame to the last one, both included; fewer if the video has fewer frames.

    In a video of N frames at a steady rate these are the frames ``floor(i * (N - 1) / (count - 1))``. A single time is
    that of the first frame.
    """
    frames = frame_count(meta)
    count = min(count, frames)
    if count == 1:
        return (0.0,)
    return tuple(index * (frames - 1) / (count - 1) / meta.fps for index in range(count))


def check_positive(owner: str, **values: float) -> None:
    """Raise ``ValueError`` if one of ``values`` is not above 0; ``owner`` is the component's name."""
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"{owner}: {name} must be above 0, got {value}")
