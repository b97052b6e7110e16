"""Every registered merger keeps the rules of the toolkit; see ``elva.testing`` for plug-ins."""

import pytest

from elva.registry import MERGERS
from elva.testing import MERGER_CONTRACT


@pytest.mark.parametrize("check", MERGER_CONTRACT)
@pytest.mark.parametrize("name", MERGERS.names())
def test_contract(name, check):
    check(name)
