"""Contract suites that every component inherits, in this repository and in plug-ins, and the small data they run on.

A plug-in's merger gets the whole suite by naming itself in a test file::

    import pytest
    from elva.testing import MERGER_CONTRACT

    import projects.my_project.my_merger  # registers MyMerger

    @pytest.mark.parametrize("check", MERGER_CONTRACT)
    def test_contract(check):
        check("MyMerger")

Nothing here needs pytest: a check is a function that raises ``AssertionError`` and says what is broken.
"""

from .builders import Prompt, draw_video, make_prompt, tiny_decoder
from .merger_contract import MERGER_CONTRACT
from .reducer_contract import REDUCER_CONTRACT
from .wrappers import PrefixOnly, Recorder

__all__ = [
    "MERGER_CONTRACT",
    "REDUCER_CONTRACT",
    "PrefixOnly",
    "Prompt",
    "Recorder",
    "draw_video",
    "make_prompt",
    "tiny_decoder",
]
