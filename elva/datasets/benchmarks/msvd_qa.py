"""MSVD-QA: open questions about short clips of the Microsoft Research Video Description corpus."""

from functools import cached_property
from typing import ClassVar

from elva.registry import DATASETS

from .rows import Row
from .video_qa import VideoQA


@DATASETS.register_module()
class MSVDQA(VideoQA):
    """The original layout numbers the videos; ``youtube_mapping.txt`` (``<file name> vid<number>``) names them.

    Videos: ``YouTubeClips/<name>.avi`` (original), ``videos/<name>.avi`` (zero-shot); any suffix is found.
    """

    video_folders: ClassVar[dict[str, str]] = {"original": "YouTubeClips", "zero_shot": "videos"}

    def annotation_files(self) -> list[str]:
        return super().annotation_files() + (["youtube_mapping.txt"] if self.layout == "original" else [])

    def video_stem(self, row: Row) -> str:
        number = row.text("video_id")
        if number not in self._names:
            raise row.wrong(f"'vid{number}' is not in {self.root / 'youtube_mapping.txt'}")
        return self._names[number]

    @cached_property
    def _names(self) -> dict[str, str]:
        """File names without suffix, by the number of the video."""
        path = self.root / "youtube_mapping.txt"
        names = {}
        for line, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            name, _, video = text.strip().rpartition(" ")
            if not text.strip():
                continue
            if not name or not video.startswith("vid"):
                raise ValueError(f"{path}: line {line}: expected '<file name> vid<number>', got {text!r}")
            names[video.removeprefix("vid")] = name
        return names
