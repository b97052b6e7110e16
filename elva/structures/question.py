"""One question of a benchmark, as its files state it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True)
class Question:
    """A question about a video.

    Attributes:
        id: Unique in its benchmark.
        video: Path relative to the benchmark's folder.
        text: The question alone: no options, no instructions.
        answer: The reference answer of an open question; None where it is not published, and for multiple choice.
        options: Of multiple choice, without letters; of an open question, what could be answered, where that is known.
        correct: Which of ``options`` is right, from 0; None where it is not published, and for open questions.
        bounds: First and last second of the part of the video that is asked about. Default: all of it.
        alternatives: Of an open question: other answers that are as right as ``answer``.
        subtitles: Path of the subtitle file, relative to the benchmark's folder. Default: it has none.
        subtitles_from: Second of the subtitles' clock at which the video starts, where it was cut from a longer one.
            Default: 0.
        groups: What scores are reported by: name of the division to the question's part of it.
        cluster: Questions of one cluster are not independent of each other. Default: those about one video.
    """

    id: str
    video: str
    text: str
    answer: str | None = None
    options: tuple[str, ...] = ()
    correct: int | None = None
    bounds: tuple[float, float] | None = None
    alternatives: tuple[str, ...] = ()
    subtitles: str | None = None
    subtitles_from: float = 0.0
    groups: Mapping[str, str] = field(default_factory=dict)
    cluster: str = ""

    def __post_init__(self) -> None:
        if len(self.options) > len(LETTERS):
            raise ValueError(f"question '{self.id}': {len(self.options)} options are more than there are letters")
        if self.correct is not None and not 0 <= self.correct < len(self.options):
            raise ValueError(
                f"question '{self.id}': option {self.correct} of {len(self.options)} cannot be the right one"
            )

    @property
    def is_choice(self) -> bool:
        """Whether one of the options is to be chosen."""
        return bool(self.options) and self.answer is None

    @property
    def letters(self) -> str:
        """The options' letters, ``'ABCD'``."""
        return LETTERS[: len(self.options)]

    @property
    def reference(self) -> str | None:
        """What the answer is compared with: the right option's letter, or the open question's answer."""
        return self.answer if self.correct is None else self.letters[self.correct]

    def rotated(self, by: int) -> "Question":
        """The same question with its options moved ``by`` places forward, for circular evaluation."""
        count = len(self.options)
        options = tuple(self.options[(place - by) % count] for place in range(count))
        correct = None if self.correct is None else (self.correct + by) % count
        return replace(self, options=options, correct=correct)
