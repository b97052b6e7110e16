"""How rotation metadata turn a frame."""

from av.video.frame import VideoFrame


def quarter_turns(frame: VideoFrame) -> int:
    """How many counter-clockwise quarter turns make the frame upright."""
    return round(frame.rotation / 90) % 4


def upright_size(frame: VideoFrame) -> tuple[int, int]:
    """Height and width of the frame once it is upright."""
    return (frame.width, frame.height) if quarter_turns(frame) % 2 else (frame.height, frame.width)
