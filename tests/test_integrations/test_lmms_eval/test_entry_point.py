"""What lmms-eval finds of ELVA, also where lmms-eval is not there."""

import sys
from importlib.metadata import distribution
from types import SimpleNamespace

import elva.integrations.lmms_eval


def test_the_package_declares_the_entry_point_that_lmms_eval_looks_for():
    declared = [entry for entry in distribution("elva").entry_points if entry.group == "lmms_eval.models"]
    assert [entry.name for entry in declared] == ["elva"]
    assert declared[0].load() is elva.integrations.lmms_eval.manifest


def test_the_manifest_names_both_classes(monkeypatch):
    registry = SimpleNamespace(ModelManifest=lambda model_id, **paths: (model_id, paths))
    monkeypatch.setitem(sys.modules, "lmms_eval", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "lmms_eval.models", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "lmms_eval.models.registry_v2", registry)
    name, paths = elva.integrations.lmms_eval.manifest()
    assert name == "elva"
    assert paths == {
        "simple_class_path": "elva.integrations.lmms_eval.model.Elva",
        "chat_class_path": "elva.integrations.lmms_eval.model.ElvaChat",
    }
