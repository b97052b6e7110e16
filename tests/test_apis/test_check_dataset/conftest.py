"""A tiny language model, and a folder of clips."""

import json
import os

import pytest

from elva.registry import register_all_modules
from elva.utils.tiny_llm import TinyLLMSettings, make_tiny_llm
from tests.clips import BROKEN, RECIPES, render
from tests.test_apis.test_check_dataset.data import row

GOOD = ("h264.mp4", "vp9.webm", "variable.mp4", "rotated_90.mp4")
BAD = tuple(name for name in BROKEN if name != "folder.mp4")


@pytest.fixture(scope="session", autouse=True)
def _registered():
    register_all_modules()


@pytest.fixture(scope="session")
def llm(tmp_path_factory):
    """Its directory."""
    root = tmp_path_factory.mktemp("llm")
    (root / "texts.json").write_text(json.dumps([row("a", answer="This is what a model says.")]))
    make_tiny_llm(root / "llm", [root / "texts.json"], TinyLLMSettings(hidden=16, layers=2, heads=2, intermediate=16))
    return str(root / "llm")


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """A folder of good clips, broken ones, and a pipe that nobody writes to."""
    root = tmp_path_factory.mktemp("videos")
    for name in GOOD:
        render(root / name, RECIPES[name])
    for name in BAD:
        BROKEN[name](root / name)
    os.mkfifo(root / "pipe.mp4")
    return root
