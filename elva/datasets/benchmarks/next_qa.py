"""NExT-QA: multiple choice, and open-ended (Xiao et al., CVPR 2021, arXiv:2105.08276)."""

from typing import Any, ClassVar

from elva.registry import DATASETS
from elva.structures import Question

from .base import Benchmark
from .rows import Row, csv_rows, json_object

KINDS = {"C": "causal", "T": "temporal", "D": "descriptive"}
"""The first letter of a question's type says which of three kinds it is of."""

MAP = "map_vid_vidorID.json"
SPLITS = ("train", "val", "test")


class _NExTQA(Benchmark):
    """What both forms share: ``map_vid_vidorID.json``, and ``NExTVideo/`` with the videos in VidOR's subfolders.

    Groups: ``kind`` (causal, temporal, descriptive) and ``type`` (its eight types; TP counts as TN, as in the
    published evaluation code).
    """

    def _shared(self, row: Row, places: dict[str, Any]) -> dict[str, Any]:
        """The fields of a question that do not depend on how it is answered."""
        video = row.text("video")
        name = f"{video}_{row.text('qid')}"
        row = row.called(name)
        if video not in places:
            raise row.wrong(f"video '{video}' is not in {self.root / MAP}")
        kind = row.text("type")
        if kind[0] not in KINDS:
            raise row.wrong(f"'type' must begin with one of {', '.join(KINDS)}, got '{kind}'")
        return {
            "id": name,
            "video": self.find([f"NExTVideo/{places[video]}", f"NExTVideo/{video}"]),
            "text": row.text("question"),
            "groups": {"kind": KINDS[kind[0]], "type": "TN" if kind == "TP" else kind},
            "cluster": video,
        }


@DATASETS.register_module()
class NExTQA(_NExTQA):
    """Multiple choice of five: ``<split>.csv`` (8,564 questions in the test split).

    Layout: the CSV files and ``map_vid_vidorID.json`` of the publication, and ``NExTVideo/<folder>/<video>.mp4`` (or,
    without the folders, ``NExTVideo/<video>.mp4``). ``answer`` is the index of the right one of ``a0`` to ``a4``.

    Args:
        data_root: The folder.
        split: ``'train'``, ``'val'`` or ``'test'``. Default: ``'test'``.
        benchmark: Arguments of :class:`Benchmark`.
    """

    def __init__(self, data_root: str, split: str = "test", **benchmark: Any) -> None:
        self.split = _checked("NExTQA", split)
        super().__init__(data_root, **benchmark)

    def annotation_files(self) -> list[str]:
        return [f"{self.split}.csv", MAP]

    def load(self) -> list[Question]:
        places = json_object(self.root / MAP)
        return [self._question(row, places) for row in csv_rows(self.root / f"{self.split}.csv")]

    def protocol(self) -> dict[str, Any]:
        return super().protocol() | {"split": self.split}

    def _question(self, row: Row, places: dict[str, Any]) -> Question:
        shared = self._shared(row, places)
        row = row.called(shared["id"])
        options = tuple(row.text(f"a{number}") for number in range(5))
        return Question(**shared, options=options, correct=row.whole("answer", 0, 4))


@DATASETS.register_module()
class NExTOE(_NExTQA):
    """Open-ended: ``<split>.csv`` of NExT-OE, whose ``answer`` is text, scored by WUPS.

    Layout: as :class:`NExTQA`, with the CSV files of NExT-OE in ``open_ended/`` (both publications call them
    ``test.csv``), and there, where it is published (the test split), ``add_reference_answer_<split>.json``: for each
    video and question another right answer.

    Args:
        data_root: The folder.
        split: ``'train'``, ``'val'`` or ``'test'``. Default: ``'test'``.
        benchmark: Arguments of :class:`Benchmark`.
    """

    default_prompt: ClassVar[dict[str, Any]] = {
        "type": "OpenPrompt",
        "after": "Answer a question using a short phrase or sentence.",
    }

    def __init__(self, data_root: str, split: str = "test", **benchmark: Any) -> None:
        self.split = _checked("NExTOE", split)
        super().__init__(data_root, **benchmark)

    def annotation_files(self) -> list[str]:
        more = [f"open_ended/add_reference_answer_{self.split}.json"] if self.split == "test" else []
        return [f"open_ended/{self.split}.csv", *more, MAP]

    def load(self) -> list[Question]:
        rows, *more = (self.root / name for name in self.annotation_files()[:-1])
        places = json_object(self.root / MAP)
        alternatives = json_object(more[0]) if more else {}
        return [self._question(row, places, alternatives) for row in csv_rows(rows)]

    def protocol(self) -> dict[str, Any]:
        return super().protocol() | {"split": self.split}

    def _question(self, row: Row, places: dict[str, Any], alternatives: dict[str, dict[str, str]]) -> Question:
        shared = self._shared(row, places)
        other = alternatives.get(row.text("video"), {}).get(row.text("qid"))
        answer = row.called(shared["id"]).text("answer")
        return Question(**shared, answer=answer, alternatives=(other,) if other else ())


def _checked(name: str, split: str) -> str:
    if split not in SPLITS:
        raise ValueError(f"{name}: split must be one of {', '.join(SPLITS)}, got '{split}'")
    return split
