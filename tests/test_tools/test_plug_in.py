import sys

import pytest

from elva.registry import MERGERS
from elva.utils.launch import read_config

PLUG_IN = """
from elva.models.mergers import Merger
from elva.registry import MERGERS

@MERGERS.register_module()
class KeepsAll(Merger):
    def sites(self, depth):
        return []

    def forward(self, state, site, attn=None):
        return state
"""


@pytest.fixture
def user_folder(tmp_path, monkeypatch):
    """A folder of a user's own, that commands are started in; nothing of it stays behind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p not in ("", str(tmp_path))])
    yield tmp_path
    sys.modules.pop("keeps_all", None)
    MERGERS.module_dict.pop("KeepsAll", None)


def test_module_beside_the_config_is_imported_by_its_name(user_folder):
    (user_folder / "keeps_all.py").write_text(PLUG_IN)
    (user_folder / "config.py").write_text("custom_imports = dict(imports=['keeps_all'], allow_failed_imports=False)")
    assert "KeepsAll" not in MERGERS
    read_config("config.py")
    assert "KeepsAll" in MERGERS


def test_module_that_is_not_there_is_named(user_folder):
    (user_folder / "config.py").write_text("custom_imports = dict(imports=['keeps_all'], allow_failed_imports=False)")
    with pytest.raises(ValueError, match="config.py cannot be read: ImportError: Failed to import keeps_all"):
        read_config("config.py")
