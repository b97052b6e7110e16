"""MSRVTT-QA: open questions about the clips of MSR-VTT."""

from typing import ClassVar

from elva.registry import DATASETS

from .rows import Row
from .video_qa import VideoQA

CATEGORIES = (
    "music",
    "people",
    "gaming",
    "sports/actions",
    "news/events/politics",
    "education",
    "tv shows",
    "movie/comedy",
    "animation",
    "vehicles/autos",
    "howto",
    "travel",
    "science/technology",
    "animals/pets",
    "kids/family",
    "documentary",
    "food/drink",
    "cooking",
    "beauty/fashion",
    "advertisement",
)
"""What the numbers in ``category_id`` stand for (MSR-VTT's ``category.txt``)."""


@DATASETS.register_module()
class MSRVTTQA(VideoQA):
    """Video ``7010`` is ``videos/all/video7010.mp4``. A further group of the original layout: ``category``."""

    video_folders: ClassVar[dict[str, str]] = {"original": "videos/all", "zero_shot": "videos/all"}

    def video_stem(self, row: Row) -> str:
        return f"video{row.text('video_id')}"

    def groups(self, row: Row) -> dict[str, str]:
        groups = super().groups(row)
        if "category_id" not in row.values:
            return groups
        return groups | {"category": CATEGORIES[row.whole("category_id", 0, len(CATEGORIES) - 1)]}
