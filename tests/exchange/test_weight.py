from __future__ import annotations

import asyncio

import pytest

from broker.errors import BrokerError, Code
from broker.exchange import Market
from broker.exchange.guarded_call import Calls
from broker.exchange.weight import READS_PCT, Weight, leaving_room, weight_ceiling_pct


class Now:
    """12 s into a minute, and what has gone by since, whatever the clock is set to."""

    ms = 1_700_000_000_000 // 60_000 * 60_000 + 12_000
    gone = 0.0

    def __call__(self) -> int:
        return self.ms

    def elapsed(self) -> float:
        return self.gone

    def advance(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)
        self.gone += seconds


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def weight(now: Now) -> Weight:
    return Weight(now, limit=1000, elapsed=now.elapsed)


def refusal(weight: Weight, pct: int = 100) -> int:
    """After how many seconds it may be tried again."""
    with pytest.raises(BrokerError) as failed, leaving_room(pct):
        weight.check()
    assert failed.value.code is Code.RATE_LIMITED
    seconds: int = failed.value.details["retryAfterSeconds"]
    return seconds


def test_who_leaves_room_stops_before_others_do(weight: Weight) -> None:
    weight.note(200, {"x-mbx-used-weight-1m": "900"})
    assert refusal(weight, 90) == 48
    weight.check()


def test_a_spent_weight_comes_back_with_binances_minute(weight: Weight, now: Now) -> None:
    weight.note(200, {"x-mbx-used-weight-1m": "1000"})
    assert refusal(weight) == 48
    now.advance(48)
    weight.check()
    assert weight.used == 0


@pytest.mark.parametrize(
    ("http", "headers", "seconds"),
    [(429, {"retry-after": "7"}, 7), (429, {}, 60), (418, {}, 120), (418, {"retry-after": "soon"}, 120)],
)
def test_a_ban_holds_as_long_as_binance_says(
    weight: Weight, now: Now, http: int, headers: dict[str, str], seconds: int
) -> None:
    weight.note(http, headers)
    assert refusal(weight) == seconds
    now.advance(seconds - 0.5)
    assert refusal(weight) == 1
    now.advance(0.5)
    weight.check()


@pytest.mark.parametrize("step_seconds", [-600, 600])
def test_a_ban_is_neither_longer_nor_shorter_when_the_clock_is_set(
    weight: Weight, now: Now, step_seconds: int
) -> None:
    weight.note(429, {"retry-after": "10"})
    now.ms += step_seconds * 1000
    assert refusal(weight) == 10
    now.advance(10)
    weight.check()


def test_an_answer_without_the_header_changes_nothing(weight: Weight) -> None:
    weight.note(200, {"x-mbx-used-weight-1m": "400"})
    weight.note(400, {})
    assert weight.used == 400


@pytest.mark.anyio
async def test_a_read_is_shared_among_those_who_leave_the_same_room(weight: Weight) -> None:
    calls, made, goes_on = Calls(Market.SPOT, weight, 8.0, distrust=lambda: None), [], asyncio.Event()

    async def read() -> int:
        made.append(weight_ceiling_pct())
        await goes_on.wait()
        return weight_ceiling_pct()

    async def agent() -> int:
        with leaving_room(80):
            return await calls.share("a price", read)

    asked = [agent(), agent(), calls.share("a price", read), calls.share("a price", read)]
    reads = [asyncio.create_task(read) for read in asked]
    await asyncio.sleep(0.01)
    goes_on.set()
    assert (await asyncio.gather(*reads), made) == ([80, 80, READS_PCT, READS_PCT], [80, READS_PCT])
