"""The text tokenizer of a language model, with the three tokens that a video stands between."""

from functools import lru_cache
from typing import Any

VISION_START = "<|vision_start|>"
VISION_END = "<|vision_end|>"
VIDEO_PAD = "<|video_pad|>"
"""The one token that stands for a whole video until the model puts the video's own tokens in its place."""


@lru_cache(maxsize=8)
def load_text_tokenizer(path: str) -> Any:
    """Load a Hugging Face tokenizer and make sure that it knows the vision tokens (Qwen2-VL's names).

    Text-only tokenizers (Qwen2's own) lack them; they are added behind the vocabulary in a fixed order, so their ids
    are the same wherever the same directory is loaded.

    Args:
        path: Local directory in the Hugging Face layout, or a hub name.

    Raises:
        FileNotFoundError: If there is no tokenizer at ``path``.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(path)
    except (OSError, ValueError) as error:
        raise FileNotFoundError(
            f"No text tokenizer at '{path}': {str(error).splitlines()[0]} Give the directory of a Hugging Face "
            "checkpoint (tokenizer.json, tokenizer_config.json), or make a tiny one with "
            "tools/model_tools/make_tiny_llm.py."
        ) from error
    known = tokenizer.get_vocab()
    missing = [token for token in (VISION_START, VISION_END, VIDEO_PAD) if token not in known]
    if missing:
        tokenizer.add_special_tokens({"additional_special_tokens": missing})
    return tokenizer


def stop_ids(tokenizer: Any) -> tuple[int, ...]:
    """Ids that end an answer: the end of text, and ChatML's end of turn where the tokenizer has it."""
    ids = {tokenizer.eos_token_id, tokenizer.get_vocab().get("<|im_end|>"), tokenizer.get_vocab().get("<|endoftext|>")}
    return tuple(sorted(i for i in ids if i is not None))
