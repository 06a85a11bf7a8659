"""Prices are watched for what waits, and for nothing else."""

from __future__ import annotations

import pytest

from broker.price_watch import watch_waiting

from .support import BTC, BUY, Wired, eventually, running

pytestmark = pytest.mark.anyio


async def is_watched(broker: Wired) -> bool:
    return broker.exchange.prices.last("spot", BTC) is not None


async def is_left_alone(broker: Wired) -> bool:
    return not await is_watched(broker) and not await streams(broker)


async def streams(broker: Wired) -> set[str]:
    told = await broker.control.get("streams")
    return {row["stream"] for row in told["subscriptions"]}


async def test_a_request_that_waits_has_its_price_watched_until_it_is_gone(broker: Wired) -> None:
    async with running(watch_waiting(broker.store, broker.hub, broker.exchange)):
        assert await streams(broker) == set()
        intent = await broker.park(**BUY)
        await eventually(lambda: is_watched(broker))
        live = broker.exchange.prices.last("spot", BTC)
        assert live is not None and live.price == 60_000
        assert await streams(broker) == {"btcusdt@miniTicker"}
        await broker.store.intents.withdraw(intent.id, intent.agent)
        await eventually(lambda: is_left_alone(broker))


async def test_when_it_stops_nothing_is_watched_any_more(broker: Wired) -> None:
    await broker.park(**BUY)
    async with running(watch_waiting(broker.store, broker.hub, broker.exchange)):
        await eventually(lambda: is_watched(broker))
    await eventually(lambda: is_left_alone(broker))
