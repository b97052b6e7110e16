"""Fixtures shared by all tests: small clips, each rendered once a session, when it is first asked for."""

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.clips import BROKEN, RECIPES, real_clips, render

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # In the background of a shell Ctrl-C is ignored, by the commands that the tests start as well: they test it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads or leaves anything in the user's cache folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """A function from the name of a clip in ``tests.clips`` (``RECIPES`` or ``BROKEN``) to its path."""
    folder = tmp_path_factory.mktemp("clips")
    made: dict[str, Path] = {}

    def path_of(name: str) -> str:
        if name not in made:
            made[name] = folder / name
            if name in RECIPES:
                render(made[name], RECIPES[name])
            else:
                BROKEN[name](made[name])
        return str(made[name])

    return path_of


@pytest.fixture(params=[*RECIPES, *real_clips()], ids=lambda name: Path(name).name)
def any_clip(request: pytest.FixtureRequest, clip: Callable[[str], str]) -> str:
    """The path of each rendered clip, and of each clip in the folder that ``ELVA_TEST_CLIPS`` names."""
    return clip(request.param) if request.param in RECIPES else request.param
