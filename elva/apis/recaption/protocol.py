"""What decides the captions: recorded beside them, and the same for all of a file unless it is asked otherwise."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .validate import Rules

PROMPT = """\
These are {frames} frames of one video, in order, taken at {seconds} seconds. Describe the video in one paragraph of \
at most 150 words: what is seen, who does what in which order, what changes, the place, colours, counts and any text \
that can be read. Describe what the frames show and nothing else: no guesses, no opinions, no words about frames."""
"""The default prompt. ELVA's authors have not published theirs."""


@dataclass(frozen=True)
class Protocol:
    """What is asked and what is accepted.

    Attributes:
        model: The endpoint's name of the model.
        prompt: The user's text after the frames. ``{frames}``, ``{seconds}`` and ``{raw_caption}`` are filled in; other
            braces stay.
        system: The system's text. Default: none.
        frames: Frames of each video, spread evenly. Default: 8.
        max_side: The most pixels of a frame's longer side. Default: 512.
        quality: Of the JPEG images, 1 to 95. Default: 90.
        reader: Name of a video reader. Default: ``'DecordReader'``.
        max_tokens: The most tokens of a reply. Default: 512.
        temperature: Default: 0.2, so that a rejected caption is not answered by itself again.
        extra_body: More fields of the request's body; None removes a field. Default: none.
        rules: When a caption is kept.
    """

    model: str
    prompt: str = PROMPT
    system: str = ""
    frames: int = 8
    max_side: int = 512
    quality: int = 90
    reader: str = "DecordReader"
    max_tokens: int = 512
    temperature: float = 0.2
    extra_body: dict[str, Any] = field(default_factory=dict)
    rules: Rules = field(default_factory=Rules)

    def __post_init__(self) -> None:
        for name, most in (("frames", None), ("max_side", None), ("max_tokens", None), ("quality", 95)):
            value = getattr(self, name)
            if value < 1 or (most and value > most):
                raise ValueError(f"{name} must be at least 1{f' and at most {most}' if most else ''}, got {value}")
        if not self.prompt.strip():
            raise ValueError("The prompt is empty.")

    @property
    def digest(self) -> str:
        """Eight characters that stand for all of it; each caption carries them."""
        text = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)
        return hashlib.blake2b(text.encode(), digest_size=4).hexdigest()


def record_protocol(path: Path, protocol: Protocol, mix: bool = False) -> None:
    """Write ``protocol`` into its file, beside those that captions were made by before.

    Args:
        path: ``<out>.protocol.json``, protocols by digest.
        protocol: Of this run.
        mix: Accept that it differs from earlier ones.

    Raises:
        ValueError: If it differs and that is not accepted; the message names what differs.
    """
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if protocol.digest in known:
        return
    fresh = asdict(protocol)
    if known and not mix:
        last = list(known.values())[-1]
        changed = [name for name in fresh if fresh[name] != last.get(name)]
        raise ValueError(
            f"{path} says that the captions so far were made with other settings ({', '.join(changed)}). Take them "
            "back, name another --out, or accept captions of both in one file with --mix-protocols."
        )
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(known | {protocol.digest: fresh}, indent=1, ensure_ascii=False) + "\n", "utf-8")
    partial.replace(path)
