"""One request to an OpenAI-compatible endpoint; whatever comes back is a reply or a :class:`Trouble`."""

import json
import os
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

from .outcome import NOTHING, Spent
from .protocol import Protocol

KEY = "OPENAI_API_KEY"
_AGAIN = (408, 409, 425, 429)
_CLOSED = (401, 403, 404)
"""Answers that say that key, address or model are wrong, not the sample."""


class Trouble(Exception):
    """A request without a usable reply.

    Attributes:
        reason: In a word or two.
        detail: What came back.
        again: Whether asking again may help.
        wait: Seconds that the endpoint asks to wait, if it does.
        closed: Whether every other request will be answered alike: wrong key, address or model, or no money left.
        spent: What the endpoint counted nevertheless.
    """

    def __init__(
        self,
        reason: str,
        detail: str,
        again: bool = True,
        wait: float | None = None,
        closed: bool = False,
        spent: Spent = NOTHING,
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail, self.again = reason, detail, again
        self.wait, self.closed, self.spent = wait, closed, spent


@dataclass(frozen=True)
class Reply:
    """What the model said.

    Attributes:
        text: Without space around it; not empty.
        finish_reason: Why it ended.
        model: The model's name as the endpoint tells it.
        spent: One request, and its tokens.
    """

    text: str
    finish_reason: str
    model: str
    spent: Spent


class Endpoint:
    """An OpenAI-compatible endpoint. The key comes from the environment, and goes nowhere but to the endpoint.

    Args:
        protocol: Model and parameters.
        base_url: Default: the variable ``OPENAI_BASE_URL``, or else OpenAI's.
        timeout: The most seconds that a request may take, from the connection to the last byte.

    Raises:
        ValueError: If the client is not installed, or OpenAI's own address is to be asked without a key.
    """

    def __init__(self, protocol: Protocol, base_url: str | None, timeout: float) -> None:
        self._key = api_key(base_url)
        self._openai = import_openai()
        self._client = self._openai.AsyncOpenAI(
            api_key=self._key or "none", base_url=base_url, max_retries=0, timeout=timeout
        )
        body = {"max_tokens": protocol.max_tokens, "temperature": protocol.temperature} | protocol.extra_body
        self._body = {name: value for name, value in body.items() if value is not None}
        self._model = protocol.model

    async def send(self, messages: list[dict[str, Any]]) -> Reply:
        """Ask once.

        Raises:
            Trouble: If there is no usable reply.
        """
        openai = self._openai
        try:
            completions = self._client.chat.completions.with_raw_response
            response = await completions.create(model=self._model, messages=messages, extra_body=self._body)
            return parse_reply(response.http_response.content)
        except openai.APITimeoutError as error:
            raise Trouble("timeout", "the endpoint took too long") from error
        except openai.APIStatusError as error:
            raise self._refused(error) from error
        except openai.APIConnectionError as error:
            raise Trouble("connection", self._clean(repr(error.__cause__ or error))) from error
        except openai.OpenAIError as error:
            raise Trouble("no reply", self._clean(repr(error))) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _refused(self, error: Any) -> Trouble:
        status = error.status_code
        broke = getattr(error, "code", None) == "insufficient_quota"
        again = (status in _AGAIN or status >= 500) and not broke
        detail = self._clean(" ".join(error.response.text.split()))
        wait = retry_after(error.response.headers)
        return Trouble(f"http {status}", detail, again, wait, closed=broke or status in _CLOSED)

    def _clean(self, text: str) -> str:
        """A short text without the key, which some endpoints repeat in their errors."""
        return (text.replace(self._key, "***") if self._key else text)[:300]


def import_openai() -> Any:
    """The ``openai`` package.

    Raises:
        ValueError: If it is not installed.
    """
    try:
        import openai
    except ImportError as error:
        raise ValueError("Recaptioning needs the openai client: pip install 'elva[openai]'") from error
    return openai


def api_key(base_url: str | None) -> str:
    """The key from the environment; empty if there is none, as servers of one's own want none.

    Raises:
        ValueError: If OpenAI's own endpoint is to be asked without one.
    """
    key = os.environ.get(KEY, "").strip()
    if not key and not base_url and not os.environ.get("OPENAI_BASE_URL"):
        raise ValueError(f"Set {KEY} in the environment, or name a server that needs no key with --base-url.")
    return key


def parse_reply(content: bytes) -> Reply:
    """Read the body of an answer, whatever it is.

    Raises:
        Trouble: If it is no chat completion, or has no text.
    """
    try:
        body = json.loads(content)
        choice = body["choices"][0]
        message = choice["message"]
        text = message.get("content") or message.get("refusal") or ""
        text = text if isinstance(text, str) else "".join(part.get("text") or "" for part in text)
        text.encode()  # not so half of a UTF-16 pair, of which a server made a reply in spite of all
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        start = content[:80].decode(errors="replace")
        raise Trouble("no reply", f"the body is no chat completion: {start!r}") from error
    finish = "content_filter" if message.get("refusal") else str(choice.get("finish_reason") or "stop")
    usage = body.get("usage") if isinstance(body.get("usage"), dict) else {}
    spent = Spent(1, _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens")))
    if not text.strip():
        raise Trouble("empty", f"the reply has no text (finish_reason {finish})", spent=spent)
    return Reply(text.strip(), finish, str(body.get("model") or ""), spent)


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def retry_after(headers: Any) -> float | None:
    """Seconds that ``Retry-After`` asks for (a number, or a date); None if it is not there or not readable."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time()
        except ValueError:
            return None
    return max(0.0, seconds) if seconds < float("inf") else None
