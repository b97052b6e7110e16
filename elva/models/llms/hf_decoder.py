"""Any transformers decoder of Qwen2's layout, its layers run one by one in our own loop.

Legend: B batch, L rows, C channels, H heads, G key/value heads, D head width.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import AutoConfig, AutoModelForCausalLM, PretrainedConfig
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from elva.models.attention import AttnMask, AttnView
from elva.models.attention.view import Projected
from elva.models.mergers.base import Merger, Site
from elva.registry import ATTENTIONS, LLMS
from elva.structures import SequenceState

from .base import DecoderLLM
from .cache import KVCache
from .trace import Trace

Attend = Callable[[Tensor, Tensor, Tensor, float, float, int | None], Tensor]
"""(queries, keys, values, scale, dropout, window) -> (B, H, L, D)."""

LAYER_PARTS = {"input_layernorm", "self_attn", "post_attention_layernorm", "mlp"}


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    attend: Attend,
    scaling: float,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Transformers' attention modules call this; it hands their projections on to the ``attend`` of the loop below."""
    del module, attention_mask
    out_BHLD = attend(query, key, value, scaling, dropout, sliding_window)
    return out_BHLD.transpose(1, 2).contiguous(), None


ALL_ATTENTION_FUNCTIONS.register("elva", _attend)


@LLMS.register_module()
class HFDecoder(DecoderLLM):
    """Runs the layers of a transformers causal language model, with merge sites before, inside and after each.

    Works with every family whose layers are ``input_layernorm, self_attn, post_attention_layernorm, mlp`` with plain
    residuals: Qwen2, Qwen2.5, Qwen3, Llama, Mistral and their likes.

    Args:
        path: Local directory in the Hugging Face layout (sharded safetensors too), or a hub name. Default: none, for
            random weights of the shape in ``config``.
        config: Keys of a transformers config, ``model_type`` among them: the shape where ``path`` is absent, and on
            the meta device, where no file is touched. Default: ``path``'s own config.json.
        dtype: Data type of the weights, ``'float32'``, ``'bfloat16'``, ``'float16'``. Default: ``'float32'``.
        attention: Name in the registry ``ATTENTIONS``. Default: ``'sdpa'``.
        frame_mask: ``'causal'``, or ``'bidirectional'``: the tokens of one frame see each other. Default: causal.
        gradient_checkpointing: Recompute attention and MLP in the backward pass. Default: False.
        frozen: Train none of its weights. Default: False.

    Raises:
        FileNotFoundError: If there are no weights at ``path``.
        ValueError: If the family's layers cannot be split.
    """

    def __init__(
        self,
        path: str | None = None,
        config: dict[str, Any] | None = None,
        dtype: str = "float32",
        attention: str = "sdpa",
        frame_mask: str = "causal",
        gradient_checkpointing: bool = False,
        frozen: bool = False,
    ) -> None:
        super().__init__()
        self.path = path
        self.model = _build(path, config, getattr(torch, dtype))
        _check_layout(self.model)
        self.model.config._attn_implementation = "elva"
        self.attention = ATTENTIONS.get(attention)
        self.frame_mask = frame_mask
        self.gradient_checkpointing = gradient_checkpointing
        self.hidden_size: int = self.model.config.hidden_size
        self.depth: int = self.model.config.num_hidden_layers
        if frozen:
            self.requires_grad_(False)

    @property
    def layers(self) -> nn.ModuleList:
        """The decoder layers."""
        return self.model.model.layers

    def embed(self, ids: Tensor) -> Tensor:
        """Embeddings (..., C) of token ids."""
        embedding: Tensor = self.model.model.embed_tokens(ids)
        return embedding

    def fit_vocabulary(self, size: int) -> None:
        """Give the embedding table at least ``size`` rows (vision tokens may have been added to the tokenizer)."""
        if size > self.model.config.vocab_size:
            self.model.resize_token_embeddings(size)

    def embedding_rms(self) -> float:
        """Root mean square of the embedding table: the scale that visual tokens start with."""
        weight = self.model.model.embed_tokens.weight.detach()
        return float(weight.float().square().mean().sqrt())

    def logits(self, h: Tensor) -> Tensor:
        """Scores (..., vocabulary) of normed hidden states (..., C)."""
        scores: Tensor = self.model.lm_head(h)
        return scores

    def forward(
        self,
        state: SequenceState,
        merger: Merger | None = None,
        cache: KVCache | None = None,
        trace: Trace | None = None,
    ) -> SequenceState:
        """Run every layer; see :class:`DecoderLLM`."""
        trace = trace if trace is not None else Trace()
        sites = {Site(*site) for site in merger.sites(self.depth)} if merger is not None else set()
        if cache is not None:
            cache.next_pos = state.pos.masked_fill(~state.valid, -1).amax(1) + 1

        def merge(state: SequenceState, site: Site, view: AttnView) -> SequenceState:
            assert merger is not None
            return merger(state, site, view)

        rope_of, rope = None, None
        for index, layer in enumerate(self.layers):
            before, after, end = (Site(index, when) for when in ("pre_attn", "post_attn", "post_layer"))
            if before in sites:
                state = merge(state, before, self._view(layer, state, trace))
            trace.enter(state)
            if rope_of is not state.pos:
                rope_of, rope = state.pos, self.model.model.rotary_emb(state.h, state.pos)
            seen: list[Projected] | None = [] if after in sites else None
            state = state.replace(h=self._attention(layer, state, rope, cache.layers[index] if cache else None, seen))
            if after in sites:
                assert seen
                state = merge(state, after, self._view(layer, state, trace, seen[0]))
            state = state.replace(h=self._run(self._mlp, layer, state.h))
            if end in sites:
                state = merge(state, end, self._view(layer, state, trace))
        return state.replace(h=self.model.model.norm(state.h))

    def _run(self, function: Callable[..., Tensor], *args: Any) -> Tensor:
        """Call ``function``, without keeping its activations if gradient checkpointing is on."""
        if self.gradient_checkpointing and self.training and torch.is_grad_enabled():
            return checkpoint(function, *args, use_reentrant=False)  # type: ignore[no-any-return]
        return function(*args)

    @staticmethod
    def _mlp(layer: Any, h_BLC: Tensor) -> Tensor:
        return h_BLC + layer.mlp(layer.post_attention_layernorm(h_BLC))

    def _attention(
        self, layer: Any, state: SequenceState, rope: Any, cache: Any, seen: list[Projected] | None
    ) -> Tensor:
        """The attention half of a layer; notes queries and keys in ``seen`` if a merger will ask for them."""

        def attend(
            q_BHLD: Tensor, k_BGLD: Tensor, v_BGLD: Tensor, scale: float, dropout: float, window: int | None
        ) -> Tensor:
            mask = own_mask(state)
            if cache is not None:
                k_BGLD, v_BGLD = cache.append(k_BGLD, v_BGLD, state)
                mask = cache.mask(state)
            mask = mask.windowed(window)
            if seen is not None:
                seen[:] = [(q_BHLD, k_BGLD, mask, scale)]
            out: Tensor = self.attention(q_BHLD, k_BGLD, v_BGLD, mask, scale, dropout)
            return out

        def half(h_BLC: Tensor) -> Tensor:
            return h_BLC + self._self_attn(layer, h_BLC, rope, attend)

        return self._run(half, state.h)

    @staticmethod
    def _self_attn(layer: Any, h_BLC: Tensor, rope: Any, attend: Attend) -> Tensor:
        normed = layer.input_layernorm(h_BLC)
        out: Tensor = layer.self_attn(
            hidden_states=normed, position_embeddings=rope, attention_mask=None, attend=attend
        )[0]
        return out

    def _view(self, layer: Any, state: SequenceState, trace: Trace, seen: Projected | None = None) -> AttnView:
        """What a merger may look at; nothing is computed before it asks."""

        def project() -> Projected:
            if seen is not None:
                return seen
            caught: list[Projected] = []

            def catch(q: Tensor, k: Tensor, v: Tensor, scale: float, dropout: float, window: int | None) -> Tensor:
                del v, dropout
                caught.append((q, k, own_mask(state).windowed(window), scale))
                return torch.zeros_like(q)

            self._self_attn(layer, state.h, self.model.model.rotary_emb(state.h, state.pos), catch)
            return caught[0]

        return AttnView(lambda: layer.input_layernorm(state.h), project, trace.record)


def own_mask(state: SequenceState) -> AttnMask:
    """The mask of a sequence over itself."""
    return AttnMask(state.rank, state.rank, state.valid, causal=state.rising)


def _build(path: str | None, config: dict[str, Any] | None, dtype: torch.dtype) -> Any:
    """The transformers model: from files, or of random weights, or (under ``torch.device('meta')``) of none."""
    if path is None and config is None:
        raise ValueError("HFDecoder needs 'path' (a checkpoint) or 'config' (a shape, for random weights)")
    meta = torch.get_default_device().type == "meta"
    if path is not None and not meta:
        try:
            return AutoModelForCausalLM.from_pretrained(path, dtype=dtype)
        except OSError as error:
            raise FileNotFoundError(
                f"llm.path='{path}': {str(error).splitlines()[0]} Give a local directory in the Hugging Face layout "
                "(config.json and *.safetensors), or make a tiny one with tools/model_tools/make_tiny_llm.py."
            ) from error
    return AutoModelForCausalLM.from_config(_config(path, config), dtype=dtype)


def _config(path: str | None, config: dict[str, Any] | None) -> PretrainedConfig:
    if config is None:
        assert path is not None
        try:
            return AutoConfig.from_pretrained(path)  # type: ignore[no-any-return]
        except OSError as error:
            raise FileNotFoundError(
                f"llm.path='{path}': {str(error).splitlines()[0]} Give llm.config (model_type and sizes) to build "
                "its shape without the files."
            ) from error
    keys = dict(config)
    model_type = keys.pop("model_type", None)
    if model_type is None:
        raise ValueError("llm.config has no 'model_type' (such as 'qwen2')")
    return AutoConfig.for_model(model_type, **keys)  # type: ignore[no-any-return]


def _check_layout(model: Any) -> None:
    """Refuse families whose layers are more than the four parts that the loop runs."""
    body = getattr(model, "model", None)
    layers = getattr(body, "layers", None)
    parts = {name for name, _ in layers[0].named_children()} if layers is not None else set()
    plain = parts == LAYER_PARTS and not hasattr(layers[0], "residual_multiplier")
    if not plain or not all(hasattr(body, name) for name in ("embed_tokens", "norm", "rotary_emb")):
        raise ValueError(
            f"The layers of a '{model.config.model_type}' model cannot be run one by one: they have the parts "
            f"{sorted(parts)}, and plain pre-norm layers of {sorted(LAYER_PARTS)} are needed. Families that have "
            "them: qwen2 (also Qwen2.5), qwen3, llama, mistral."
        )
