"""The samples and configs that docs/formats/ shows."""

import ast
import re
from pathlib import Path
from typing import Any

PAGES = Path(__file__).parents[3] / "docs" / "formats"
_SAMPLE = re.compile(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
_PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def samples() -> dict[str, str]:
    """The content of each sample file that the pages show, by its name."""
    return {name: content for page in _pages() for name, content in _SAMPLE.findall(page)}


def configs() -> list[dict[str, Any]]:
    """Every config of a data set that the pages show as ``dataset = dict(...)``."""
    blocks = [block for page in _pages() for block in _PYTHON.findall(page) if block.startswith("dataset = ")]
    return [eval(ast.unparse(ast.parse(block).body[0].value)) for block in blocks]


def python(page: str) -> list[str]:
    """The other blocks of Python of a page."""
    text = (PAGES / page).read_text(encoding="utf-8")
    return [block for block in _PYTHON.findall(text) if not block.startswith("dataset = ")]


def write_samples(folder: Path) -> None:
    """Write every sample file."""
    for name, content in samples().items():
        (folder / name).write_text(content, encoding="utf-8")


def _pages() -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted(PAGES.glob("*.md")) if path.stem != "webdataset"]
