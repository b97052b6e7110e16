"""What benchmarks share: files to check, questions to ask, and answers to compare with."""

import hashlib
import inspect
import json
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from elva.registry import PROMPTS
from elva.structures import Question
from elva.utils.digests import files_digest

from ..conversation import VIDEO_TAG
from ..item_dataset import ItemDataset, Transform
from ..take import taken
from ..transforms.load_video import LoadVideo
from .coverage import Coverage
from .prompts import Prompt
from .subtitles import SUBTITLE_MODES, subtitled

VIDEO_SUFFIXES = (".mp4", ".MP4", ".mkv", ".webm", ".avi", ".mov")


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

    Raises:
        FileNotFoundError: If one of the benchmark's own files is missing; all of the missing ones are named.
        ValueError: If a file is not what it should be, or an argument is out of range.
    """

    default_prompt: ClassVar[dict[str, Any]] = {"type": "MultipleChoicePrompt"}
    """Config of the prompt that the benchmark is asked with unless told otherwise."""
    without_subtitles: ClassVar[str | None] = None
    """What stands for the subtitles of a video that has none. Default: None, each must have its file."""

    def __init__(
        self,
        data_root: str,
        pipeline: Sequence[dict[str, Any] | Transform] = (),
        prompt: dict[str, Any] | None = None,
        subtitles: str = "none",
        scoring: str = "generate",
        circular: bool = False,
        take: str = "all",
    ) -> None:
        super().__init__([self._with_reader(step) for step in pipeline], mode="test")
        name = type(self).__name__
        if subtitles not in SUBTITLE_MODES:
            raise ValueError(f"{name}: subtitles must be one of {', '.join(SUBTITLE_MODES)}, got '{subtitles}'")
        if scoring not in ("generate", "logits"):
            raise ValueError(f"{name}: scoring must be 'generate' or 'logits', got '{scoring}'")
        self.root = Path(data_root)
        self.prompt_config = dict(prompt or self.default_prompt)
        self.prompt: Prompt = PROMPTS.build(self.prompt_config)
        self.subtitles, self.scoring, self.circular = subtitles, scoring, circular
        self.take = take
        self._check_files()
        questions = self._distinct(self.load())
        if subtitles != "none" and not any(question.subtitles for question in questions):
            raise ValueError(f"{name} has no subtitles: subtitles must be 'none', got '{subtitles}'")
        self.questions = [questions[index] for index in taken(len(questions), take)]
        self._asked = [(number, by) for number, q in enumerate(self.questions) for by in self._rotations(q)]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Spell out what a child takes that hands ``**benchmark`` on: so misspelt arguments in a config are found."""
        super().__init_subclass__(**kwargs)
        cls.__signature__ = _spelt_out(cls)  # type: ignore[attr-defined]

    @abstractmethod
    def annotation_files(self) -> list[str]:
        """Paths of the files that ``load`` reads, relative to the benchmark's folder."""

    @abstractmethod
    def load(self) -> list[Question]:
        """Return the questions, in their published order. Every one of ``annotation_files`` is there."""

    def reader(self, reader: dict[str, Any]) -> dict[str, Any]:
        """Return the config of the reader of this benchmark's videos, given that of the model's pipeline.

        For benchmarks whose videos are not all files; ``LoadVideo`` in the pipeline is built with it.
        """
        return reader

    def submission(self, records: Sequence[Mapping[str, Any]]) -> Any | None:
        """Return what is to be handed in for a score, as JSON can hold it; None if there is no such form.

        Args:
            records: One for each question, judged.
        """
        return None

    def verify(self) -> Coverage:
        """Look which videos and subtitles are there."""
        videos = {question.video for question in self.questions}
        spoken = {question.subtitles for question in self.questions if question.subtitles}
        missing, silent = self._missing(videos), self._missing(spoken)
        needed = self.subtitles != "none" and self.without_subtitles is None
        gone = {*missing, *silent} if needed else set(missing)
        unanswerable = sum(not gone.isdisjoint((question.video, question.subtitles)) for question in self.questions)
        return Coverage(len(videos), missing, len(self.questions), unanswerable, len(spoken), silent, needed)

    def protocol(self) -> dict[str, Any]:
        """What decides the answers beside the model: everything that must be told with a score."""
        return {
            "benchmark": type(self).__name__,
            "files": files_digest(self.root, self.annotation_files()),
            "questions": len(self.questions),
            "take": self.take,
            "prompt": self.prompt_config,
            "subtitles": self.subtitles,
            "subtitle_files": self._spoken_digest(),
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
            "conversations": self._turns(VIDEO_TAG, question),
            "choices": tuple(question.letters) if self.scoring == "logits" and question.is_choice else (),
            "question": question,
            "meta": {
                "question_id": question.id,
                "cluster": question.cluster or question.video,
                "options": list(question.options),
                "alternatives": list(question.alternatives),
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

    def find(self, stems: str | Sequence[str], suffixes: Sequence[str] = VIDEO_SUFFIXES) -> str:
        """Return the first of the paths, each of ``stems`` with each of ``suffixes``, that is there; else the first."""
        names = [stem + end for stem in ([stems] if isinstance(stems, str) else stems) for end in suffixes]
        return next((name for name in names if (self.root / name).exists()), names[0])

    def _spoken_digest(self) -> str | None:
        """Of all the subtitle files that are used; None where none are."""
        if self.subtitles == "none":
            return None
        names = sorted({question.subtitles for question in self.questions if question.subtitles})
        digests = json.dumps(files_digest(self.root, names), sort_keys=True)
        return hashlib.sha256(digests.encode()).hexdigest()

    def _with_subtitles(self, item: dict[str, Any]) -> dict[str, Any]:
        question: Question = item["question"]
        if self.subtitles == "none" or "error" in item:
            return item
        if question.subtitles is None or not (self.root / question.subtitles).exists():
            if self.without_subtitles is None:
                raise ValueError(f"question '{question.id}' has no subtitles: {self.root / (question.subtitles or '')}")
            said = "" if self.subtitles == "interleaved" else self.without_subtitles
            return item | {"conversations": self._turns(VIDEO_TAG, question, said)}
        said, clips, tags = subtitled(self.subtitles, self.root / question.subtitles, item["clips"][0], question)
        turns = self._turns(tags, question, said)
        return item | {"clips": clips, "videos": item["videos"] * len(clips), "conversations": turns}

    def _turns(self, videos: str, question: Question, said: str = "") -> list[dict[str, str]]:
        """The conversation: the videos' tags with what stands between them, and the prompt."""
        asked = self.prompt.write(question, said).replace(VIDEO_TAG, "video")  # the benchmark's own words are no tag
        return [
            {"role": "user", "content": f"{videos}\n{asked}"},
            {"role": "assistant", "content": question.reference or ""},
        ]

    def _with_reader(self, step: dict[str, Any] | Transform) -> dict[str, Any] | Transform:
        if isinstance(step, dict) and step["type"] == "LoadVideo":
            return {**step, "reader": self.reader(step["reader"])}
        return step

    def _missing(self, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(sorted(name for name in names if not (self.root / name).exists()))

    def _distinct(self, questions: list[Question]) -> list[Question]:
        files = ", ".join(str(self.root / name) for name in self.annotation_files())
        if not questions:
            raise ValueError(f"{files}: there is no question")
        counts = Counter(question.id for question in questions)
        twice = [name for name, count in counts.items() if count > 1]
        if twice:
            places = [str(place) for place, question in enumerate(questions, start=1) if question.id == twice[0]]
            raise ValueError(
                f"{files}: {len(twice)} ids of questions are not unique, among them '{twice[0]}' (questions "
                f"{', '.join(places)})"
            )
        return questions

    def _rotations(self, question: Question) -> range:
        return range(len(question.options) if self.circular and question.is_choice else 1)

    def _check_files(self) -> None:
        missing = [name for name in self.annotation_files() if not (self.root / name).exists()]
        if missing:
            listed = "\n".join(f"  {self.root / name}" for name in missing)
            raise FileNotFoundError(
                f"{type(self).__name__}: files of the benchmark are missing in data_root='{self.root}':\n{listed}"
            )


def _spelt_out(cls: type) -> inspect.Signature:
    """The arguments of a class, with those of its parent in the place of ``**arguments``."""
    _, *own = inspect.signature(cls.__init__).parameters.values()  # type: ignore[misc]
    taken = {parameter.name: parameter for parameter in own if parameter.kind is not parameter.VAR_KEYWORD}
    if len(taken) < len(own):
        for name, parameter in inspect.signature(cls.__mro__[1]).parameters.items():
            taken.setdefault(name, parameter.replace(kind=parameter.KEYWORD_ONLY))
    return inspect.Signature(list(taken.values()))
