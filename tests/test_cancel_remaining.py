"""A trader cancels what is left of a placed order: his own act, recorded before and after."""

from __future__ import annotations

import asyncio

import pytest

from broker.cancel_remaining import cancel_rest
from broker.errors import BrokerError, Code
from broker.intents import Intent
from broker.store import NotSignedIn, Session, events_of
from broker.tools import Context

from .support import BTC, BUY, REST, TRADER, Wired, let_write
from .tools.support import CREATE, FUTURES_STOP, hold_futures_price, placed, trade

pytestmark = pytest.mark.anyio


def context(broker: Wired) -> Context:
    return Context(settings=broker.settings, exchange=broker.exchange, store=broker.store, clock=broker.clock)


async def told(broker: Wired, intent: Intent) -> list[tuple[str, str]]:
    events = await broker.store.read(lambda connection: events_of(connection, intent.id))
    return [(event.kind, event.actor) for event in events if "cancel" in event.kind]


async def test_what_is_left_is_cancelled_and_both_steps_are_recorded_as_his(broker: Wired) -> None:
    intent = await broker.submitted(await broker.approved(**REST))
    await cancel_rest(context(broker), intent, TRADER)
    [order] = await broker.control.orders()
    assert order["status"] == "CANCELED"
    assert await told(broker, intent) == [
        ("order:cancel-asked", "trader:Ana"),
        ("order:cancelled", "trader:Ana"),
    ]
    await broker.reconciler.follow_placed()
    assert (await broker.intent(intent.id)).order_status == "cancelled"
    assert await broker.audit_holds()


async def test_of_a_partly_filled_order_only_the_rest_goes(broker: Wired) -> None:
    await broker.control.do("liquidity", symbol=BTC, qtyPerLevel="0.00001")
    intent = await broker.submitted(await broker.approved(**{**REST, "price": "60000.01"}))
    assert intent.order_status == "partly_filled"
    await cancel_rest(context(broker), intent, TRADER)
    await broker.reconciler.follow_placed()
    after = await broker.intent(intent.id)
    assert after.order is not None and after.order_status == "cancelled"
    assert after.order["filled"] == "0.00001"


async def test_a_conditional_order_is_cancelled_before_its_trigger_and_after_it(broker: Wired) -> None:
    """After its trigger it is another order that rests."""
    await hold_futures_price(broker)
    await trade(broker, "buy", "0.015")
    first = await placed(broker, CREATE, **FUTURES_STOP)
    second = await placed(broker, CREATE, **{**FUTURES_STOP, "stopPrice": "59000", "price": "59000"})
    await hold_futures_price(broker, "58500")
    for intent in (first, second):
        await cancel_rest(context(broker), intent, TRADER)
    await broker.reconciler.follow_placed()
    for intent in (first, second):
        assert (await broker.intent(intent.id)).order_status == "cancelled"
    assert await broker.exchange.futures.open_orders(BTC) == []


async def test_of_a_filled_order_nothing_is_left(broker: Wired) -> None:
    intent = await broker.submitted(await broker.approved(**BUY))
    with pytest.raises(BrokerError) as refused:
        await cancel_rest(context(broker), intent, TRADER)
    assert refused.value.code is Code.NOTHING_TO_CANCEL
    assert await told(broker, intent) == []


async def test_what_binance_says_against_it_is_recorded_and_told(broker: Wired) -> None:
    intent = await broker.submitted(await broker.approved(**REST))
    await broker.control.fault("received", "code", method="DELETE", code=-2011, msg="Unknown order sent.")
    with pytest.raises(BrokerError) as refused:
        await cancel_rest(context(broker), intent, TRADER)
    assert refused.value.code is Code.BINANCE_REFUSED
    assert await told(broker, intent) == [
        ("order:cancel-asked", "trader:Ana"),
        ("order:cancel-failed", "trader:Ana"),
    ]


async def test_a_trader_who_was_removed_meanwhile_cancels_nothing(broker: Wired) -> None:
    intent = await broker.submitted(await broker.approved(**REST))
    session = await signed_in(broker)
    await asyncio.to_thread(broker.store.people.remove_trader, TRADER, actor="command line")
    with pytest.raises(NotSignedIn):
        await cancel_rest(context(broker), intent, TRADER, broker.store.people.standing(session))
    assert await told(broker, intent) == []
    assert await broker.control.requests("DELETE") == []


async def signed_in(broker: Wired) -> Session:
    people, password = broker.store.people, "correct horse battery"
    await asyncio.to_thread(people.add_trader, TRADER, password, actor="command line")
    hashed = await asyncio.to_thread(people.right_password, TRADER, password)
    opened = await people.open_session(TRADER, hashed or "", "Firefox")
    assert opened
    return opened[0]


async def test_what_is_cancelled_is_told_also_when_that_cannot_be_recorded(broker: Wired) -> None:
    intent = await broker.submitted(await broker.approved(**REST))
    await broker.control.fault("received", "hold", method="DELETE")
    cancelling = asyncio.create_task(cancel_rest(context(broker), intent, TRADER))
    assert await broker.control.held()
    await let_write(broker.store, False)
    await broker.control.do("release")
    await cancelling
    await let_write(broker.store, True)
    [order] = await broker.control.orders()
    assert order["status"] == "CANCELED"
    assert await told(broker, intent) == [("order:cancel-asked", "trader:Ana")]


async def test_what_was_cancelled_without_an_answer_is_found_to_be_gone(broker: Wired) -> None:
    intent = await broker.submitted(await broker.approved(**REST))
    await broker.control.fault("executed", "drop", method="DELETE", times=5)
    await cancel_rest(context(broker), intent, TRADER)
    [order] = await broker.control.orders()
    assert order["status"] == "CANCELED"
    assert (await told(broker, intent))[-1] == ("order:cancelled", "trader:Ana")


async def test_a_cancel_that_may_still_arrive_is_unclear(broker: Wired) -> None:
    intent = await broker.submitted(await broker.approved(**REST))
    await broker.control.fault("received", "drop", method="DELETE", times=5)
    with pytest.raises(BrokerError) as lost:
        await cancel_rest(context(broker), intent, TRADER)
    assert lost.value.code is Code.BINANCE_UNAVAILABLE
    assert (await told(broker, intent))[-1] == ("order:cancel-unclear", "trader:Ana")


async def test_without_the_orders_state_a_lost_answer_is_unclear(broker: Wired) -> None:
    intent = await broker.submitted(await broker.approved(**REST))
    await broker.control.fault("executed", "drop", method="DELETE", times=5)
    await broker.control.fault("received", "drop", method="GET", times=5)
    with pytest.raises(BrokerError):
        await cancel_rest(context(broker), intent, TRADER)
    assert (await told(broker, intent))[-1] == ("order:cancel-unclear", "trader:Ana")


async def test_what_was_filled_before_its_cancel_is_certainly_not_cancelled(broker: Wired) -> None:
    intent = await broker.submitted(await broker.approved(**REST))
    await broker.control.do("price", symbol=BTC, price="57999")
    with pytest.raises(BrokerError) as refused:
        await cancel_rest(context(broker), intent, TRADER)
    assert refused.value.code is Code.BINANCE_REFUSED
    assert (await told(broker, intent))[-1] == ("order:cancel-failed", "trader:Ana")
