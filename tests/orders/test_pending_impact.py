"""What the exchange's figures may not show yet is counted, and what they show is not counted twice."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from broker.arguments import LeverageArguments
from broker.errors import BrokerError
from broker.intents import Intent, State, canonical_text, client_order_id
from broker.money import cents
from broker.order_record import OrderRecord
from broker.orders import open_intents, pending_impact
from broker.orders.context import AgentContext, Context

from ..support import (
    BTC,
    BUY,
    LONE,
    LONG_AGO,
    MANY_PENDING,
    NOON,
    REST,
    Wired,
    card,
    changed,
    order_arguments,
    request,
    wired,
)
from ..support import order as kept_order
from ..tools.support import CREATE, FUTURES_BUY, checks_of, failing, figures_of, hold_futures_price, refused

pytestmark = pytest.mark.anyio

FUTURES_REST: dict[str, Any] = {**FUTURES_BUY, "type": "limit", "price": "58000"}
SHOWN_MS = 1_000
FEE = Decimal("0.001")


def intent(
    number: int = 1,
    *,
    state: State = State.SUBMITTING,
    order: OrderRecord | None = None,
    reference: str | None = "60000",
    **arguments: Any,
) -> Intent:
    given = order_arguments(**{"amount": "0.01", **arguments})
    price = None if reference is None else Decimal(reference)
    asked = request(arguments=given, reference_price=price, market=given.market or "spot")
    return Intent(
        id=f"intent-{number}",
        agent=asked.agent,
        tool=asked.tool,
        state=state,
        market=asked.market,
        asked=asked.asked,
        arguments=given,
        canonical=canonical_text(asked, NOON),
        digest="",
        equality=asked.equality,
        summary="",
        card=card(),
        reason=None,
        idempotency_key=None,
        ttl_seconds=300,
        is_exit=False,
        value_usdt=None,
        created_at=NOON,
        expires_at=NOON + timedelta(minutes=5),
        updated_at=NOON,
        order=order,
    )


def order(timestamp_ms: int, status: str = "open", filled: str = "0") -> OrderRecord:
    return kept_order(timestamp=timestamp_ms, status=status, filled=filled)


@pytest.mark.parametrize(
    ("one", "counted"),
    [
        (intent(state=State.SUBMITTING), True),
        (intent(state=State.UNKNOWN), True),
        (intent(state=State.PLACED, order=order(SHOWN_MS + 1)), True),
        (intent(state=State.PLACED, order=order(SHOWN_MS)), False),
        (intent(state=State.PLACED, order=order(SHOWN_MS - 1)), False),
    ],
)
def test_what_is_placed_counts_until_the_figures_are_as_new_as_it(one: Intent, counted: bool) -> None:
    assert bool(pending_impact.not_shown([one], SHOWN_MS)) is counted


def test_a_change_of_a_setting_takes_nothing() -> None:
    setting = replace(intent(), arguments=LeverageArguments(symbol=BTC, leverage=5))
    assert pending_impact.claims([setting]) == []


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        ({}, "600"),
        ({"type": "limit", "price": "58000"}, "580"),
        ({"type": "stop_loss", "stopPrice": "62000"}, "620"),
        ({"type": "stop_loss", "stopPrice": "62000", "price": "63000"}, "630"),
        ({"type": "take_profit", "stopPrice": "58000", "price": "57000"}, "580"),
    ],
)
def test_it_is_counted_at_what_it_may_cost(arguments: dict[str, Any], value: str) -> None:
    (claim,) = pending_impact.claims([intent(**arguments)])
    assert claim.value == Decimal(value)


def test_of_an_order_that_ended_only_what_filled_counts() -> None:
    ended = intent(state=State.PLACED, order=order(SHOWN_MS + 1, "cancelled", "0.004"))
    resting = intent(state=State.PLACED, order=order(SHOWN_MS + 1, "partly_filled", "0.004"))
    amounts = [claim.order.amount for claim in pending_impact.claims([ended, resting])]
    assert amounts == [Decimal("0.004"), Decimal("0.01")]


async def test_buys_take_the_quote_with_the_fee_and_sells_the_base(broker: Wired) -> None:
    claims = pending_impact.claims([intent(1), intent(2), intent(3, side="sell", amount="0.5")])
    taken = pending_impact.taken_from_balances(claims, broker.exchange.spot.rules, FEE)
    assert taken == {"USDT": Decimal("1201.2"), "BTC": Decimal("0.5")}


async def test_buys_bring_the_base_and_sales_the_quote_whatever_the_pair(broker: Wired) -> None:
    claims = pending_impact.claims(
        [
            intent(1),
            intent(2, side="sell"),
            intent(3, symbol="ETHUSDT"),
            intent(4, amount="0.2"),
            intent(5, symbol="ETHBTC", side="sell", amount="2", reference="0.05"),
            intent(6, symbol="ETHBTC", side="sell", amount="2", type="limit", price="0.04", reference="0.05"),
            intent(7, symbol="ETHBTC", amount="3", reference="0.05"),
        ]
    )
    rules = broker.exchange.spot.rules
    assert pending_impact.brought(claims, "BTC", rules) == Decimal("0.41")
    assert pending_impact.brought(claims, "ETH", rules) == Decimal("3.01")
    assert pending_impact.brought(claims, "USDT", rules) == Decimal("600")


def test_margin_is_taken_by_entries_that_are_no_stops_at_the_leverage_set() -> None:
    on_futures: dict[str, Any] = {"market": "futures", "reduceOnly": False}
    entry = intent(1, **on_futures)
    elsewhere = intent(2, **{**on_futures, "symbol": "ETHUSDT"})
    leaving = intent(3, **{**on_futures, "reduceOnly": True})
    stop = intent(4, **{**on_futures, "type": "stop_loss", "stopPrice": "61000"})
    claims = pending_impact.claims([entry, elsewhere, leaving, stop])
    taken = pending_impact.taken_from_margin(claims, {BTC: 20, "ETHUSDT": 5}, FEE)
    assert taken == 600 * (Decimal(1) / 20 + FEE) + 600 * (Decimal(1) / 5 + FEE)


def test_a_position_is_moved_by_orders_of_its_symbol_and_side() -> None:
    futures: dict[str, Any] = {"market": "futures"}
    claims = pending_impact.claims(
        [
            intent(1, **futures),
            intent(2, side="sell", amount="0.03", **futures),
            intent(3, symbol="ETHUSDT", **futures),
        ]
    )
    assert pending_impact.moved(claims, BTC, "buy") == Decimal("0.01")
    assert pending_impact.moved(claims, BTC, "sell") == Decimal("-0.03")


async def test_what_rests_for_all_to_see_is_not_counted_twice(broker: Wired) -> None:
    placed = await broker.submitted(await broker.approved(**REST))
    resting = await broker.exchange.spot.open_orders(BTC)
    other = replace(placed, id="01other")
    claims = pending_impact.claims([placed, other])
    assert [claim.client_order_id for claim in pending_impact.besides(claims, resting)] == [
        client_order_id("01other")
    ]


async def test_two_approvals_never_count_on_the_same_money(broker: Wired) -> None:
    """The first one's outcome is not known; the second one sees what it may take."""
    await broker.control.do("balance", asset="USDT", free="20000")
    await broker.control.fault("executed", "hang", seconds=0)
    first = await broker.submitted(await broker.approved(**BUY))
    assert first.state is State.UNKNOWN
    await broker.control.do("balance", asset="USDT", free="1700")
    await broker.control.do("balance", asset="BTC", free="10")
    error = await refused(broker, CREATE, **BUY, idempotencyKey="another one")
    assert "balance" in failing(error)
    free = next(check["limit"] for check in error.details["checks"] if check["name"] == "balance")
    assert Decimal(free) == 1700 - Decimal("900.00015") * (1 + FEE)


async def test_the_position_counts_what_rests_and_what_is_being_sent(tmp_path: Path) -> None:
    async with wired(tmp_path, max_position_size_pct=Decimal("2.5")) as broker:
        await broker.submitted(await broker.approved(**REST))
        await broker.begun(**BUY)
        with pytest.raises(BrokerError) as refusal:
            await broker.park(**{**BUY, "amount": "0.014"})
        (check,) = refusal.value.details["checks"]
        assert check["name"] == "position"
        assert Decimal(check["figure"]) == Decimal("0.044") * Decimal("60000.01")


async def test_a_futures_position_counts_what_is_being_sent(tmp_path: Path) -> None:
    async with wired(tmp_path, max_position_size_pct=Decimal("1.5")) as broker:
        await hold_futures_price(broker)
        await broker.begun(**FUTURES_BUY)
        error = await refused(broker, CREATE, **{**FUTURES_BUY, "amount": "0.014"})
        assert failing(error) == ["position"]
        assert Decimal(error.details["checks"][0]["figure"]) == Decimal("0.029") * Decimal("60000.1")
        assert (await broker.park(**{**FUTURES_BUY, "side": "sell"})).state is State.PENDING


async def test_margin_of_an_order_that_rests_is_taken_once(futures: Wired) -> None:
    """Its placing does not touch the account's time of change."""
    futures.clock.advance(1)
    resting = await futures.submitted(await futures.approved(**FUTURES_REST))
    assert resting.state is State.PLACED
    available = (await futures.exchange.futures.account()).available_usdt
    assert available == 100_000 - Decimal("0.015") * 58_000 / 20
    again = checks_of(await futures.park(**{**FUTURES_REST, "price": "57000"}))["balance"]
    assert Decimal(again["limit"]) == available


async def test_margin_of_an_order_that_is_being_sent_is_counted(futures: Wired) -> None:
    available = (await futures.exchange.futures.account()).available_usdt
    await futures.begun(**FUTURES_REST)
    again = checks_of(await futures.park(**{**FUTURES_REST, "price": "57000"}))["balance"]
    value = Decimal("0.015") * 58_000
    assert Decimal(again["limit"]) == available - value / 20 - value * Decimal("0.0005")


async def test_an_approved_request_does_not_count_against_itself(tmp_path: Path) -> None:
    async with wired(tmp_path, max_position_size_pct=Decimal(1)) as broker:
        assert (await broker.submitted(await broker.approved(**BUY))).state is State.PLACED


async def test_the_card_tells_what_all_waiting_requests_would_take(broker: Wired) -> None:
    await broker.park(**REST)
    second = await broker.park(**{**REST, "price": "57000"})
    total = Decimal("0.015") * (58_000 + 57_000) * (1 + FEE)
    assert figures_of(second)["All pending vs free"] == f"{cents(total)} of 100,000.00 USDT"
    await broker.control.do("balance", asset="USDT", free="2000")
    third = await broker.park(**{**REST, "price": "56000", "amount": "0.001"})
    (figure,) = [one for one in third.card.stored()["figures"] if one["label"] == "All pending vs free"]
    assert figure["tone"] == "plain"
    assert checks_of(third)["balance"]["limit"] == "2000"


async def test_what_is_left_of_an_order_of_another_symbol_is_known_from_our_own_record(broker: Wired) -> None:
    arguments = order_arguments(symbol="BTCUSDC", type="limit", amount="0.01", price="59000")
    parked = await broker.store.intents.park(request(arguments=arguments), max_pending=MANY_PENDING)
    begun = await broker.store.submissions.begin(
        await broker.approve(parked.intent),
        is_exit=False,
        client_order_id="cb-1",
        namespace="spot",
        wire_timestamp_ms=1,
        value_usdt=None,
        approved_since=LONG_AGO,
    )
    resting = kept_order(status="partly_filled", filled="0.004")
    await broker.store.submissions.settle(begun, State.PLACED, actor="binance", order=resting)

    async def elsewhere(symbol: str) -> list[pending_impact.Claim]:
        return pending_impact.elsewhere(
            (await open_intents.read(broker_context(broker), "spot", None)).resting, symbol
        )

    [claim] = await elsewhere(BTC)
    assert (claim.order.symbol, claim.order.amount) == ("BTCUSDC", Decimal("0.006"))
    assert await elsewhere("BTCUSDC") == []
    await broker.store.submissions.follow(
        await broker.intent(begun.id), changed(resting, status="filled", filled="0.01")
    )
    assert await elsewhere(BTC) == []


def broker_context(broker: Wired) -> AgentContext:
    context = Context(
        settings=broker.settings, exchange=broker.exchange, store=broker.store, clock=broker.clock
    )
    return context.of(LONE)
