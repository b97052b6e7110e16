"""The ``--json FILE`` of the commands that measure."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any


def add_json(parser: ArgumentParser, what: str = "the numbers") -> None:
    """Add ``--json``."""
    parser.add_argument("--json", type=Path, metavar="FILE", help=f"write {what} there as well")


def write_json(path: Path | None, content: Any) -> None:
    """Write ``content`` to ``path``, whose folder is made if it is not there; nothing without a path."""
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
