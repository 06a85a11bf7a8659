"""How often an agent may call, and when it did."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

import pytest

from broker import rate_limit as pace_module
from broker.agents import Agent
from broker.errors import BrokerError, Code
from broker.intents import State
from broker.rate_limit import CHECKS_AT_ONCE, READS_AT_ONCE, Pace
from broker.tools import IntentAnswer, Output

from .support import BTC, BUY, Clock, Wired

TICKER = "binance_get_ticker"


def refusal(pace: Pace, agent: str, most: int) -> int:
    with pytest.raises(BrokerError) as refused:
        pace.note(agent, TICKER, most)
    assert refused.value.code is Code.RATE_LIMITED
    seconds: int = refused.value.details["retryAfterSeconds"]
    return seconds


def test_one_call_too_many_within_a_minute_is_refused_until_the_first_is_a_minute_ago() -> None:
    clock = Clock()
    pace = Pace(clock)
    for _ in range(3):
        pace.note("bot", TICKER, 3)
        clock.advance(10)
    assert refusal(pace, "bot", 3) == 30
    clock.advance(29.5)
    assert refusal(pace, "bot", 3) == 1
    clock.advance(0.5)
    pace.note("bot", TICKER, 3)
    assert refusal(pace, "bot", 3) == 10


def test_what_was_refused_does_not_count() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.note("bot", TICKER, 1)
    for _ in range(5):
        clock.advance(10)
        refusal(pace, "bot", 1)
    clock.advance(10)
    pace.note("bot", TICKER, 1)


def test_a_lower_limit_holds_at_once_and_tells_when_there_is_room() -> None:
    clock = Clock()
    pace = Pace(clock)
    for _ in range(4):
        pace.note("bot", TICKER, 10)
        clock.advance(10)
    assert refusal(pace, "bot", 2) == 40, "until the third of four is a minute ago"


def test_agents_are_counted_apart_and_their_own_requests_not_at_all() -> None:
    pace = Pace(Clock())
    pace.note("bot", TICKER, 1)
    pace.note("other", TICKER, 1)
    for tool in ("intent_get", "intent_wait", "intent_list", "intent_cancel"):
        for _ in range(5):
            pace.note("bot", tool, 1)
    refusal(pace, "other", 1)


def test_the_last_call_is_told_of_whatever_kind_it_was() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert pace.last_call("bot") is None
    pace.note("bot", TICKER, 1)
    clock.advance(5)
    pace.note("bot", "intent_get", 1)
    assert pace.last_call("bot") == clock()
    assert pace.last_call("other") is None


def test_a_clock_that_went_back_locks_nobody_out() -> None:
    clock = Clock()
    pace = Pace(clock)
    pace.note("bot", TICKER, 1)
    clock.advance(-3600)
    pace.note("bot", TICKER, 1)


@pytest.mark.anyio
async def test_one_agents_reads_take_turns_and_no_other_waits_for_them(broker: Wired) -> None:
    for _ in range(13):
        await broker.control.do("fault", when="received", do="hold", method="GET", path="/api/v3/klines")

    def read(agent: str, limit: int) -> Coroutine[Any, Any, Output]:
        asked = {"symbol": BTC, "interval": "1h", "limit": limit}
        return broker.gateway.call(Agent(name=agent), "binance_get_klines", asked)

    async def held(count: int) -> int:
        return len((await broker.control.get(f"held?count={count}"))["held"])

    async with asyncio.TaskGroup() as group:
        reads = [group.create_task(read("greedy", number + 1)) for number in range(12)]
        assert await held(READS_AT_ONCE) == READS_AT_ONCE
        reads.append(group.create_task(read("other", 20)))
        assert await held(READS_AT_ONCE + 1) == READS_AT_ONCE + 1
        await broker.control.do("release")
        assert await held(4) == 4
        await broker.control.do("release")
    assert all(read.result() for read in reads)


@pytest.mark.anyio
async def test_a_read_that_waits_too_long_for_its_agents_others_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pace_module, "WAIT_SECONDS", 0.01)
    pace = Pace(Clock())
    async with AsyncExitStack() as stack:
        for _ in range(READS_AT_ONCE):
            await stack.enter_async_context(pace.reading("bot"))
        with pytest.raises(BrokerError) as refused:
            async with pace.reading("bot"):
                pass
        assert refused.value.code is Code.RATE_LIMITED
        assert "was not made" in refused.value.message
        async with pace.reading("other"):
            pass
    async with pace.reading("bot"):
        pass


@pytest.mark.anyio
async def test_a_burst_of_entries_keeps_neither_an_exit_nor_another_agent(
    broker: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace_module, "WAIT_SECONDS", 0.01)
    await broker.control.do("balance", asset="BTC", free="0.015")

    async def asked(agent: str, side: str) -> IntentAnswer:
        order = {**BUY, "side": side}
        answer = await broker.gateway.call(Agent(name=agent), "binance_create_order", order)
        assert isinstance(answer, IntentAnswer)
        return answer

    async with AsyncExitStack() as stack:
        for _ in range(CHECKS_AT_ONCE):
            await stack.enter_async_context(broker.gateway.pace.checking("bot"))
        with pytest.raises(BrokerError) as refused:
            await asked("bot", "buy")
        assert refused.value.code is Code.RATE_LIMITED
        assert "was not parked" in refused.value.message
        assert await broker.parked_count() == 0
        assert (await asked("bot", "sell")).status is State.PENDING
        assert (await asked("other", "buy")).status is State.PENDING
    assert (await asked("bot", "buy")).status is State.PENDING
