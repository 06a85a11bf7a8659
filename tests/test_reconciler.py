"""unknown → settled, and placed → followed: by asking, never by sending again."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from time import monotonic
from typing import Any

import pytest

from broker.cancel_remaining import cancel_rest
from broker.events import EventKind
from broker.exchange import OrderRequest
from broker.intents import Intent, State, horizon_ms
from broker.orders.context import Context
from broker.reconciler import FOLLOW_SECONDS, PASS_SECONDS, Lost, Reconciler
from broker.store import events_of

from .support import BTC, BUY, ORDER, REST, TRADER, Wired, eventually, running, trusted

pytestmark = pytest.mark.anyio


async def unknown(broker: Wired, when: str, **arguments: Any) -> Intent:
    """Sent, and its answer lost: before Binance carried it out ("received"), or after ("executed")."""
    intent = await broker.approved(**arguments)
    await broker.control.fault(when, "drop")
    lost = await broker.submitted(intent)
    assert lost.state is State.UNKNOWN
    return lost


async def state(broker: Wired, intent: Intent) -> State:
    return (await broker.intent(intent.id)).state


async def move_binances_clock(broker: Wired, intent: Intent, *, past_the_horizon_ms: int) -> None:
    assert intent.wire_timestamp_ms is not None
    horizon = horizon_ms(intent, 0) - intent.wire_timestamp_ms
    await broker.control.do("clock", offset_ms=horizon + past_the_horizon_ms)


async def test_an_order_that_was_carried_out_is_found_with_its_fees(broker: Wired) -> None:
    intent = await unknown(broker, "executed", **BUY)
    await broker.reconciler.settle_unknown()
    found = await broker.intent(intent.id)
    assert (found.state, found.order_status) == (State.PLACED, "filled")
    assert found.order is not None
    assert found.order.stored()["fee"] == {"cost": "0.000015", "asset": "BTC"}
    assert len(await broker.control.requests()) == 1


async def test_an_order_that_is_not_there_stays_unknown_until_binances_clock_passes_the_horizon(
    broker: Wired,
) -> None:
    intent = await unknown(broker, "received", **BUY)
    for _ in range(5):
        await broker.reconciler.settle_unknown()
    assert await state(broker, intent) is State.UNKNOWN
    await move_binances_clock(broker, intent, past_the_horizon_ms=0)
    for _ in range(5):
        await broker.reconciler.settle_unknown()
    assert await state(broker, intent) is State.UNKNOWN
    await move_binances_clock(broker, intent, past_the_horizon_ms=1)
    await broker.reconciler.settle_unknown()
    assert await state(broker, intent) is State.UNKNOWN, "one answer may lag"
    await broker.reconciler.settle_unknown()
    assert await state(broker, intent) is State.NOT_SENT
    assert await broker.control.orders() == []


async def test_our_own_clock_proves_nothing(broker: Wired) -> None:
    """It jumps ahead by an hour, and Binance's does not follow."""
    intent = await unknown(broker, "received", **BUY)
    broker.clock.now += timedelta(hours=1)
    await broker.control.do("clock", offset_ms=-3_600_000)
    for _ in range(5):
        await broker.reconciler.settle_unknown()
    assert await state(broker, intent) is State.UNKNOWN


async def test_an_order_carried_out_late_is_found_and_not_declared_dead(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    await broker.control.fault("received", "late", seconds=0.3)
    assert (await broker.submitted(intent)).state is State.UNKNOWN
    await broker.reconciler.settle_unknown()
    assert await state(broker, intent) is State.UNKNOWN
    await eventually(broker.control.orders)
    await broker.reconciler.settle_unknown()
    assert await state(broker, intent) is State.PLACED


async def test_while_binance_cannot_be_asked_nothing_is_concluded(broker: Wired) -> None:
    intent = await unknown(broker, "received", **BUY)
    await move_binances_clock(broker, intent, past_the_horizon_ms=1)
    await broker.control.fault("received", "code", method="GET", http=503, times=9)
    for _ in range(3):
        await broker.reconciler.settle_unknown()
    assert await state(broker, intent) is State.UNKNOWN


async def test_one_intents_trouble_does_not_stop_the_others(broker: Wired) -> None:
    first = await unknown(broker, "executed", **REST)
    second = await unknown(broker, "executed", **{**REST, "price": "57000"})
    await broker.control.fault("received", "code", method="GET", http=503)
    await broker.reconciler.settle_unknown()
    assert [await state(broker, intent) for intent in (first, second)] == [State.UNKNOWN, State.PLACED]
    await broker.reconciler.settle_unknown()
    assert await state(broker, first) is State.PLACED


async def test_what_a_dead_broker_was_sending_is_unknown_at_the_next_start(broker: Wired) -> None:
    intent = await broker.begun(**BUY)
    await broker.reconciler.adopt()
    adopted = await broker.intent(intent.id)
    assert adopted.state is State.UNKNOWN
    assert adopted.note == "the broker stopped before Binance's answer was recorded"
    assert adopted.wire_timestamp_ms == intent.wire_timestamp_ms


async def test_what_is_being_sent_right_now_is_left_to_whoever_sends_it(broker: Wired) -> None:
    reconciler = Reconciler(
        store=broker.store, exchange=broker.exchange, submitting=broker.executor.submitting
    )
    intent = await broker.approved(**BUY)
    await broker.control.fault("received", "hold")
    broker.executor.take(intent)
    await broker.control.held()
    await reconciler.adopt()
    assert await state(broker, intent) is State.SUBMITTING
    await broker.control.do("release")
    assert (await broker.until(intent, State.PLACED, State.UNKNOWN)).state is State.PLACED
    left = await broker.begun(**REST)
    await reconciler.adopt()
    assert await state(broker, left) is State.UNKNOWN, "nobody here waits for its answer"


@pytest.mark.parametrize(
    ("when", "word", "holds"),
    [
        ("executed", State.PLACED, True),
        ("executed", State.NOT_SENT, False),
        ("executed", State.REFUSED, False),
        ("received", State.NOT_SENT, True),
        ("received", State.REFUSED, True),
        ("received", State.PLACED, False),
    ],
)
async def test_binance_is_still_asked_about_what_a_trader_recorded(
    broker: Wired, when: str, word: State, holds: bool
) -> None:
    intent = await unknown(broker, when, **REST)
    broker.clock.advance(21)
    recorded = await broker.store.submissions.record_word(
        intent.id, word, TRADER, "seen in the app", standing=trusted, offset_ms=0
    )
    await broker.control.fault("received", "code", method="GET", http=503)
    await broker.reconciler.check_words()
    assert (await broker.intent(intent.id)).word_holds is None, "Binance did not say anything yet"
    for _ in range(2):
        await broker.reconciler.check_words()
    checked = await broker.intent(intent.id)
    assert (checked.state, checked.word_holds) == (word, holds)
    assert (checked.diverged is None) is holds
    assert (checked.order_status == "open") is (when == "executed")
    await broker.reconciler.check_words()
    events = await broker.store.read(lambda connection: events_of(connection, intent.id))
    told = [event.kind for event in events if event.kind.startswith(("word:", "order:"))]
    assert told == (["word:held"] if holds else ["word:contradicted", "order:diverged"])
    assert recorded.word_by == TRADER
    assert await broker.audit_holds()


async def test_an_order_that_lives_against_a_traders_word_is_followed_and_can_be_cancelled(
    broker: Wired,
) -> None:
    intent = await unknown(broker, "executed", **REST)
    broker.clock.advance(21)
    await broker.store.submissions.record_word(
        intent.id, State.NOT_SENT, TRADER, None, standing=trusted, offset_ms=0
    )
    await broker.reconciler.check_words()
    context = Context(
        settings=broker.settings, store=broker.store, exchange=broker.exchange, clock=broker.clock
    )
    await cancel_rest(context, await broker.intent(intent.id), TRADER, trusted)
    await broker.reconciler.follow_placed()
    assert (await broker.intent(intent.id)).order_status == "cancelled"


async def test_a_resting_order_is_followed_to_its_fill(broker: Wired) -> None:
    intent = await broker.submitted(await broker.approved(**REST))
    assert intent.order_status == "open"
    await broker.control.do("price", symbol=BTC, price="57000")
    await broker.reconciler.follow_placed()
    filled = await broker.intent(intent.id)
    assert (filled.state, filled.order_status) == (State.PLACED, "filled")
    await broker.reconciler.follow_placed()
    events = await broker.store.read(lambda connection: events_of(connection, intent.id))
    assert [event.kind for event in events].count(EventKind.ORDER_CHANGED) == 1


async def test_a_part_of_a_fill_is_told_as_a_part(broker: Wired) -> None:
    await broker.control.do("liquidity", symbol=BTC, qtyPerLevel="0.00400")
    intent = await broker.submitted(await broker.approved(**{**REST, "price": "60001"}))
    part = await broker.call("intent_get", intentId=intent.id)
    if part["result"]["order"]["status"] == "filled":
        pytest.fail("the book is deep enough to fill it: the test needs a thinner one")
    assert 0 < part["result"]["order"]["filled"] < 0.015
    assert part["next"]["arguments"]["until"] == "filled"


async def test_an_order_that_rests_unchanged_costs_one_request_for_all_and_no_record(broker: Wired) -> None:
    for price in ("58000", "57000", "56000"):
        await broker.submitted(await broker.approved(**{**REST, "price": price}))
    resting = "/api/v3/openOrders"
    looked, asked = [len(await broker.control.requests("GET", path)) for path in (ORDER, resting)]
    await broker.reconciler.follow_placed()
    assert len(await broker.control.requests("GET")) == looked
    assert len(await broker.control.requests("GET", resting)) == asked + 1


async def test_an_order_cancelled_elsewhere_is_noticed(broker: Wired) -> None:
    intent = await broker.submitted(await broker.approved(**REST))
    assert intent.order is not None
    await broker.exchange.spot.cancel(BTC, intent.order.stored()["id"])
    await broker.reconciler.follow_placed()
    assert (await broker.intent(intent.id)).order_status == "cancelled"


async def test_the_endless_loop_settles_and_follows(broker: Wired) -> None:
    lost = await unknown(broker, "executed", **REST)
    async with running(broker.reconciler.run()):
        assert (await broker.until(lost, State.PLACED)).order_status == "open"


RESTING = "/api/v3/openOrders"


async def trade_a_lot(broker: Wired) -> None:
    """Until cancelled: news of orders that rest, one after the other."""
    number = 0
    while True:
        number += 1
        order = OrderRequest(BTC, "buy", "limit", Decimal("0.001"), Decimal(50_000 + number))
        timestamp_ms = await broker.exchange.spot.server_time_ms()
        name = f"cb-{number}"
        await broker.exchange.spot.submit(order, client_order_id=name, timestamp_ms=timestamp_ms)
        await asyncio.sleep(0.03)


async def test_however_much_news_there_is_resting_orders_are_looked_at_once_a_second_at_most(
    broker: Wired,
) -> None:
    await broker.submitted(await broker.approved(**REST))
    before = len(await broker.control.requests("GET", RESTING))
    begun = monotonic()
    async with running(broker.reconciler.run()), running(trade_a_lot(broker)):

        async def looks() -> bool:
            return len(await broker.control.requests("GET", RESTING)) - before >= 4

        await eventually(looks)
    assert 3 * PASS_SECONDS <= monotonic() - begun < 3 * FOLLOW_SECONDS, "it was heard of"


@pytest.mark.parametrize(
    ("client_order_id", "heard"), [("cb-1", True), ("", True), ("another-1", False), ("x-cb-1", False)]
)
async def test_news_of_another_programs_orders_is_none(
    broker: Wired, client_order_id: str, heard: bool
) -> None:
    broker.exchange._news._tell(broker.exchange.spot, client_order_id)
    assert broker.reconciler._order_updated.is_set() is heard


async def test_two_not_founds_are_a_pass_apart_whatever_is_heard_between(broker: Wired) -> None:
    await broker.submitted(await broker.approved(**REST))
    lost = await unknown(broker, "received", **{**REST, "price": "57000"})
    broker.clock.advance(60)
    begun = monotonic()
    async with running(broker.reconciler.run()), running(trade_a_lot(broker)):
        await broker.until(lost, State.NOT_SENT)
    assert monotonic() - begun >= PASS_SECONDS


async def test_one_orders_trouble_does_not_stop_the_following_of_the_others(broker: Wired) -> None:
    first, second = [
        await broker.submitted(await broker.approved(**{**REST, "price": price}))
        for price in ("58000", "57990")
    ]
    await broker.control.do("price", symbol=BTC, price="57000")
    archived: dict[str, Any] = {"method": "GET", "http": 400, "code": -2026, "msg": "Order was archived."}
    await broker.control.fault("received", "code", **archived)
    await broker.reconciler.follow_placed()
    assert (await broker.intent(second.id)).order_status == "filled"
    assert (await broker.intent(first.id)).order_status == "open"
    asked = len(await broker.control.requests("GET"))
    for _ in range(2):
        await broker.reconciler.follow_placed()
    assert len(await broker.control.requests("GET")) == asked, "a refusal is not asked for at every look"
    await broker.reconciler.follow_placed()
    assert (await broker.intent(first.id)).order_status == "filled"


async def test_nothing_is_remembered_of_an_order_that_has_ended(broker: Wired) -> None:
    intent = await broker.submitted(await broker.approved(**REST))
    await broker.control.do("price", symbol=BTC, price="57000")
    await broker.control.fault("received", "code", method="GET", http=400, code=-2013)
    for _ in range(4):
        await broker.reconciler.follow_placed()
    assert (await broker.intent(intent.id)).order_status == "filled"
    await broker.reconciler.follow_placed()
    lost = broker.reconciler._lost
    assert (lost._misses, lost._passes) == ({}, {})


def looks_at(lost: Lost, passes: int, *, news_of: str | None = None) -> int:
    looked = 0
    for _ in range(passes):
        if news_of is not None:
            lost.ask_now(news_of)
        if not lost.rests("cb-lost"):
            looked += 1
            lost.missed("cb-lost")
    return looked


def test_a_lost_order_is_asked_about_ever_more_rarely_whatever_is_heard_of_others() -> None:
    assert looks_at(Lost(), 600) == looks_at(Lost(), 600, news_of="cb-other") < 12
    lost = Lost()
    looks_at(lost, 600)
    assert looks_at(lost, 1) == 0
    lost.ask_now("cb-lost")
    assert looks_at(lost, 600) == 1
