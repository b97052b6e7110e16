"""What every kind of annotation file promises."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from elva.utils.digests import file_digest


class AnnotationFile(ABC):
    """The rows of one annotation file, read when they are asked for and never kept.

    Opening one builds (or maps) an index of numbers; a row becomes a Python object when it is read. So a million rows
    cost a few megabytes in each process, and a data loader's workers share them.

    Attributes:
        path: The file or folder.
    """

    path: Path

    @abstractmethod
    def __len__(self) -> int:
        """Number of rows."""

    @abstractmethod
    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return row ``index``, from 0.

        Raises:
            ValueError: If the row cannot be read; the message names the file, the row and what was expected.
        """

    @abstractmethod
    def where(self, index: int) -> str:
        """Where row ``index`` stands, for people: ``'a.jsonl: line 17'``."""

    def name(self, index: int) -> str:
        """An id for row ``index``, should it have none."""
        return f"{self.path.stem}-{index}"

    def digest(self) -> str | None:
        """What tells the content from any other; None for a folder."""
        return file_digest(self.path) if self.path.is_file() else None


def check_exists(path: str | Path) -> Path:
    """Return ``path``, or raise ``FileNotFoundError``."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"Annotation file '{path}' does not exist. Check ann_file, and that the data is made.")
    return path
