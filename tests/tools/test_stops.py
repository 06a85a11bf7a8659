"""Orders that wait for a trigger: stop_loss and take_profit, at market or with a limit."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from broker.errors import BrokerError, Code
from broker.intents import State
from broker.orders import filters
from broker.orders.request import order_of

from ..support import BTC, BUY, ORDER, Wired, order_arguments, terms_of
from .support import (
    CREATE,
    FAPI_ALGO,
    FAPI_ORDER,
    FUTURES_STOP,
    checks_of,
    parked,
    placed,
    refused,
    trade,
)

pytestmark = pytest.mark.anyio

SELL = {**BUY, "side": "sell"}

SPOT: list[tuple[dict[str, Any], dict[str, str | None]]] = [
    (
        {**SELL, "type": "stop_loss", "stopPrice": "58000"},
        {"type": "STOP_LOSS", "stopPrice": "58000", "price": None},
    ),
    (
        {**SELL, "type": "stop_loss", "stopPrice": "58000", "price": "57900"},
        {"type": "STOP_LOSS_LIMIT", "stopPrice": "58000", "price": "57900"},
    ),
    (
        {**SELL, "type": "take_profit", "stopPrice": "62000"},
        {"type": "TAKE_PROFIT", "stopPrice": "62000", "price": None},
    ),
    (
        {**BUY, "type": "stop_loss", "stopPrice": "62000", "price": "62100"},
        {"type": "STOP_LOSS_LIMIT", "stopPrice": "62000", "price": "62100"},
    ),
    (
        {**BUY, "type": "take_profit", "stopPrice": "58000", "price": "58100"},
        {"type": "TAKE_PROFIT_LIMIT", "stopPrice": "58000", "price": "58100"},
    ),
]

FUTURES: list[tuple[dict[str, Any], dict[str, str | None]]] = [
    (
        FUTURES_STOP,
        {"type": "STOP_MARKET", "triggerPrice": "58000", "price": None, "reduceOnly": "true"},
    ),
    (
        {**FUTURES_STOP, "price": "57900"},
        {"type": "STOP", "triggerPrice": "58000", "price": "57900", "reduceOnly": "true"},
    ),
    (
        {**FUTURES_STOP, "type": "take_profit", "stopPrice": "62000"},
        {"type": "TAKE_PROFIT_MARKET", "triggerPrice": "62000", "price": None, "reduceOnly": "true"},
    ),
    (
        {**FUTURES_STOP, "type": "take_profit", "stopPrice": "62000", "price": "61900"},
        {"type": "TAKE_PROFIT", "triggerPrice": "62000", "price": "61900", "reduceOnly": "true"},
    ),
    (
        {**FUTURES_STOP, "reduceOnly": False},
        {"type": "STOP_MARKET", "triggerPrice": "58000", "price": None, "reduceOnly": None},
    ),
]


async def test_each_spot_stop_is_on_the_wire_what_was_asked(broker: Wired, subtests: pytest.Subtests) -> None:
    await broker.control.do("balance", asset="BTC", free="0.05")
    for arguments, fields in SPOT:
        with subtests.test(fields["type"]):
            intent = await placed(broker, CREATE, **arguments)
            assert intent.state is State.PLACED
            assert intent.namespace == "spot"
            wire = (await broker.control.requests("POST", ORDER))[-1]["params"]
            assert {name: wire.get(name) for name in fields} == fields
            await broker.call("binance_cancel_all_orders", symbol=BTC)


async def test_each_futures_stop_is_a_conditional_order_with_its_own_look_up(
    futures: Wired, subtests: pytest.Subtests
) -> None:
    await trade(futures, "buy", "0.02")
    for arguments, fields in FUTURES:
        with subtests.test(str(fields)):
            intent = await placed(futures, CREATE, **arguments)
            assert intent.state is State.PLACED
            assert intent.namespace == "futures_algo"
            wire = (await futures.control.requests("POST", FAPI_ALGO))[-1]["params"]
            assert {name: wire.get(name) for name in fields} == fields
            assert wire["clientAlgoId"] == intent.client_order_id
            await futures.call("binance_cancel_all_orders", symbol=BTC, market="futures")
    assert len(await futures.control.requests("POST", FAPI_ORDER)) == 1  # the position


async def test_a_stop_whose_answer_was_lost_is_found_among_the_conditional_orders(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    await futures.control.do("fault", when="executed", do="drop", method="POST", path=FAPI_ALGO)
    lost = await placed(futures, CREATE, **FUTURES_STOP)
    assert lost.state is State.UNKNOWN
    await futures.reconciler.settle_unknown()
    found = await futures.intent(lost.id)
    assert found.state is State.PLACED
    assert found.order is not None
    assert (found.order.stored()["status"], found.order.stored()["filled"]) == ("open", "0")


async def test_a_trigger_that_was_reached_is_followed_to_its_fill(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    intent = await placed(futures, CREATE, **FUTURES_STOP)
    await futures.control.do("price", symbol=BTC, price="57990", market="futures")
    await futures.reconciler.follow_placed()
    result = (await futures.call("intent_get", intentId=intent.id))["result"]
    assert result["order"]["status"] == "filled"
    assert result["order"]["filled"] == 0.015
    assert "realizedPnL" not in result["order"]


@pytest.mark.parametrize(
    ("side", "kind", "trigger"),
    [
        ("sell", "stop_loss", "60000.01"),
        ("sell", "stop_loss", "60000"),
        ("buy", "stop_loss", "59999.99"),
        ("sell", "take_profit", "59999.99"),
        ("buy", "take_profit", "60000.01"),
    ],
)
async def test_a_trigger_on_the_wrong_side_is_never_parked(
    broker: Wired, side: str, kind: str, trigger: str
) -> None:
    await broker.control.do("balance", asset="BTC", free="0.05")
    arguments = {**BUY, "side": side, "type": kind, "stopPrice": trigger}
    error = await refused(broker, CREATE, **arguments)
    assert error.code is Code.TRIGGER_WRONG_SIDE
    assert error.details["lastPrice"] == "60000"
    assert "Nothing was parked" in error.message


async def test_a_trigger_that_the_market_reached_before_the_approval_is_not_sent(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    intent = await parked(futures, CREATE, **FUTURES_STOP)
    await futures.control.do("price", symbol=BTC, price="57000", market="futures")
    futures.clock.advance(2)  # prices are remembered for a second
    settled = await futures.submitted(await futures.approve(intent))
    assert settled.state is State.NOT_SENT
    assert settled.note is not None and "58,000 is not below the last price (57,000)" in settled.note
    assert await futures.control.requests("POST", FAPI_ALGO) == []


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        ({**SELL, "type": "stop_loss", "stopPrice": "58000"}, "870"),
        ({**SELL, "type": "stop_loss", "stopPrice": "58000", "price": "57000"}, "870"),
        ({**BUY, "type": "stop_loss", "stopPrice": "62000", "price": "62100"}, "931.5"),
        ({**BUY, "type": "take_profit", "stopPrice": "58000", "price": "57000"}, "870"),
    ],
)
async def test_a_stop_is_valued_at_its_trigger_and_with_a_limit_at_the_higher_of_both(
    broker: Wired, arguments: dict[str, Any], value: str
) -> None:
    await broker.control.do("balance", asset="BTC", free="0.05")
    assert checks_of(await parked(broker, CREATE, **arguments))["order_value"]["figure"] == value


async def test_the_limit_of_a_stop_is_held_against_its_trigger(broker: Wired) -> None:
    stop = {**BUY, "amount": "0.01", "type": "stop_loss", "stopPrice": "70000"}
    assert (await parked(broker, CREATE, **stop, price="73500")).state is State.PENDING
    error = await refused(broker, CREATE, **stop, price="73500.01")
    assert error.code is Code.PRICE_COLLAR
    assert error.details["trigger"] == "70000"


async def test_the_trigger_is_rounded_to_the_tick_before_parking(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    intent = await parked(futures, CREATE, **{**FUTURES_STOP, "stopPrice": "57999.92"})
    assert terms_of(intent)["arguments"]["stopPrice"] == "58000"
    answer = await futures.call("intent_get", intentId=intent.id)
    assert answer["rounded"]["stopPrice"] == 58000


async def test_a_stop_of_futures_only_reduces_unless_it_is_told_otherwise(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    closing = await parked(futures, CREATE, **FUTURES_STOP)
    opening = await parked(futures, CREATE, **FUTURES_STOP, reduceOnly=False)
    assert (terms_of(closing)["arguments"]["reduceOnly"], closing.is_exit) == (True, True)
    assert (terms_of(opening)["arguments"]["reduceOnly"], opening.is_exit) == (False, False)
    assert closing.card.stored()["warnings"] == []
    assert any("can open a position" in warning for warning in opening.card.stored()["warnings"])


async def test_a_type_that_the_symbol_does_not_take_is_refused(
    broker: Wired, subtests: pytest.Subtests
) -> None:
    listed = frozenset({"LIMIT", "MARKET", "STOP_LOSS_LIMIT"})
    rules = replace(broker.exchange.spot.rules(BTC), order_types=listed)
    for price, named in ((None, "STOP_LOSS"), (Decimal(62_100), "")):
        stop = order_arguments(**{**BUY, "market": "spot", "type": "stop_loss", "stopPrice": "62000"})
        order = replace(order_of(stop), price=price)
        with subtests.test(named):
            if not named:
                filters.obey(order, rules, Decimal(60_000))
                continue
            with pytest.raises(BrokerError, match=f"does not accept {named} orders") as refusal:
                filters.obey(order, rules, Decimal(60_000))
            assert refusal.value.code is Code.ORDER_FILTER
            assert refusal.value.details == {"field": "type", "allowed": sorted(listed)}
