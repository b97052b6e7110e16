"""Text, token by token, after one prefill.

Legend: B batch, L rows, V vocabulary.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from elva.models.mergers.base import Merger
from elva.structures import Kind, SequenceState, SourceMap

from .base import DecoderLLM
from .cache import KVCache
from .choose import Choices
from .trace import Trace


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen.

    Attributes:
        max_new_tokens: At most so many tokens.
        temperature: 0 takes the likeliest token; higher values sample from a flatter distribution.
        top_p: Sample from the smallest set of tokens whose probability reaches this.
        seed: Of the random numbers, so that a run can be repeated.
    """

    max_new_tokens: int = 32
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1 or self.temperature < 0 or not 0 < self.top_p <= 1:
            raise ValueError(
                f"generation: max_new_tokens={self.max_new_tokens} (at least 1), temperature={self.temperature} "
                f"(at least 0), top_p={self.top_p} (above 0, at most 1)"
            )


@torch.no_grad()
def generate(
    llm: DecoderLLM,
    state: SequenceState,
    stop_ids: tuple[int, ...],
    sampling: Sampling | None = None,
    merger: Merger | None = None,
    cache: KVCache | None = None,
    trace: Trace | None = None,
    choices: Choices | None = None,
) -> list[list[int]]:
    """Continue each sample of a batch until a stop token.

    The prefill merges, decoding does not; the position of a new token is the original length plus the step, in every
    layer, however short that layer's cache became.

    Args:
        llm: The language model.
        state: The assembled prompts, of any lengths.
        stop_ids: Tokens that end an answer; they are not part of it.
        sampling: Default: greedy, at most 32 tokens.
        merger: For the prefill; its ``cache_selector``, if it has one, for decoding. Default: none.
        cache: Of what stands before ``state`` (a video's prefix). Default: nothing does.
        trace: Takes the numbers of the prefill. Default: none.
        choices: Takes the logits that follow the prompts; samples that have any are not continued. Default: none.

    Returns:
        B lists of token ids.
    """
    sampling = sampling or Sampling()
    cache = cache if cache is not None else KVCache.empty(llm.depth)
    selector = merger.cache_selector() if merger is not None else None
    random = torch.Generator(state.h.device).manual_seed(sampling.seed)
    out = llm(state, merger, cache, trace)
    h_BC = out.h.gather(1, (out.lengths - 1)[:, None, None].expand(-1, 1, out.h.shape[2])).squeeze(1)
    stops = torch.tensor(stop_ids, device=h_BC.device)
    answers: list[list[int]] = [[] for _ in h_BC]
    open_B = choices.take(llm, h_BC) if choices else torch.ones(len(h_BC), dtype=torch.bool, device=h_BC.device)
    for step in range(sampling.max_new_tokens):
        id_B = _choose(llm.logits(h_BC), sampling, random)
        open_B &= ~torch.isin(id_B, stops)
        tokens, going = torch.stack((id_B, open_B)).tolist()  # one synchronisation
        for answer, token, goes_on in zip(answers, tokens, going, strict=True):
            if goes_on:
                answer.append(token)
        if step + 1 == sampling.max_new_tokens or not any(going):
            break
        assert cache.next_pos is not None
        h_BC = llm(_next_row(llm.embed(id_B), cache.next_pos), cache=cache, selector=selector).h.squeeze(1)
    return answers


def _choose(logits_BV: Tensor, sampling: Sampling, random: torch.Generator) -> Tensor:
    """(B,) the next token of each sample."""
    if sampling.temperature == 0:
        return logits_BV.argmax(-1)
    probability, order = torch.softmax(logits_BV.float() / sampling.temperature, -1).sort(-1, descending=True)
    before = probability.cumsum(-1) - probability  # the likeliest token always stays
    kept = probability.masked_fill(before >= sampling.top_p, 0.0)
    return order.gather(1, torch.multinomial(kept, 1, generator=random)).squeeze(1)


def _next_row(x_BC: Tensor, pos_B: Tensor) -> SequenceState:
    """The state of one more text row."""
    one = pos_B[:, None]
    valid = torch.ones_like(one, dtype=torch.bool)
    none = torch.full_like(one, -1)
    kind = torch.full_like(one, int(Kind.TEXT))
    return SequenceState(x_BC[:, None], one, one, valid.float(), none, none, kind, valid, SourceMap.identity(valid))
