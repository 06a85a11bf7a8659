"""No agent uses up what all of them may ask of Binance."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from broker.agents import Agent
from broker.errors import BrokerError, Code
from broker.exchange import AGENTS_PCT, READS_PCT, Asker, leaving_room
from broker.exchange.fair_share import FairShare, OverQuota

from ..support import BTC, Wired


class Now:
    ms = 1_000_000

    def __call__(self) -> int:
        return self.ms


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def shares(now: Now) -> FairShare:
    return FairShare(now, 1000)


def take(shares: FairShare, name: str, cost: float = 1, **more: Any) -> bool:
    """Whether it was let."""
    leaves = more.get("leaves", False)
    with leaving_room(READS_PCT if leaves else AGENTS_PCT, Asker(name, **more)):
        try:
            shares.take(cost)
        except OverQuota as refused:
            assert refused.code is Code.RATE_LIMITED
            assert 1 <= refused.details["retryAfterSeconds"] <= 60
            return False
    return True


def grab(shares: FairShare, name: str, **more: Any) -> int:
    """As much as it gets."""
    count = 0
    while take(shares, name, **more):
        count += 1
    return count


def test_each_who_grabs_all_it_gets_leaves_as_much_to_the_next(shares: FairShare) -> None:
    grabbed = [grab(shares, name) for name in ("one", "two", "three", "four")]
    assert grabbed == [400, 200, 100, 50]


def test_two_who_ask_in_turn_come_to_the_same(shares: FairShare) -> None:
    used = {"one": 0, "two": 0}
    for _ in range(1000):
        for name in used:
            used[name] += take(shares, name)
    assert used == {"one": 267, "two": 266}


def test_however_greedy_another_is_a_quarter_of_the_room_is_there_in_each_minute(
    shares: FairShare, now: Now
) -> None:
    for _ in range(20):
        grab(shares, "greedy")
        assert sum(take(shares, "modest") for _ in range(33)) == 33  # 198 a minute, of 800
        now.ms += 10_000


def test_what_is_a_minute_old_is_free_again(shares: FairShare, now: Now) -> None:
    grab(shares, "one")
    now.ms += 59_999
    assert not take(shares, "one")
    now.ms += 1
    assert take(shares, "one", 400)


def test_an_agent_that_is_alone_may_use_it_all_and_still_counts(shares: FairShare) -> None:
    for _ in range(2000):
        assert take(shares, "one", alone=True)
    assert not take(shares, "two"), "what is used is used"


def test_what_is_long_past_takes_no_memory(shares: FairShare, now: Now) -> None:
    for _ in range(1000):
        assert take(shares, "one", alone=True)
        now.ms += 6_000
    assert len(shares._all["one"]._costs) <= 10


def test_whoever_is_no_agent_is_not_counted(shares: FairShare) -> None:
    for _ in range(2000):
        shares.take(1)
    assert take(shares, "one", 400)


def test_no_reading_holds_an_exit_up_and_no_ones_exits_take_all(shares: FairShare) -> None:
    grab(shares, "reader")
    grab(shares, "leaver")
    assert grab(shares, "leaver", leaves=True) == 490, "half of 98 %"
    assert grab(shares, "reader", leaves=True) == 245


def test_a_clock_that_went_back_locks_nobody_out(shares: FairShare, now: Now) -> None:
    grab(shares, "one")
    now.ms -= 3_600_000
    assert take(shares, "one", 400)


# Over the wire


@contextmanager
def narrow(broker: Wired, limit: float) -> Iterator[None]:
    """As if Binance allowed only so much, in ccxt's costs."""
    broker.exchange.spot._shares._limit = limit
    yield


@pytest.mark.anyio
async def test_one_agent_hammers_and_another_is_served(broker: Wired) -> None:
    greedy, modest = Agent(name="greedy"), Agent(name="modest")
    asked = {"symbol": BTC, "limit": 100}

    async def read(agent: Agent) -> Code | None:
        try:
            await broker.gateway.call(agent, "binance_get_orderbook", asked)
        except BrokerError as error:
            return error.code
        return None

    with narrow(broker, 50):
        answers = [await read(greedy) for _ in range(60)]
        assert answers.count(None) >= 10
        assert set(answers) == {None, Code.RATE_LIMITED}
        assert [await read(modest) for _ in range(5)] == [None] * 5
        assert await read(greedy) is Code.RATE_LIMITED
    assert broker.exchange.last_error is None, "Binance is well"


@pytest.mark.anyio
async def test_no_agent_is_turned_away_with_another_that_asked_the_same(broker: Wired) -> None:
    greedy, modest = Agent(name="greedy"), Agent(name="modest")
    with narrow(broker, 50):
        with leaving_room(AGENTS_PCT, Asker("greedy")):
            broker.exchange.spot._shares.take(20)
        calls = [
            broker.gateway.call(agent, "binance_get_ticker", {"symbol": BTC})
            for agent in (greedy, modest, greedy, modest)
        ]
        answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [isinstance(answer, BrokerError) for answer in answers] == [True, False, True, False]
