"""Where things that are made once and used again are kept."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """``$XDG_CACHE_HOME/elva``, or ``~/.cache/elva``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "elva"
