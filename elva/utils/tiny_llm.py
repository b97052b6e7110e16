"""A tiny random language model in the Hugging Face directory layout, with a tokenizer trained on annotations.

It takes the same road as the published models: ``from_pretrained`` of a folder with ``config.json``, safetensors,
``tokenizer.json`` and a ChatML template.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .text_tokenizer import VIDEO_PAD, VISION_END, VISION_START

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SPECIAL_TOKENS = (END_OF_TEXT, TURN_START, TURN_END, VISION_START, VISION_END, VIDEO_PAD)

CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
"""ChatML as in Qwen2, without the default system turn."""


@dataclass(frozen=True)
class TinyLLMSettings:
    """The shape of the model.

    Attributes:
        hidden: Width.
        layers: Depth.
        heads: Query heads; must divide ``hidden``.
        kv_heads: Key and value heads; must divide ``heads``.
        intermediate: Width of the feed-forward part.
        vocab: Largest size of the vocabulary, special tokens included; at least 262 (256 bytes and 6 tokens).
        untied: Give the output layer weights of its own instead of the embedding's.
        init_std: Standard deviation of the random weights. 0.02, usual for large models, leaves a narrow one almost
            linear, and slow to start; 1 / sqrt(hidden) keeps the scale of what passes through.
        seed: Of the random weights.
        max_shard_size: Split the weights into files of at most this size, such as ``'1MB'``. Default: one file.
    """

    hidden: int = 128
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    intermediate: int = 384
    vocab: int = 600
    untied: bool = False
    init_std: float = 0.08
    seed: int = 0
    max_shard_size: str = "50GB"

    def __post_init__(self) -> None:
        if self.hidden % self.heads or self.heads % self.kv_heads:
            raise ValueError(
                f"tiny LLM: heads must divide hidden and kv_heads must divide heads, got hidden={self.hidden}, "
                f"heads={self.heads}, kv_heads={self.kv_heads}"
            )
        if self.hidden // self.heads % 2:
            raise ValueError(
                f"tiny LLM: hidden / heads must be even for rotary positions, got {self.hidden}/{self.heads}"
            )
        if self.vocab < 256 + len(SPECIAL_TOKENS):
            raise ValueError(f"tiny LLM: vocab must be at least {256 + len(SPECIAL_TOKENS)}, got {self.vocab}")


def make_tiny_llm(out: str | Path, texts: Sequence[str | Path], settings: TinyLLMSettings | None = None) -> int:
    """Write a random Qwen2 checkpoint and a byte-level BPE tokenizer into the folder ``out``.

    Args:
        out: Made where it does not exist.
        texts: LLaVA-style annotation files (JSON or JSONL) whose conversations the tokenizer is trained on.
        settings: The shape of the model. Default: ``TinyLLMSettings()``.

    Returns:
        The number of the model's parameters. The same texts and settings give the same files.

    Raises:
        FileNotFoundError: If one of ``texts`` does not exist.
        ValueError: If one of ``texts`` is not an annotation file.
    """
    settings = settings or TinyLLMSettings()
    lines = [line for path in texts for line in _lines(Path(path))]
    vocab = _write_tokenizer(Path(out), lines, settings.vocab)
    return _write_model(Path(out), vocab, settings)


def _lines(path: Path) -> Iterator[str]:
    """Texts of the conversations of an annotation file, without placeholders."""
    from elva.datasets.annotations import open_annotations

    samples = open_annotations(path)
    for index in range(len(samples)):
        for turn in samples[index].get("conversations", ()):
            text = turn.get("value", turn.get("content", ""))
            yield re.sub(r"<(video|image)>\s*", "", text)


def _write_tokenizer(out: Path, lines: list[str], vocab: int) -> int:
    """Train and save the tokenizer; return the number of its tokens."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast, Qwen2Tokenizer

    # AutoTokenizer reads the tokenizer of a Qwen2 model with Qwen2's own splitting rules: train with the same.
    rules = Qwen2Tokenizer().backend_tokenizer
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer, tokenizer.pre_tokenizer, tokenizer.decoder = (
        rules.normalizer,
        rules.pre_tokenizer,
        rules.decoder,
    )
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    # The words of the template itself are part of every text.
    tokenizer.train_from_iterator([*lines, "system\n", "user\n", "assistant\n"], trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=TURN_END,
        pad_token=END_OF_TEXT,
        additional_special_tokens=[TURN_START, TURN_END, VISION_START, VISION_END, VIDEO_PAD],
        clean_up_tokenization_spaces=False,
        model_max_length=32768,
    )
    fast.chat_template = CHAT_TEMPLATE
    fast.save_pretrained(out)
    return len(fast)


def _write_model(out: Path, vocab: int, settings: TinyLLMSettings) -> int:
    """Save random weights for ``vocab`` tokens; return the number of parameters."""
    import torch
    from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(out)
    config = Qwen2Config(
        vocab_size=vocab,
        hidden_size=settings.hidden,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.kv_heads,
        intermediate_size=settings.intermediate,
        max_position_embeddings=32768,
        initializer_range=settings.init_std,
        tie_word_embeddings=not settings.untied,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = Qwen2ForCausalLM(config)
    model.save_pretrained(out, max_shard_size=settings.max_shard_size)
    return model.num_parameters()
