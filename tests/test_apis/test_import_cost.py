"""Commands that load no model start without what models need: seconds, in each process of a cluster."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("module", "without"),
    [
        ("elva.apis", {"torch", "numpy", "mmengine"}),
        ("elva.utils.launch", {"transformers", "mmengine.runner", "elva.engine"}),
        ("elva.apis.recaption", {"transformers", "mmengine.runner", "elva.engine", "elva.models", "openai", "ray"}),
    ],
)
def test_modules_load_what_they_need(module: str, without: set[str]) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert module in loaded and not without & set(loaded)
