from typing import Any

import pytest

from elva.datasets.formats import AutoFormat, CaptionFormat
from elva.datasets.formats.build import build_format


@pytest.mark.parametrize("given", [None, {}, "AutoFormat"])
def test_by_default_keys_decide(given: Any) -> None:
    assert isinstance(build_format(given), AutoFormat)


def test_a_name_or_a_config_will_do() -> None:
    own = build_format({"type": "CaptionFormat", "caption": "text"})
    assert isinstance(own, CaptionFormat) and own.caption == "text"
    assert isinstance(build_format("CaptionFormat"), CaptionFormat)


@pytest.mark.parametrize("given", [{"caption": "text"}, 7, ["CaptionFormat"]])
def test_anything_else_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="does not say which: expected a name, or dict"):
        build_format(given)


def test_a_name_that_is_unknown_is_refused() -> None:
    with pytest.raises(ValueError, match="'Captions' is not in the registry .*Nearest names: CaptionFormat"):
        build_format("Captions")
