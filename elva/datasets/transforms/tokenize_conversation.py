"""From a conversation to token ids and labels. Legend: Lt text tokens."""

from collections.abc import Iterator
from typing import Any

import torch
from mmcv.transforms import BaseTransform

from elva.registry import TRANSFORMS
from elva.utils.text_tokenizer import VIDEO_PAD, VISION_END, VISION_START, load_text_tokenizer

from ..conversation import VIDEO_TAG
from .chat_text import encode_content, encode_literal, template_pieces, turn_end

NO_LOSS = -100

Span = tuple[tuple[int, ...], bool]
"""Ids, and whether they are learned."""


@TRANSFORMS.register_module()
class TokenizeConversation(BaseTransform):
    """Adds ``input_ids`` and ``labels`` of a conversation, and its last ``question`` and ``answer``.

    Each ``<video>`` in a question becomes three ids: ``<|vision_start|>``, ``<|video_pad|>`` (which the model replaces
    by the video) and ``<|vision_end|>``; or the second alone (``vision_marks=False``). The loss is on what the
    assistant says, and on the token that ends its turn.

    Args:
        path: Directory or hub name of a Hugging Face tokenizer; loaded when first used, in each worker process.
        template: ``'chat'`` is the tokenizer's own chat template. ``'plain'`` is the videos, then the one answer, then
            the end-of-text token; what was asked is left out (captioning). Default: ``'chat'``.
        max_length: In training, a sample of more ids than this is refused (a video counts as three). Default: no limit.
        mode: ``'train'`` takes every turn. ``'test'`` stops before the last answer, where the model goes on, and makes
            no labels. Default: ``'train'``.
        vision_marks: Whether ``<|vision_start|>`` and ``<|vision_end|>`` stand around each video. LLaVA's checkpoints
            were trained without. Default: True.
    """

    def __init__(
        self,
        path: str,
        template: str = "chat",
        max_length: int | None = None,
        mode: str = "train",
        vision_marks: bool = True,
    ) -> None:
        if template not in ("chat", "plain"):
            raise ValueError(f"TokenizeConversation: template must be 'chat' or 'plain', got '{template}'")
        if mode not in ("train", "test"):
            raise ValueError(f"TokenizeConversation: mode must be 'train' or 'test', got '{mode}'")
        self.path = path
        self.template = template
        self.max_length = max_length
        self.mode = mode
        self.video = f"{VISION_START}{VIDEO_PAD}{VISION_END}" if vision_marks else VIDEO_PAD

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Return ``results`` with ``input_ids`` (Lt,), ``labels`` (Lt,) or None, ``question`` and ``answer``.

        Raises:
            ValueError: If the sample is too long, or the template cannot be used; the sample is named.
        """
        turns = results["conversations"]
        asked, answer = (turns[:-1], turns[-1]["content"]) if turns[-1]["role"] == "assistant" else (turns, "")
        if self.mode == "train":
            asked = turns
        make = self._chat if self.template == "chat" else self._plain
        spans = list(make(asked))
        ids = [i for span, _ in spans for i in span]
        train = self.mode == "train"
        if train and self.max_length is not None and len(ids) > self.max_length:
            raise ValueError(f"sample '{results['id']}' has {len(ids)} text tokens, max_length is {self.max_length}")
        labels = [label for span, learned in spans for label in (span if learned else (NO_LOSS,) * len(span))]
        return results | {
            "input_ids": torch.tensor(ids, dtype=torch.long),
            "labels": torch.tensor(labels, dtype=torch.long) if train else None,
            "question": next((turn["content"] for turn in reversed(turns) if turn["role"] == "user"), ""),
            "answer": answer,
        }

    def _chat(self, turns: list[dict[str, str]]) -> Iterator[Span]:
        roles = tuple(turn["role"] for turn in turns)
        contents = tuple(turn["content"] for turn in turns)
        pieces = template_pieces(self.path, roles, contents, reply=self.mode == "test")
        yield encode_literal(self.path, pieces[0]), False
        for role, content, piece in zip(roles, contents, pieces[1:], strict=True):
            after = encode_literal(self.path, piece)
            if role == "assistant":
                end = turn_end(self.path, piece)
                yield encode_content(self.path, content) + after[:end], True
                yield after[end:], False
            else:
                yield from self._with_videos(content)
                yield after, False

    def _plain(self, turns: list[dict[str, str]]) -> Iterator[Span]:
        tokenizer = load_text_tokenizer(self.path)
        if tokenizer.bos_token_id is not None:
            yield (tokenizer.bos_token_id,), False
        videos = sum(turn["content"].count(VIDEO_TAG) for turn in turns if turn["role"] == "user")
        yield self._video() * videos, False
        answers = [turn["content"] for turn in turns if turn["role"] == "assistant"]
        if self.mode == "train":
            if len(answers) != 1:
                raise ValueError(f"template='plain' takes one answer a sample, got {len(answers)}")
            yield (*encode_content(self.path, answers[0]), tokenizer.eos_token_id), True

    def _with_videos(self, content: str) -> Iterator[Span]:
        """What a user said, with the ids of a video for each tag."""
        for number, text in enumerate(content.split(VIDEO_TAG)):
            if number:
                yield self._video(), False
            if text:
                yield encode_content(self.path, text), False

    def _video(self) -> tuple[int, ...]:
        return encode_literal(self.path, self.video)
