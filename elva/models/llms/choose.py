"""Multiple choice without text to parse: the answer is the option whose letter is the likeliest next token.

Legend: B samples, C channels.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from elva.structures import VideoQASample

from .base import DecoderLLM


class Choices:
    """Which samples of a batch are answered by the logits of a few tokens, and what these are.

    Args:
        tokenizer: The Hugging Face text tokenizer.
        samples: B samples; those whose ``choices`` are empty are answered in text.

    Attributes:
        ids: The tokens of each sample's choices; empty where it is answered in text.
        logits: Of these tokens, once :meth:`take` was called.

    Raises:
        ValueError: If a choice is not one token of its own.
    """

    def __init__(self, tokenizer: Any, samples: Sequence[VideoQASample]) -> None:
        self.samples = samples
        known = {letter: _token(tokenizer, letter) for letter in {x for sample in samples for x in sample.choices}}
        self.ids = [[known[letter] for letter in sample.choices] for sample in samples]
        self.logits: list[list[float]] = [[] for _ in samples]
        for sample, ids in zip(samples, self.ids, strict=True):
            if len(set(ids)) < len(ids):
                raise ValueError(f"sample '{sample.id}': the text tokenizer does not tell {sample.choices} apart")

    def __bool__(self) -> bool:
        """Whether any sample has choices."""
        return any(self.ids)

    def take(self, llm: DecoderLLM, h_BC: Tensor) -> Tensor:
        """Note the logits of what may follow the prompts, whose last rows are ``h_BC``.

        Returns:
            (B,) bool: who is answered in text.
        """
        tokens = sorted({token for ids in self.ids for token in ids})
        column = {token: number for number, token in enumerate(tokens)}
        rows = llm.logits_of(h_BC, tokens).tolist()  # one synchronisation
        self.logits = [[row[column[token]] for token in ids] for row, ids in zip(rows, self.ids, strict=True)]
        return torch.tensor([not ids for ids in self.ids], device=h_BC.device)

    def write(self) -> None:
        """Write prediction and ``stats['option_logits']`` into the samples that have choices; a tie takes the first."""
        for sample, logits in zip(self.samples, self.logits, strict=True):
            if logits:
                sample.prediction = sample.choices[logits.index(max(logits))]
                sample.stats["option_logits"] = dict(zip(sample.choices, logits, strict=True))


def _token(tokenizer: Any, letter: str) -> int:
    """The id that an answer of this one letter has, tokenized as answers are in training."""
    ids = tokenizer.encode(letter, add_special_tokens=False)
    if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
        raise ValueError(
            f"option '{letter}' is no token of its own in this text tokenizer (it gives {ids}), so there is no logit "
            "of it: take scoring='generate'"
        )
    return ids[0]
