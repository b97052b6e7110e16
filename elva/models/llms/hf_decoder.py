"""Any transformers decoder of Qwen2's layout, its layers run one by one in our own loop.

Legend: B batch, L rows, C channels, H heads, G key/value heads, D head width.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from elva.models.attention import Attention, AttnMask, AttnView, attention_weights
from elva.models.attention.view import Projected
from elva.models.mergers.base import Merger, Site, When
from elva.models.mergers.cache_selector import CacheSelector
from elva.registry import ATTENTIONS, LLMS
from elva.structures import SequenceState
from elva.structures.packing import Packing

from .assemble import assemble
from .base import DecoderLLM
from .cache import KVCache, LayerCache
from .cached_rows import CachedRows
from .hf_load import TESTED, check_layout, load_model, own_logits, refusal
from .trace import Trace

Attend = Callable[[Tensor, Tensor, Tensor, float, float, int | None], Tensor]
"""(queries, keys, values, scale, dropout, window) -> (B, H, L, D)."""


WHENS: tuple[When, ...] = get_args(When)

Chosen = tuple[CachedRows, Tensor]
"""Cached rows, and which of them (B, K) the later layers of a decoding step read."""


class Stretch(NamedTuple):
    """What the layers between two merges share: rows in the same places see the same mask and turn the same way.

    Attributes:
        pos: The state's.
        rank: The state's.
        past: The rows cached before.
        rows: Those and the state's.
        read: Which of ``rows`` attention reads; None for all.
        rope: Cosines and sines of the positions.
        mask: The state's rows over those that are read.
    """

    pos: Tensor
    rank: Tensor
    past: CachedRows | None
    rows: CachedRows
    read: Packing | None
    rope: tuple[Tensor, Tensor]
    mask: AttnMask

    def serves(self, state: SequenceState, past: CachedRows | None) -> bool:
        """Whether the rows of ``state`` behind those of ``past`` are still these."""
        return self.pos is state.pos and self.rank is state.rank and self.past is past


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
    residuals: Qwen2, Qwen2.5, Qwen3, Llama, Mistral and their likes. Of a family that the test suite does not know, a
    few tokens are run through transformers' own forward pass and through this one before it is accepted.

    Args:
        path: Local directory in the Hugging Face layout (sharded safetensors too), or a hub name. Default: none, for
            random weights of the shape in ``config``.
        config: Keys of a transformers config, ``model_type`` among them: the shape where ``path`` is absent, and on
            the meta device, where no file is touched. Default: ``path``'s own config.json.
        dtype: Data type of the weights, ``'float32'``, ``'bfloat16'``, ``'float16'``. Default: ``'float32'``.
        attention: Name in the registry ``ATTENTIONS``. Default: ``'sdpa'``.
        frame_mask: ``'causal'``, or ``'bidirectional'``: the tokens of one frame see each other. Default: causal.
        size_bias: Add the logarithm of each row's size to the scores that it gets, so that a merged row draws as much
            attention as its members would (proportional attention, ToMe, arXiv 2210.09461). Default: False: a model
            that is trained with merging does not need it.
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
        size_bias: bool = False,
        gradient_checkpointing: bool = False,
        frozen: bool = False,
    ) -> None:
        super().__init__()
        if dtype not in ("float32", "bfloat16", "float16"):
            raise ValueError(f"llm.dtype='{dtype}': use 'float32', 'bfloat16' or 'float16'")
        if frame_mask not in ("causal", "bidirectional"):
            raise ValueError(f"llm.frame_mask='{frame_mask}': use 'causal' or 'bidirectional'")
        self.path = path
        self.model = load_model(path, config, getattr(torch, dtype))
        check_layout(self.model)
        expected = None if self.model.config.model_type in TESTED else own_logits(self.model)
        self.model.config._attn_implementation = "elva"
        self.attention: Attention = ATTENTIONS.get(attention)
        self.frame_mask = frame_mask
        self.size_bias = size_bias
        self.gradient_checkpointing = gradient_checkpointing
        self.hidden_size: int = self.model.config.hidden_size
        self.depth: int = self.model.config.num_hidden_layers
        if expected is not None:
            self._check_numbers(expected)
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

    def logits_of(self, h: Tensor, ids: list[int]) -> Tensor:
        """Scores (..., len(ids)) of these tokens alone, in float32."""
        head = self.model.lm_head
        bias = None if head.bias is None else head.bias[ids].float()
        with torch.autocast(h.device.type, enabled=False):
            return F.linear(h.float(), head.weight[ids].float(), bias)

    def forward(
        self,
        state: SequenceState,
        merger: Merger | None = None,
        cache: KVCache | None = None,
        trace: Trace | None = None,
        selector: CacheSelector | None = None,
    ) -> SequenceState:
        """Run every layer; see :class:`DecoderLLM`."""
        if selector is not None and (cache is None or state.h.shape[1] != 1):
            raise ValueError("a selector of cached rows is for decoding: give it a cache, and one new row at a time")
        sites = _sites(merger, self.depth)
        if cache is not None:
            cache.next_pos = state.pos.masked_fill(~state.valid, -1).amax(1) + 1
        h, stretch, chosen = state.h, None, None

        def merge(site: Site, seen: list[Projected] | None = None) -> SequenceState:
            assert merger is not None
            entering = state.replace(h=h)
            return merger(entering, site, self._view(self.layers[site.layer], entering, trace, own, past, seen))

        for index, layer in enumerate(self.layers):
            before, after, end = (Site(index, when) for when in WHENS)
            own = cache.layers[index] if cache is not None else None
            past = own.rows if own is not None else None
            if before in sites:
                state = merge(before)
                h = state.h
            if trace is not None:
                trace.enter(state.replace(h=h))
            if stretch is None or not stretch.serves(state, past):
                stretch = self._stretch(state, past, chosen)
            asked = selector is not None and index == selector.layer
            seen: list[Projected] | None = [] if asked or sites & {after, end} else None
            h = self._attention(layer, h, stretch, own, seen)
            if after in sites:
                state = merge(after, seen)
                h = state.h
                if stretch.pos is not state.pos:
                    seen = None  # of rows that are no more
            h = self._run(self._mlp, layer, h)
            if end in sites:
                state = merge(end, seen)
                h = state.h
            if asked:
                assert selector is not None and seen is not None
                chosen, stretch = (stretch.rows, selector.choose(*_last_row(seen[0], stretch.rows))), None
        return state.replace(h=self.model.model.norm(h))

    def _stretch(self, state: SequenceState, past: CachedRows | None, chosen: Chosen | None = None) -> Stretch:
        rows = CachedRows.of(state, past)
        read = Packing.of(rows.find(*chosen), rows.valid) if chosen is not None else None
        mask = (rows if read is None else rows.take(read)).mask(state, self.size_bias)
        return Stretch(state.pos, state.rank, past, rows, read, self.model.model.rotary_emb(state.h, state.pos), mask)

    def _run(self, function: Callable[..., Tensor], *args: Any) -> Tensor:
        """Call ``function``, without keeping its activations if gradient checkpointing is on."""
        if self.gradient_checkpointing and self.training and torch.is_grad_enabled():
            return checkpoint(function, *args, use_reentrant=False)
        return function(*args)

    @staticmethod
    def _mlp(layer: Any, h_BLC: Tensor) -> Tensor:
        return h_BLC + layer.mlp(_cast(layer.post_attention_layernorm(h_BLC)))

    def _attention(
        self,
        layer: Any,
        h_BLC: Tensor,
        stretch: Stretch,
        cache: LayerCache | None,
        seen: list[Projected] | None,
    ) -> Tensor:
        """The attention half of a layer; notes queries and keys in ``seen`` if somebody will ask for them."""

        def attend(
            q_BHLD: Tensor, k_BGLD: Tensor, v_BGLD: Tensor, scale: float, dropout: float, window: int | None
        ) -> Tensor:
            if cache is not None:
                k_BGLD, v_BGLD = cache.append(k_BGLD, v_BGLD, stretch.rows)
                if stretch.read is not None:
                    k_BGLD, v_BGLD = cache.read(stretch.read.old_BM)
            mask = stretch.mask.windowed(window)
            if seen is not None:
                seen[:] = [(q_BHLD, k_BGLD, mask, scale)]
            return self.attention(q_BHLD, k_BGLD, v_BGLD, mask, scale, dropout)

        def half(h_BLC: Tensor) -> Tensor:
            return h_BLC + self._self_attn(layer, h_BLC, stretch.rope, attend)

        return self._run(half, h_BLC) if cache is None else half(h_BLC)  # a cache must be added to only once

    @staticmethod
    def _self_attn(layer: Any, h_BLC: Tensor, rope: Any, attend: Attend) -> Tensor:
        normed = _cast(layer.input_layernorm(h_BLC))
        out: Tensor = layer.self_attn(
            hidden_states=normed, position_embeddings=rope, attention_mask=None, attend=attend
        )[0]
        return out

    def _view(
        self,
        layer: Any,
        state: SequenceState,
        trace: Trace | None,
        cache: LayerCache | None,
        past: CachedRows | None,
        seen: list[Projected] | None = None,
    ) -> AttnView:
        """What a merger may look at; nothing is computed before it asks. ``past`` rows were cached before this pass."""

        def project() -> Projected:
            if seen:
                return seen[0]
            stretch = self._stretch(state, past)
            caught: list[Projected] = []

            def catch(q: Tensor, k: Tensor, v: Tensor, scale: float, dropout: float, window: int | None) -> Tensor:
                del v, dropout
                if past is not None:
                    assert cache is not None and cache.k is not None
                    k = torch.cat((cache.k[:, :, : past.pos.shape[1]], k), 2)
                caught.append((q, k, stretch.mask.windowed(window), scale))
                return torch.zeros_like(q)

            self._self_attn(layer, state.h, stretch.rope, catch)
            return caught[0]

        return AttnView(layer.input_layernorm, project, trace.record if trace is not None else _unrecorded)

    @torch.no_grad()
    def _check_numbers(self, expected_1TV: Tensor) -> None:
        """Refuse a model whose own forward pass does more than the loop does (scales, caps, norms of its own)."""
        ids = torch.arange(expected_1TV.shape[1], device=expected_1TV.device)[None]
        state = assemble(self.embed, ids, torch.ones_like(ids, dtype=torch.bool), None, video_id=-1).state
        training, cache = self.training, KVCache.empty(self.depth)
        try:
            got_1TV = self.eval().logits(self(state, cache=cache).h)
        except (TypeError, RuntimeError) as error:
            raise ValueError(refusal(self.model, f"they need more than they are given: {error}")) from error
        if (got_1TV - expected_1TV).norm() > 0.05 * expected_1TV.norm():
            raise ValueError(refusal(self.model, "transformers' own forward pass gives other numbers"))
        if not all(layer.length for layer in cache.layers):
            raise ValueError(refusal(self.model, "they have an attention of their own that takes no mask"))
        self.train(training)


def own_mask(state: SequenceState) -> AttnMask:
    """The mask of a sequence over itself."""
    return CachedRows.of(state).mask(state)


def _last_row(seen: Projected, rows: CachedRows) -> tuple[Tensor, Tensor]:
    """(B, K) attention of the only query, averaged over heads, and (B, K) which keys are visual."""
    return attention_weights(*seen).mean(1).squeeze(1), rows.visual & rows.valid


def _sites(merger: Merger | None, depth: int) -> set[Site]:
    """Where ``merger`` acts; raises ``ValueError`` for a site that would never be reached."""
    sites = {Site(*site) for site in merger.sites(depth)} if merger is not None else set()
    for site in sites:
        if site.layer not in range(depth) or site.when not in WHENS:
            raise ValueError(
                f"{type(merger).__name__}.sites gave {tuple(site)}: a layer from 0 to {depth - 1} and one of "
                f"{WHENS} are needed"
            )
    return sites


def _cast(x: Tensor) -> Tensor:
    """Cast to autocast's type once; autocast itself would do it in each of the linear layers that read ``x``."""
    device = x.device.type
    if not torch.amp.is_autocast_available(device) or not torch.is_autocast_enabled(device):
        return x
    return x.to(torch.get_autocast_dtype(device))


def _unrecorded(name: str, value: Tensor) -> None:
    """Where nobody keeps a trace."""
