"""ELVA's models in lmms-eval: ``lmms-eval --model elva --model_args pretrained=...``.

lmms-eval finds :func:`manifest` by its entry point, and imports the rest when the model is asked for.
"""

from typing import Any

_MODEL = "elva.integrations.lmms_eval.model"


def manifest() -> Any:
    """What lmms-eval (0.7 and later) knows of the model before it is used: its name and its two classes."""
    from lmms_eval.models.registry_v2 import ModelManifest

    return ModelManifest("elva", simple_class_path=f"{_MODEL}.Elva", chat_class_path=f"{_MODEL}.ElvaChat")
