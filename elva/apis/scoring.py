"""How likely a model finds given answers: one prefill of the prompt, then all of them at once on copies of its cache.

Legend: R replies, T ids of the longest, N ids of all, V vocabulary, C channels.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence

from elva.datasets.transforms import TokenizeConversation
from elva.datasets.transforms.chat_text import encode_content, encode_literal, template_pieces, turn_end
from elva.models.llms import KVCache, assemble
from elva.models.video_llm import VideoLLM
from elva.utils.text_tokenizer import load_text_tokenizer

_NO_VIDEO = -1
"""The id of a video's placeholder where there is none."""


@dataclass(frozen=True)
class ReplyScore:
    """What a model thinks of one answer.

    Attributes:
        log_probability: Natural logarithm of the probability that the model gives exactly this answer, and ends.
        tokens: Of the answer, with the one that ends it.
        greedy: Whether the model, taking the likeliest token each time, gives this answer.
    """

    log_probability: float
    tokens: int
    greedy: bool


def reply_ids(tokenize: TokenizeConversation, text: str) -> list[int]:
    """The ids that an answer has in training, with those that end it."""
    if tokenize.template == "plain":
        return [*encode_content(tokenize.path, text), load_text_tokenizer(tokenize.path).eos_token_id]
    after = template_pieces(tokenize.path, ("user", "assistant"), ("", text), reply=False)[2]
    end = turn_end(tokenize.path, after)
    return [*encode_content(tokenize.path, text), *encode_literal(tokenize.path, after)[:end]]


@torch.no_grad()
def score_replies(model: VideoLLM, inputs: dict[str, Any], replies: Sequence[Sequence[int]]) -> list[ReplyScore]:
    """Score each of ``replies`` as the answer to one prompt.

    The prefill merges, what follows does not, just as an answer is generated; all cached rows are read, also by a
    merger that reads fewer of them while decoding.

    Args:
        model: The model.
        inputs: The prompt, a batch of one as the data preprocessor gives it.
        replies: R lists of ids, at least one each.
    """
    llm = model.llm
    cache = KVCache.empty(llm.depth)
    prompt = llm(model.assemble(inputs)[0].state, model.merger, cache)
    last_1C = prompt.h[0, prompt.lengths[0] - 1][None]

    ids_RT = pad_sequence([torch.tensor(ids) for ids in replies], batch_first=True).to(last_1C.device)
    lengths_R = torch.tensor([len(ids) for ids in replies], device=ids_RT.device)
    valid_RT = torch.arange(ids_RT.shape[1], device=ids_RT.device) < lengths_R[:, None]
    copies = cache.fork(len(replies))
    state = assemble(llm.embed, ids_RT, valid_RT, None, _NO_VIDEO, start_B=copies.next_pos).state
    h_RTC = llm(state, cache=copies).h
    before_RTC = torch.cat((last_1C.expand(len(replies), 1, -1), h_RTC[:, :-1]), dim=1)

    log_NV = llm.logits(before_RTC[valid_RT]).float().log_softmax(-1)
    ids_N = ids_RT[valid_RT]
    log_N = log_NV.gather(1, ids_N[:, None]).squeeze(1)
    missed_N = log_NV.argmax(-1) != ids_N
    reply_N = valid_RT.nonzero()[:, 0]
    log_R = log_N.new_zeros(len(replies)).index_add_(0, reply_N, log_N)
    missed_R = log_N.new_zeros(len(replies)).index_add_(0, reply_N, missed_N.to(log_N))
    numbers = zip(log_R.tolist(), lengths_R.tolist(), (missed_R == 0).tolist(), strict=True)
    return [ReplyScore(*values) for values in numbers]
