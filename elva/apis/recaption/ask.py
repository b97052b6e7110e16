"""Asks about one sample until there is a caption, or reason to give up."""

import asyncio
from typing import Any

from .endpoint import Endpoint, Reply, Trouble
from .outcome import Captioned, Failed, Outcome, Spent
from .pace import Limits, Pace
from .validate import Rules


class Asker:
    """Retries, waits and checks.

    Args:
        endpoint: Whom to ask.
        rules: When a caption is kept.
        limits: How often, and how many at once.
        pace: Gives each request its turn.
    """

    def __init__(self, endpoint: Endpoint, rules: Rules, limits: Limits, pace: Pace) -> None:
        self._endpoint, self._rules, self._limits, self._pace = endpoint, rules, limits, pace
        self._slots = asyncio.Semaphore(limits.concurrency)

    async def ask(self, messages: list[dict[str, Any]]) -> Outcome:
        """The caption that the endpoint gives for ``messages``, or why there is none.

        Endpoint trouble is retried up to ``limits.attempts`` times with growing waits; a reply that breaks a rule is
        asked for again at once, up to ``limits.rejections`` times.

        Raises:
            Stopping: If the run stops while this waits.
            Trouble: With ``closed``, if the endpoint will answer nobody.
        """
        spent = Spent()
        attempts = rejections = 0
        while True:
            try:
                reply = await self._send(messages)
            except Trouble as trouble:
                spent += trouble.spent if trouble.spent.requests else Spent(1)
                attempts += 1
                if trouble.closed:
                    raise
                if not trouble.again or attempts >= self._limits.attempts:
                    return Failed(trouble.reason, trouble.detail, spent, endpoint=True)
                await self._back_off(attempts, trouble)
                continue
            spent += reply.spent
            fault = self._rules.fault(reply.text, reply.finish_reason)
            if fault is None:
                return Captioned(reply.text, reply.model, spent)
            rejections += 1
            if rejections >= self._limits.rejections:
                return Failed(*fault, spent, reply.text)

    async def _send(self, messages: list[dict[str, Any]]) -> Reply:
        async with self._slots:
            reckoned = await self._pace.turn()
            try:
                async with asyncio.timeout(self._limits.timeout):  # the client's own counts from byte to byte
                    reply = await self._endpoint.send(messages)
            except TimeoutError as error:
                raise Trouble("timeout", f"no whole reply within {self._limits.timeout:g} s") from error
            self._pace.settle(reckoned, reply.spent.tokens)
            return reply

    async def _back_off(self, attempts: int, trouble: Trouble) -> None:
        seconds = self._limits.delay(attempts)
        if trouble.wait is not None:
            wait = min(trouble.wait, self._limits.max_wait)
            self._pace.pause(wait)
            seconds = max(seconds, wait)
        await self._pace.sleep(seconds)
