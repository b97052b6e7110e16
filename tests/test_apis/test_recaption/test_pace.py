import asyncio
import time

import pytest

from elva.apis.recaption import Limits
from elva.apis.recaption.pace import Pace, Stopping


class FakePace(Pace):
    """A pace whose clock goes by its own waits."""

    def __init__(self, limits: Limits, first_guess: int = 100) -> None:
        self.now = 0.0
        super().__init__(limits, asyncio.Event(), first_guess, clock=lambda: self.now)

    async def sleep(self, seconds: float) -> None:
        self.now += max(0.0, seconds)


def starts(limits: Limits, tokens: list[int]) -> list[float]:
    """When requests that take so many tokens are sent, one after another."""

    async def go() -> list[float]:
        pace, times = FakePace(limits), []
        for amount in tokens:
            reckoned = await pace.turn()
            times.append(pace.now)
            pace.settle(reckoned, amount)
        return times

    return asyncio.run(go())


def test_no_minute_holds_more_requests_than_its_limit():
    times = starts(Limits(requests_per_minute=30), [0] * 100)
    assert times == pytest.approx([2.0 * n for n in range(100)])


def test_tokens_are_made_up_for_when_they_are_known():
    times = starts(Limits(tokens_per_minute=600), [100] * 10)
    assert times == pytest.approx([10.0 * n for n in range(10)])
    long = starts(Limits(tokens_per_minute=600), [500, 100, 100])
    assert long[1] == pytest.approx(50)  # 500 tokens are 50 s, though 100 were reckoned
    total = starts(Limits(tokens_per_minute=600), [50, 250] * 20)
    assert total[-1] == pytest.approx((20 * 300 - 250) / 10, rel=0.05)


def test_the_tighter_limit_counts_and_none_is_no_limit():
    assert starts(Limits(requests_per_minute=60, tokens_per_minute=600), [100] * 3) == pytest.approx([0, 10, 20])
    assert starts(Limits(), [1000] * 3) == [0, 0, 0]


def test_a_pause_holds_everyone_back():
    async def go() -> float:
        pace = FakePace(Limits())
        pace.pause(7)
        pace.pause(3)
        await pace.turn()
        return pace.now

    assert asyncio.run(go()) == 7


def test_a_stop_ends_every_wait():
    async def go() -> float:
        stop = asyncio.Event()
        pace = Pace(Limits(), stop, 100)
        asyncio.get_running_loop().call_later(0.05, stop.set)
        begin = time.monotonic()
        with pytest.raises(Stopping):
            await pace.sleep(60)
        with pytest.raises(Stopping):
            await pace.turn()
        return time.monotonic() - begin

    assert asyncio.run(go()) < 5


def test_waits_double_up_to_the_limit():
    limits = Limits(backoff=1, max_wait=10)
    for attempt, most in ((1, 1), (2, 2), (3, 4), (4, 8), (5, 10), (2000, 10)):
        assert all(most / 2 <= limits.delay(attempt) <= most for _ in range(50))
    assert len({limits.delay(3) for _ in range(10)}) > 1


@pytest.mark.parametrize("name", ["concurrency", "timeout", "attempts", "rejections", "give_up"])
def test_limits_that_make_no_sense(name):
    with pytest.raises(ValueError, match=f"{name} must be above 0"):
        Limits(**{name: 0})
    with pytest.raises(ValueError, match="backoff must be at least 0"):
        Limits(backoff=-1)
