"""What becomes of a sample: a caption, or a reason why there is none."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Spent:
    """What the requests of a sample, or of all samples, took.

    Attributes:
        requests: Requests sent, failed ones included.
        tokens_in: Tokens of prompts, as far as the endpoint told.
        tokens_out: Tokens of replies, as far as the endpoint told.
    """

    requests: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            self.requests + other.requests, self.tokens_in + other.tokens_in, self.tokens_out + other.tokens_out
        )

    @property
    def tokens(self) -> int:
        """Tokens in and out."""
        return self.tokens_in + self.tokens_out


NOTHING = Spent()


@dataclass(frozen=True)
class Captioned:
    """A caption that passed all checks.

    Attributes:
        caption: Without space around it.
        model: The model's name as the endpoint tells it.
        spent: Of all its requests.
    """

    caption: str
    model: str
    spent: Spent

    def line(self) -> dict[str, Any]:
        """Its part of a line of the journal."""
        return {"caption": self.caption, "model": self.model, **asdict(self.spent)}


@dataclass(frozen=True)
class Failed:
    """No caption.

    Attributes:
        reason: In one word: of the video (``'video'``, ``'annotation'``), the endpoint (``'connection'``,
            ``'timeout'``, ``'http 500'``, ``'no reply'``, ...) or the reply (``Rules.fault``).
        detail: What was found.
        spent: Of all its requests.
        reply: The text that was rejected last, if one was.
        endpoint: Whether the endpoint is at fault, not the sample.
    """

    reason: str
    detail: str
    spent: Spent = NOTHING
    reply: str = ""
    endpoint: bool = False

    def line(self) -> dict[str, Any]:
        """Its part of a line of the journal."""
        text = {"reply": self.reply} if self.reply else {}
        return {"error": self.reason, "detail": self.detail, **text, **asdict(self.spent)}


Outcome = Captioned | Failed
