import asyncio
from typing import Any

from elva.apis.recaption import Limits, Rules
from elva.apis.recaption.ask import Asker
from elva.apis.recaption.endpoint import Reply
from elva.apis.recaption.outcome import Captioned, Spent
from elva.apis.recaption.pace import Pace
from tests.test_apis.test_recaption.chat_server import CAPTION


class Answering:
    """An endpoint whose replies take so many tokens."""

    def __init__(self, tokens: list[int]) -> None:
        self.tokens = iter(tokens)

    async def send(self, messages: list[dict[str, Any]]) -> Reply:
        return Reply(CAPTION, "stop", "m", Spent(1, next(self.tokens), 0))


def test_the_pace_is_told_what_each_request_took() -> None:
    async def go() -> list[float]:
        now = [0.0]

        class Waiting(Pace):
            async def sleep(self, seconds: float) -> None:
                now[0] += max(0.0, seconds)

        limits, times = Limits(tokens_per_minute=600), []
        pace = Waiting(limits, asyncio.Event(), 100, clock=lambda: now[0])
        asker = Asker(Answering([500, 10, 10]), Rules(), limits, pace)  # type: ignore[arg-type]
        for _ in range(3):
            assert isinstance(await asker.ask([]), Captioned)
            times.append(now[0])
        return times

    first, second, third = asyncio.run(go())
    assert first == 0 and second == 50  # 500 tokens are 50 s of 600 a minute, not the 10 s that were reckoned
    assert third > second
