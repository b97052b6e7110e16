"""What one MovingShapes clip shows: shapes, how they move, and the ground behind them.

Lengths are in pixels, times in frames, x to the right, y downwards.
"""

from dataclasses import dataclass

import numpy as np

COLOURS = {
    "red": (228, 40, 40),
    "green": (40, 185, 60),
    "blue": (55, 75, 240),
    "yellow": (242, 220, 45),
    "purple": (200, 60, 215),
    "cyan": (60, 215, 225),
}
"""Colours that stay apart after 4:2:0 chroma subsampling at 10 pixels."""

KINDS = ("circle", "square", "triangle", "cross")
DIRECTIONS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}
COUNTS = ("one", "two", "three", "four")


@dataclass(frozen=True)
class Shape:
    """One shape in uniform motion.

    Attributes:
        colour: A key of ``COLOURS``.
        kind: One of ``KINDS``.
        radius: Half its extent.
        start: Centre (x, y) at frame 0; outside the picture for a shape that enters later.
        velocity: (x, y) per frame; zero for a shape that stands still.
        direction: A key of ``DIRECTIONS``, or ``''`` for a shape that stands still.
    """

    colour: str
    kind: str
    radius: float
    start: tuple[float, float]
    velocity: tuple[float, float] = (0.0, 0.0)
    direction: str = ""

    @property
    def name(self) -> str:
        """Such as ``'red circle'``."""
        return f"{self.colour} {self.kind}"

    def centres(self, frames: int) -> np.ndarray:
        """(frames, 2) its centre in each frame."""
        return np.array(self.start) + np.arange(frames)[:, None] * np.array(self.velocity)


@dataclass(frozen=True)
class Scene:
    """Everything that one clip shows.

    Attributes:
        still: Shapes that stand still.
        movers: One moving shape; or two, which enter from outside, in the order in which they do.
        size: Height and width of the clip.
        frames: Length of the clip.
        noise_seed: Of the ground and its noise.
    """

    still: tuple[Shape, ...]
    movers: tuple[Shape, ...]
    size: int
    frames: int
    noise_seed: int

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """All of them, in the order in which they are drawn: movers on top."""
        return self.still + self.movers

    def clearest_frame(self) -> int:
        """The frame in which the movers are farthest from the other shapes: the one to take as a still image."""
        if not self.still:
            return self.frames // 2
        return int(np.argmax(_clearance(_tracks(self.movers, self.frames), self.still)))


@dataclass(frozen=True)
class Labels:
    """What a scene must show; drawn evenly over a split, so that no answer is likelier than another.

    Attributes:
        colour: Of the (first) mover.
        kind: Of the (first) mover.
        direction: Of the (first) mover.
        count: Shapes in all.
        ordered: Whether two movers enter one after the other.
        named_first: Whether the question about them names the one that enters first before the other.
    """

    colour: str
    kind: str
    direction: str
    count: int
    ordered: bool
    named_first: bool


def draw_scene(labels: Labels, size: int, frames: int, rng: np.random.Generator) -> Scene:
    """Return a random scene that shows ``labels``; positions, sizes, speeds and the other shapes are random."""
    colours = [c for c in COLOURS if c != labels.colour]
    rng.shuffle(colours)
    movers: tuple[Shape, ...]
    if labels.ordered:
        kind = str(rng.choice([k for k in KINDS if k != labels.kind]))
        movers = _entering_pair(labels, (colours.pop(), kind), size, frames, rng)
    else:
        movers = (_passing(labels, size, frames, rng),)
    still: list[Shape] = []
    tracks = _tracks(movers, frames)
    for _ in range(labels.count - len(movers)):
        colour, kind = colours.pop(), str(rng.choice(KINDS))
        still.append(_stand(colour, kind, still, tracks, movers, size, rng))
    return Scene(tuple(still), movers, size, frames, int(rng.integers(2**31)))


def _radius(size: int, rng: np.random.Generator) -> float:
    return size * rng.uniform(0.14, 0.18)


def _passing(labels: Labels, size: int, frames: int, rng: np.random.Generator) -> Shape:
    """A mover that stays inside the picture from the first frame to the last."""
    radius = _radius(size, rng)
    axis = np.array(DIRECTIONS[labels.direction], float)
    travel = size * rng.uniform(0.4, 0.6)
    reach = np.full(2, radius) + np.abs(axis) * travel / 2
    middle = rng.uniform(reach, size - reach)
    start = middle - axis * travel / 2
    velocity = axis * travel / max(frames - 1, 1)
    return Shape(labels.colour, labels.kind, radius, _pair(start), _pair(velocity), labels.direction)


def _entering_pair(
    labels: Labels, other: tuple[str, str], size: int, frames: int, rng: np.random.Generator
) -> tuple[Shape, Shape]:
    """Two movers that start outside; the second enters at least a third of the clip after the first."""
    enter = rng.uniform(0.0, 0.1) * frames
    first_lane, second_lane = rng.permutation([rng.uniform(0.2, 0.35), rng.uniform(0.65, 0.8)])
    direction = str(rng.choice(list(DIRECTIONS)))
    first = _entering(labels.colour, labels.kind, labels.direction, first_lane, enter, size, frames, rng)
    enter += rng.uniform(0.35, 0.5) * frames
    return first, _entering(*other, direction, second_lane, enter, size, frames, rng)


def _entering(
    colour: str,
    kind: str,
    direction: str,
    lane: float,
    enter: float,
    size: int,
    frames: int,
    rng: np.random.Generator,
) -> Shape:
    """A mover whose edge touches the picture at time ``enter``, on the ``lane`` (share of the picture's side)."""
    radius = _radius(size, rng)
    axis = np.array(DIRECTIONS[direction], float)
    speed = size * rng.uniform(0.8, 1.15) / frames
    touch = size / 2 - axis * (size / 2 + radius)
    touch = np.where(axis == 0, lane * size, touch)
    return Shape(colour, kind, radius, _pair(touch - axis * speed * enter), _pair(axis * speed), direction)


def _stand(
    colour: str,
    kind: str,
    still: list[Shape],
    tracks: np.ndarray,
    movers: tuple[Shape, ...],
    size: int,
    rng: np.random.Generator,
) -> Shape:
    """A still shape that overlaps no other at the start, and keeps out of the movers' way where there is room."""
    radius = _radius(size, rng)
    while True:
        centres = rng.uniform(radius, size - radius, (48, 2))
        gaps = [np.hypot(*(centres - other.start).T) - other.radius for other in (*still, *movers)]
        free = centres[np.min(gaps, axis=0) > radius + 1]
        if len(free):
            way = np.linalg.norm(free[:12, None, None] - tracks, axis=-1).min((1, 2))
            return Shape(colour, kind, radius, _pair(free[np.argmax(way)]))
        radius *= 0.95  # a crowded picture: smaller shapes always fit in the end


def _tracks(movers: tuple[Shape, ...], frames: int) -> np.ndarray:
    """(frames, movers, 2) the centres of the movers."""
    return np.stack([mover.centres(frames) for mover in movers], axis=1)


def _clearance(tracks: np.ndarray, still: tuple[Shape, ...]) -> np.ndarray:
    """(frames,) the least distance between a mover and a still shape."""
    places = np.array([shape.start for shape in still])
    return np.linalg.norm(tracks[:, :, None] - places, axis=-1).min((1, 2))


def _pair(values: np.ndarray) -> tuple[float, float]:
    return float(values[0]), float(values[1])
