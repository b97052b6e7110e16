"""When a request may be sent: rate limits, and pauses that the endpoint asks for."""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """How hard the endpoint is asked.

    Attributes:
        concurrency: Requests in flight at once. Default: 16.
        requests_per_minute: 0 for no limit. Default: 0.
        tokens_per_minute: Tokens in and out; 0 for no limit. Default: 0.
        timeout: The most seconds of a request. Default: 120.
        attempts: Requests for a sample while the endpoint fails. Default: 6.
        rejections: Replies for a sample while they are rejected. Default: 2.
        backoff: Seconds before the second attempt; twice as many before each further one. Default: 1.
        max_wait: The most seconds of a wait, those that the endpoint asks for included. Default: 300.
        give_up: Samples in a row that the endpoint fails, each after all its attempts, before the run stops.
            Default: 32.
    """

    concurrency: int = 16
    requests_per_minute: float = 0
    tokens_per_minute: float = 0
    timeout: float = 120.0
    attempts: int = 6
    rejections: int = 2
    backoff: float = 1.0
    max_wait: float = 300.0
    give_up: int = 32

    def __post_init__(self) -> None:
        for name in ("concurrency", "timeout", "attempts", "rejections", "give_up"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, got {getattr(self, name)}")
        for name in ("requests_per_minute", "tokens_per_minute", "backoff", "max_wait"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must be at least 0, got {getattr(self, name)}")

    def delay(self, attempt: int) -> float:
        """Seconds before attempt ``attempt + 1``: exponential, with half of it by chance so that workers spread."""
        whole = min(self.backoff * 2.0 ** min(attempt - 1, 30), self.max_wait)
        return whole * random.uniform(0.5, 1.0)


class Stopping(Exception):
    """The run was asked to stop; what was waited for is given up."""


class Pace:
    """Gives each request its turn. Turns are spaced evenly, so that no minute holds more than its limit.

    Tokens of a request are known only after its reply: until then the mean of earlier requests stands for them, and
    the difference is made up for afterwards.

    Args:
        limits: Per minute.
        stop: Ends every wait.
        first_guess: Tokens of a request before any reply came.
        clock: Seconds. Default: ``time.monotonic``.
    """

    def __init__(
        self, limits: Limits, stop: asyncio.Event, first_guess: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stop, self._clock = stop, clock
        self._request_step = 60 / limits.requests_per_minute if limits.requests_per_minute else 0.0
        self._token_step = 60 / limits.tokens_per_minute if limits.tokens_per_minute else 0.0
        self._next_request = self._next_token = self._paused = 0.0
        self._mean, self._known = float(first_guess), 0

    async def turn(self) -> float:
        """Wait until a request may be sent; returns the tokens that are reckoned for it.

        Raises:
            Stopping: If the run stops meanwhile.
        """
        now = self._clock()
        start = max(now, self._next_request, self._next_token)
        self._next_request = max(now, self._next_request) + self._request_step
        reckoned = self._mean
        self._next_token = max(now, self._next_token) + reckoned * self._token_step
        await self.sleep(start - now)
        while (left := self._paused - self._clock()) > 0:
            await self.sleep(left)
        return reckoned

    def settle(self, reckoned: float, tokens: int) -> None:
        """Tell what a request took: ``tokens``, where ``reckoned`` were reckoned (0 if the endpoint did not say)."""
        if tokens:
            self._known += 1
            self._mean += (tokens - self._mean) / min(self._known, 100)
            self._next_token += (tokens - reckoned) * self._token_step

    def pause(self, seconds: float) -> None:
        """No request for so long: the endpoint said so to one, and means all."""
        self._paused = max(self._paused, self._clock() + seconds)

    async def sleep(self, seconds: float) -> None:
        """Wait.

        Raises:
            Stopping: If the run stops meanwhile, or has stopped.
        """
        if seconds > 0 and not self._stop.is_set():
            try:
                await asyncio.wait_for(self._stop.wait(), seconds)
            except TimeoutError:
                return
        if self._stop.is_set():
            raise Stopping
