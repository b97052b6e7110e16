"""Renders and tokenizes chat templates piece by piece, so that a sample costs a few cache look-ups.

A template is rendered once for each sequence of roles, with marks in place of what was said; the texts between the
marks never change. They alone may hold special tokens: what users write is tokenized with special tokens split up, so
that nobody can write ``<|im_end|>`` or ``<|video_pad|>`` into a conversation.
"""

from functools import lru_cache

from elva.utils.text_tokenizer import load_text_tokenizer


@lru_cache(maxsize=1 << 12)  # a long caption's ids are some 4 KB of Python's integers
def encode_content(path: str, text: str) -> tuple[int, ...]:
    """Ids of what somebody said; text that looks like a special token stays text."""
    tokenizer = load_text_tokenizer(path)
    return tuple(tokenizer.encode(text, add_special_tokens=False, split_special_tokens=True))


@lru_cache(maxsize=1 << 12)
def encode_literal(path: str, text: str) -> tuple[int, ...]:
    """Ids of a template's own text, special tokens included."""
    return tuple(load_text_tokenizer(path).encode(text, add_special_tokens=False, split_special_tokens=False))


@lru_cache(maxsize=1 << 12)
def turn_end(path: str, text: str) -> int:
    """How many ids of a template's text after an answer end that answer: up to its first special token."""
    special = set(load_text_tokenizer(path).all_special_ids)
    ids = encode_literal(path, text)
    return next((number + 1 for number, i in enumerate(ids) if i in special), 0)


def template_pieces(path: str, roles: tuple[str, ...], contents: tuple[str, ...], reply: bool) -> tuple[str, ...]:
    """The template's texts before, between and after ``contents``: one more than there are turns.

    Args:
        path: The tokenizer's directory or hub name.
        roles: Of each turn.
        contents: Of each turn; used only where a template does not let the marks through unchanged.
        reply: Whether the start of the assistant's next turn follows.

    Raises:
        ValueError: If the tokenizer has no chat template, or it changes what was said.
    """
    pieces = _pieces_by_roles(path, roles, reply) or _split(_render(path, roles, contents, reply), contents)
    if pieces is None:
        raise ValueError(f"the chat template of '{path}' changes the turns' text: it cannot be used with labels")
    return pieces


@lru_cache(maxsize=256)
def _pieces_by_roles(path: str, roles: tuple[str, ...], reply: bool) -> tuple[str, ...] | None:
    marks = tuple(f"xELVAxTURNx{number}x" for number in range(len(roles)))
    return _split(_render(path, roles, marks, reply), marks)


def _render(path: str, roles: tuple[str, ...], contents: tuple[str, ...], reply: bool) -> str:
    tokenizer = load_text_tokenizer(path)
    if not tokenizer.chat_template:
        raise ValueError(f"the tokenizer '{path}' has no chat template; use template='plain' or another tokenizer")
    messages = [{"role": role, "content": content} for role, content in zip(roles, contents, strict=True)]
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=reply)


def _split(text: str, contents: tuple[str, ...]) -> tuple[str, ...] | None:
    """``text`` cut at each of ``contents``, or None if one is missing."""
    pieces = []
    for content in contents:
        piece, found, text = text.partition(content)
        if not found:
            return None
        pieces.append(piece)
    return (*pieces, text)
