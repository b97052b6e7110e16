"""One sample as the model gets it: frames, times, sizes, text, what of it is learned, and how many tokens it makes.

Legend: T frames, Lt text ids, H rows, W columns.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from elva.datasets.item_dataset import ItemDataset
from elva.datasets.transforms import TokenizeConversation
from elva.models.tokenizers import VideoTokenizer
from elva.models.tokenizers.layout import LayoutSpec, unit_length, units_of
from elva.structures import Clip, FramePlan
from elva.utils.text_tokenizer import VIDEO_PAD, load_text_tokenizer


@dataclass(frozen=True)
class Unit:
    """Frames that share their tokens.

    Attributes:
        frames: Their numbers in the clip.
        tokens: How many tokens they make.
    """

    frames: tuple[int, ...]
    tokens: int


@dataclass(frozen=True)
class VideoView:
    """A video of a sample.

    Attributes:
        path: The file.
        frames: T arrays (H, W, 3) uint8.
        seconds: (T,) the frames' true times.
        units: Frames and tokens of each temporal unit; empty if the tokenizer does not tell them apart.
        made: Tokens that the tokenizer makes of it; None without a model.
        entering: Tokens that enter the language model, behind the reducers; None without a model.
    """

    path: str
    frames: list[np.ndarray]
    seconds: tuple[float, ...]
    units: tuple[Unit, ...] = ()
    made: int | None = None
    entering: int | None = None

    def words(self) -> str:
        """``'8 frames, 84 tokens'``."""
        parts = [_counted(len(self.frames), "frame")]
        if self.made is not None:
            left = f", {self.entering} of them left by the reducers" if self.entering != self.made else ""
            parts.append(f"{self.made} tokens{left}")
        return ", ".join(parts)


@dataclass(frozen=True)
class Piece:
    """A stretch of text: whole characters, so a token or a few.

    Attributes:
        text: As the text tokenizer decodes it.
        ids: Its token ids.
        learned: Whether the loss is on it.
        video: Number of the video that it stands for; None for text.
    """

    text: str
    ids: tuple[int, ...]
    learned: bool
    video: int | None = None


@dataclass(frozen=True)
class SampleView:
    """A sample.

    Attributes:
        index: Its number in the data set.
        id: Its id.
        where: Its file and line or row.
        error: Why it cannot be used; empty if it can.
        videos: Its videos.
        pieces: Its text.
        answer: The reference answer, where it is not part of the text (testing).
    """

    index: int
    id: str
    where: str
    error: str = ""
    videos: tuple[VideoView, ...] = ()
    pieces: tuple[Piece, ...] = ()
    answer: str = ""

    @property
    def text_rows(self) -> int:
        """Rows of text in the language model."""
        return sum(len(piece.ids) for piece in self.pieces if piece.video is None)

    @property
    def learned(self) -> int:
        """Ids that the loss is on."""
        return sum(len(piece.ids) for piece in self.pieces if piece.learned)

    @property
    def rows(self) -> int | None:
        """Rows that enter the language model; None without a model."""
        visual = [video.entering for video in self.videos]
        return None if None in visual else self.text_rows + sum(number or 0 for number in visual)

    def words(self) -> str:
        """Its numbers in one line."""
        learned = f", {self.learned} of them learned" if self.learned else ""
        total = "" if self.rows is None else f"; {self.rows} rows in the language model"
        return f"{_counted(len(self.videos), 'video')}, {self.text_rows} text tokens{learned}{total}"


def view_sample(
    dataset: ItemDataset,
    index: int,
    tokenizer: VideoTokenizer | None = None,
    count: Callable[[FramePlan], int] | None = None,
) -> tuple[SampleView, dict[str, Any] | None]:
    """Run a sample through its pipeline.

    Args:
        dataset: The data set.
        index: The sample's number.
        tokenizer: Of the model; it is asked for numbers alone. Default: tokens are not counted.
        count: Gives the tokens of a plan that enter the language model. Default: all that the tokenizer makes.

    Returns:
        What there is to see, and what the pipeline gave (None for a sample that cannot be used).
    """
    try:
        sample = dataset.run(dataset.raw(index))
    except ValueError as error:
        known = dataset.blank(index)
        return SampleView(index, known["id"], dataset.where(index), str(error)), None
    inputs, about = sample["inputs"], sample["data_samples"]
    videos = tuple(_video_view(clip, tokenizer, count) for clip in inputs["clips"])
    labels = inputs["labels"]
    pieces = tuple(_pieces(_text_path(dataset), inputs["input_ids"], labels))
    answer = about.answer if labels is None else ""
    return SampleView(index, about.id, dataset.where(index), "", videos, pieces, answer), sample


def _text_path(dataset: ItemDataset) -> str:
    for step in dataset.transforms:
        if isinstance(step, TokenizeConversation):
            return step.path
    raise ValueError(f"{dataset.source}: its pipeline has no TokenizeConversation: there is no text to show")


def _video_view(clip: Clip, tokenizer: VideoTokenizer | None, count: Callable[[FramePlan], int] | None) -> VideoView:
    frames = _frames(clip)
    if tokenizer is None:
        return VideoView(clip.path, frames, clip.plan.seconds)
    made = tokenizer.count(clip.plan)
    return VideoView(
        clip.path, frames, clip.plan.seconds, _units(clip.plan, tokenizer), made, count(clip.plan) if count else made
    )


def _frames(clip: Clip) -> list[np.ndarray]:
    """The frames in the order of time."""
    frames: dict[int, np.ndarray] = {}
    for pixels, numbers in zip(clip.pixels, clip.plan.groups().values(), strict=True):
        frames |= dict(zip(numbers, pixels.permute(0, 2, 3, 1).numpy(), strict=True))
    return [frames[number] for number in range(len(clip.plan))]


def _units(plan: FramePlan, tokenizer: VideoTokenizer) -> tuple[Unit, ...]:
    """The tokens of each temporal unit, where tokens belong to one."""
    spec = getattr(tokenizer, "spec", None)
    if not isinstance(spec, LayoutSpec):
        return ()
    return tuple(Unit(unit.frames, unit_length(unit.grid, spec)) for unit in units_of(plan.sizes, spec))


def _pieces(path: str, ids: Tensor, labels: Tensor | None) -> Iterator[Piece]:
    """The text in pieces of whole characters; a byte-level token may be a part of one."""
    tokenizer = load_text_tokenizer(path)
    pad = tokenizer.convert_tokens_to_ids(VIDEO_PAD)
    learned = [False] * len(ids) if labels is None else (labels >= 0).tolist()
    videos, open_ids = 0, list[int]()
    for number, token in enumerate(ids.tolist()):
        if token == pad:
            yield Piece(VIDEO_PAD, (token,), learned[number], videos)
            videos += 1
            continue
        open_ids.append(token)
        text = tokenizer.decode(open_ids)
        last = number + 1 == len(ids) or learned[number + 1] != learned[number] or int(ids[number + 1]) == pad
        if last or not text.endswith(_INCOMPLETE) or len(open_ids) == _LONGEST_CHARACTER:
            yield Piece(text, tuple(open_ids), learned[number])
            open_ids = []


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


_INCOMPLETE = "\ufffd"
_LONGEST_CHARACTER = 4
"""Bytes of UTF-8."""


def evenly(length: int, number: int) -> Sequence[int]:
    """``number`` of ``length`` places, spread over all of them, rising."""
    return sorted({int(place) for place in np.linspace(0, length - 1, min(number, length)).round()})
