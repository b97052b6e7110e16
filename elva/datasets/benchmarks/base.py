"""What benchmarks share: files to check, questions to ask, and answers to compare with."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from elva.registry import PROMPTS
from elva.structures import Question
from elva.utils.digests import files_digest

from ..conversation import VIDEO_TAG
from ..item_dataset import ItemDataset, Transform
from ..take import taken
from ..transforms.load_video import LoadVideo
from .prompts import Prompt
from .subtitles import SUBTITLE_MODES, subtitled

VIDEO_SUFFIXES = (".mp4", ".MP4", ".mkv", ".webm", ".avi", ".mov")


@dataclass(frozen=True)
class Coverage:
    """Which of a benchmark's files are there.

    Attributes:
        videos: How many different videos its questions are about.
        missing: Paths of those that are not there, as the questions name them.
        questions: How many questions there are.
        unanswerable: How many of them are about a missing video.
    """

    videos: int
    missing: tuple[str, ...]
    questions: int
    unanswerable: int

    @property
    def share(self) -> float:
        """Share of the questions whose video is there."""
        return 1 - self.unanswerable / self.questions

    def words(self) -> str:
        """One line for people."""
        return (
            f"{len(self.missing)} of {self.videos} videos are missing: {self.questions - self.unanswerable} of "
            f"{self.questions} questions ({self.share:.2%}) can be asked"
        )


class Benchmark(ItemDataset):
    """Questions in a benchmark's published layout on disk, asked through a model's own pipeline.

    A child reads its files in ``load``; everything else is here. The text of the prompt is put behind ``LoadVideo``
    in the pipeline, since subtitles may depend on the frames that were chosen.

    Args:
        data_root: The benchmark's folder, in the layout in which it is published.
        pipeline: The model's test pipeline: ``LoadVideo``, ``TokenizeConversation(mode='test')``, ``PackSample``.
        prompt: Config of the prompt (``PROMPTS``). Default: the benchmark's own.
        subtitles: ``'none'``, ``'full'`` (all that is said), ``'frames'`` (what is said at the frames chosen) or
            ``'interleaved'`` (each line behind the frame that it follows). Default: ``'none'``.
        scoring: ``'generate'``: the answer is generated text, which a metric parses. ``'logits'``: of multiple choice,
            it is the option whose letter is the likeliest next token. Default: ``'generate'``.
        circular: Ask each multiple-choice question once for every rotation of its options. Default: False.
        take: Which questions are asked, see :func:`taken`. Default: ``'all'``.
        allow_missing: Ask what can be asked although videos are missing. Default: False.

    Raises:
        FileNotFoundError: If one of the benchmark's own files is missing; all of the missing ones are named.
        ValueError: If a file is not what it should be, or an argument is out of range.
    """

    default_prompt: ClassVar[dict[str, Any]] = {"type": "MultipleChoicePrompt"}
    """Config of the prompt that the benchmark is asked with unless told otherwise."""

    def __init__(
        self,
        data_root: str,
        pipeline: Sequence[dict[str, Any] | Transform] = (),
        prompt: dict[str, Any] | None = None,
        subtitles: str = "none",
        scoring: str = "generate",
        circular: bool = False,
        take: str = "all",
        allow_missing: bool = False,
    ) -> None:
        super().__init__(pipeline, mode="test")
        name = type(self).__name__
        if subtitles not in SUBTITLE_MODES:
            raise ValueError(f"{name}: subtitles must be one of {', '.join(SUBTITLE_MODES)}, got '{subtitles}'")
        if scoring not in ("generate", "logits"):
            raise ValueError(f"{name}: scoring must be 'generate' or 'logits', got '{scoring}'")
        self.root = Path(data_root)
        self.prompt_config = dict(prompt or self.default_prompt)
        self.prompt: Prompt = PROMPTS.build(self.prompt_config)
        self.subtitles, self.scoring, self.circular = subtitles, scoring, circular
        self.allow_missing = allow_missing
        self.take = take
        self._check_files()
        questions = self.load()
        self.questions = [questions[index] for index in taken(len(questions), take)]
        self._asked = [(number, by) for number, q in enumerate(self.questions) for by in self._rotations(q)]

    @abstractmethod
    def annotation_files(self) -> list[str]:
        """Paths of the files that ``load`` reads, relative to the benchmark's folder."""

    @abstractmethod
    def load(self) -> list[Question]:
        """Return the questions, in their published order. Every one of ``annotation_files`` is there."""

    def verify(self) -> Coverage:
        """Look which videos (and subtitles, if they are used) are there."""
        videos = {question.video: (self.root / question.video).exists() for question in self.questions}
        unanswerable = sum(not videos[question.video] for question in self.questions)
        missing = tuple(sorted(video for video, there in videos.items() if not there))
        return Coverage(len(videos), missing, len(self.questions), unanswerable)

    def protocol(self) -> dict[str, Any]:
        """What decides the answers beside the model: everything that must be told with a score."""
        return {
            "benchmark": type(self).__name__,
            "files": files_digest(self.root, self.annotation_files()),
            "questions": len(self.questions),
            "take": self.take,
            "prompt": self.prompt_config,
            "subtitles": self.subtitles,
            "scoring": self.scoring,
            "circular": self.circular,
            "clip_bounds": any(question.bounds is not None for question in self.questions),
        }

    def __len__(self) -> int:
        return len(self._asked)

    @property
    def source(self) -> str:
        return str(self.root)

    def where(self, index: int) -> str:
        return f"{self.root}: question '{self.question(index).id}'"

    def id(self, index: int) -> str:
        """Name of item ``index``, unique in the run; known without reading anything."""
        number, by = self._asked[index]
        question = self.questions[number]
        return f"{question.id}#{by}" if self.circular and question.is_choice else question.id

    def question(self, index: int) -> Question:
        """The question of item ``index``, rotated if it is."""
        number, by = self._asked[index]
        return self.questions[number].rotated(by) if by else self.questions[number]

    def raw(self, index: int) -> dict[str, Any]:
        question = self.question(index)
        return {
            "id": self.id(index),
            "videos": [str(self.root / question.video)],
            "bounds": [question.bounds],
            "conversations": self._turns(f"{VIDEO_TAG}\n{self.prompt.write(question)}", question.reference),
            "choices": tuple(question.letters) if self.scoring == "logits" and question.is_choice else (),
            "question": question,
            "meta": {
                "question_id": question.id,
                "cluster": question.cluster or question.video,
                "options": list(question.options),
                "groups": dict(question.groups),
                "rotation": self._asked[index][1] if self.circular else None,
                "labelled": question.reference is not None,
            },
        }

    def blank(self, index: int) -> dict[str, Any]:
        return self.raw(index)

    def run(self, item: dict[str, Any]) -> dict[str, Any]:
        for transform in self.transforms:
            item = transform(item)
            if isinstance(transform, LoadVideo):
                item = self._with_subtitles(item)
        return item

    def find(self, stem: str, suffixes: Sequence[str] = VIDEO_SUFFIXES) -> str:
        """Return ``stem`` with the suffix that its file has, the first of ``suffixes`` if there is none."""
        return next((stem + end for end in suffixes if (self.root / (stem + end)).exists()), stem + suffixes[0])

    def _with_subtitles(self, item: dict[str, Any]) -> dict[str, Any]:
        question: Question = item["question"]
        if self.subtitles == "none" or question.subtitles is None or "error" in item:
            return item
        path = self.root / question.subtitles
        said, clips, tags = subtitled(self.subtitles, path, item["clips"][0], question)
        text = f"{tags}\n{self.prompt.write(question, said)}"
        videos = item["videos"] * len(clips)
        return item | {"clips": clips, "videos": videos, "conversations": self._turns(text, question.reference)}

    @staticmethod
    def _turns(text: str, reference: str | None) -> list[dict[str, str]]:
        return [{"role": "user", "content": text}, {"role": "assistant", "content": reference or ""}]

    def _rotations(self, question: Question) -> range:
        return range(len(question.options) if self.circular and question.is_choice else 1)

    def _check_files(self) -> None:
        missing = [name for name in self.annotation_files() if not (self.root / name).exists()]
        if missing:
            listed = "\n".join(f"  {self.root / name}" for name in missing)
            raise FileNotFoundError(
                f"{type(self).__name__}: files of the benchmark are missing in data_root='{self.root}':\n{listed}"
            )
