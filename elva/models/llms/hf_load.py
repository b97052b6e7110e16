"""Loading a transformers model, and telling whether its layers can be run one by one.

Legend: T tokens, V vocabulary.
"""

from difflib import get_close_matches
from typing import Any

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig

LAYER_PARTS = {"input_layernorm", "self_attn", "post_attention_layernorm", "mlp"}
TESTED = ("llama", "mistral", "qwen2", "qwen3")
"""Families whose numbers the test suite compares with transformers' own; others are compared when they are loaded."""

_IN_LLAVA = {
    r"^(model\.)?language_model\.(model\.)?(?!lm_head)": "model.",
    r"^(model\.)?language_model\.lm_head": "lm_head",
}
"""The names of a LLaVA checkpoint's language model, as the model itself has them."""


def load_model(path: str | None, config: dict[str, Any] | None, dtype: torch.dtype) -> Any:
    """The transformers model: from files, or of random weights, or (under ``torch.device('meta')``) of none."""
    if path is None and config is None:
        raise ValueError("HFDecoder needs 'path' (a checkpoint) or 'config' (a shape, for random weights)")
    meta = torch.get_default_device().type == "meta"
    if path is not None and not meta:
        try:
            return AutoModelForCausalLM.from_pretrained(path, dtype=dtype, **_inside(path))
        except OSError as error:
            raise FileNotFoundError(
                f"llm.path='{path}': {str(error).splitlines()[0]} Give a local directory in the Hugging Face layout "
                "(config.json and *.safetensors), or make a tiny one with tools/model_tools/make_tiny_llm.py."
            ) from error
    return AutoModelForCausalLM.from_config(_config(path, config), dtype=dtype)


def _inside(path: str) -> dict[str, Any]:
    """What finds the language model in the checkpoint of a larger one, such as a LLaVA."""
    text = getattr(AutoConfig.from_pretrained(path), "text_config", None)
    return {} if text is None else {"config": text, "key_mapping": _IN_LLAVA}


def _config(path: str | None, config: dict[str, Any] | None) -> PretrainedConfig:
    if config is None:
        assert path is not None
        try:
            return AutoConfig.from_pretrained(path)
        except OSError as error:
            raise FileNotFoundError(
                f"llm.path='{path}': {str(error).splitlines()[0]} Give llm.config (model_type and sizes) to build "
                "its shape without the files."
            ) from error
    keys = dict(config)
    model_type = keys.pop("model_type", None)
    if model_type is None:
        raise ValueError("llm.config has no 'model_type' (such as 'qwen2')")
    known = vars(AutoConfig.for_model(model_type))
    for key in keys:  # transformers keeps what it does not know, and says nothing
        near = get_close_matches(key, known, n=1, cutoff=0.8)
        if key not in known and near:
            raise ValueError(f"llm.config has no key '{key}' for model_type='{model_type}': did you mean '{near[0]}'?")
    return AutoConfig.for_model(model_type, **keys)


def check_layout(model: Any) -> None:
    """Refuse families whose layers are more than the four parts that the loop runs."""
    body = getattr(model, "model", None)
    layers = getattr(body, "layers", None) or [torch.nn.Module()]
    parts = {name for name, _ in layers[0].named_children()}
    plain = parts == LAYER_PARTS and not hasattr(layers[0], "residual_multiplier")
    if not plain or not all(hasattr(body, name) for name in ("embed_tokens", "norm", "rotary_emb")):
        raise ValueError(refusal(model, f"they have the parts {sorted(parts)}"))


def refusal(model: Any, why: str) -> str:
    """The message for a family that cannot be run."""
    return (
        f"The layers of a '{model.config.model_type}' model cannot be run one by one: {why}. Plain pre-norm layers of "
        f"{sorted(LAYER_PARTS)} are needed; these families have them: {', '.join(TESTED)}."
    )


@torch.no_grad()
def own_logits(model: Any) -> Tensor | None:
    """(1, T, V) what transformers itself makes of a few tokens; None on the meta device."""
    if model.device.type == "meta":
        return None
    training = model.training
    logits: Tensor = model.eval()(torch.arange(min(8, model.config.vocab_size), device=model.device)[None]).logits
    model.train(training)
    return logits
