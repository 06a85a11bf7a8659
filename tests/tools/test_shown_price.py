"""What the card said of the price holds: a market order that would cost more is not sent."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.errors import BrokerError, Code
from broker.intents import State
from broker.money import kept
from broker.orders.quote import worst_price
from tests.support import BTC, BUY, REST, Wired, eventually, terms_of, wired

pytestmark = pytest.mark.anyio


async def test_a_buy_is_sent_within_the_tolerance_and_below_it(broker: Wired) -> None:
    for number, price in enumerate(("60250", "55000")):
        intent = await broker.approved(**BUY, idempotencyKey=f"attempt-{number}")
        await broker.control.do("price", symbol=BTC, price=price)
        assert (await broker.submitted(intent)).state is State.PLACED
        await broker.control.do("price", symbol=BTC, price="60000")


@pytest.mark.parametrize("slow", ["/api/v3/account", "/api/v3/depth"])
@pytest.mark.parametrize(
    ("price", "state", "note"),
    [("60000", State.PLACED, None), ("61000", State.PENDING, "Price moved +1.7 %")],
)
async def test_a_price_that_grew_old_while_binance_answered_is_read_again(
    broker: Wired, slow: str, price: str, state: State, note: str | None
) -> None:
    intent = await broker.approved(**BUY)
    await broker.control.do("fault", when="executed", do="hold", method="GET", path=slow)
    broker.executor.take(intent)
    assert await broker.control.held() == 1

    async def book_was_read() -> bool:
        return len(await broker.control.requests("GET", "/api/v3/depth")) == 2

    await eventually(book_was_read)
    broker.clock.advance(2)
    await broker.control.do("price", symbol=BTC, price=price)
    await broker.control.do("release")
    ended = await broker.until(intent, State.PLACED, State.PENDING)
    assert (ended.state, (ended.note or "").partition(":")[0]) == (state, note or "")
    assert len(await broker.control.requests()) == (state is State.PLACED)


async def test_a_price_that_is_old_once_more_is_not_sent_by(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    fault = {"when": "executed", "do": "hold", "method": "GET", "path": "/api/v3/depth"}
    await broker.control.do("fault", **fault, times=2)
    broker.executor.take(intent)
    for _ in range(2):
        assert await broker.control.held() == 1
        broker.clock.advance(2)
        await broker.control.do("release")
    await asyncio.wait(broker.executor._running.values())
    assert (await broker.intent(intent.id)).state is State.APPROVED
    assert await broker.control.requests() == []


async def test_a_book_that_grew_too_thin_stops_a_market_order(broker: Wired) -> None:
    intent = await broker.approved(**BUY)
    await broker.control.do("liquidity", symbol=BTC, qtyPerLevel="0.00001")
    settled = await broker.submitted(intent)
    assert settled.state is State.NOT_SENT
    assert settled.note is not None and "Order value: could not be read" in settled.note
    assert await broker.control.requests() == []


async def test_a_limit_order_carries_its_own_bound(broker: Wired) -> None:
    intent = await broker.approved(**REST)
    await broker.control.do("price", symbol=BTC, price="66000")
    assert (await broker.submitted(intent)).state is State.PLACED


async def test_an_exit_is_bounded_only_when_it_was_asked_for(tmp_path: Path) -> None:
    sell = {"symbol": BTC, "side": "sell", "amount": "0.015"}
    for tolerance, state in ((None, State.PLACED), (Decimal(1), State.PENDING)):
        async with wired(tmp_path / str(state), exit_price_tolerance_pct=tolerance) as broker:
            await broker.control.do("balance", asset="BTC", free="0.015")
            intent = await broker.approved(**sell)
            await broker.control.do("price", symbol=BTC, price="57000")
            broker.executor.take(intent)
            assert (await broker.until(intent, State.PLACED, State.PENDING)).state is state


async def test_a_buy_that_would_hold_too_much_of_one_asset_is_refused(broker: Wired) -> None:
    await broker.control.do("balance", asset="BTC", free="0.09")
    with pytest.raises(BrokerError) as refusal:
        await broker.park(**BUY)
    assert refusal.value.code is Code.RISK_CHECK_FAILED
    [check] = refusal.value.details["checks"]
    assert check["name"] == "position"
    assert Decimal(check["figure"]) == Decimal("0.105") * Decimal("60000.01")
    assert Decimal(check["limit"]) == (100_000 + Decimal("0.09") * 60_000) * 5 / 100


async def test_a_sell_passes_whatever_is_held(broker: Wired) -> None:
    await broker.control.do("balance", asset="BTC", free="0.5")
    assert (await broker.park(symbol=BTC, side="sell", amount="0.015")).is_exit


PRICES = st.decimals("0.00000001", 10_000_000, allow_nan=False, places=18)
TOLERANCES = st.decimals(0, 5, allow_nan=False, places=6)


@given(PRICES, TOLERANCES)
def test_the_worst_price_is_never_better_than_the_reference(reference: Decimal, pct: Decimal) -> None:
    most, least = reference * (1 + pct / 100), reference * (1 - pct / 100)
    digit = reference / 10**7
    assert reference <= worst_price(reference, pct, "buy") <= max(most, reference + digit)
    assert reference >= worst_price(reference, pct, "sell") >= min(least, reference - digit)
    assert most - worst_price(reference, pct, "buy") <= 2 * digit
    assert worst_price(reference, pct, "sell") - least <= 2 * digit


def test_the_worst_price_of_a_very_cheap_asset_keeps_its_tolerance() -> None:
    assert worst_price(Decimal("0.000000512"), Decimal("0.5"), "buy") == Decimal("0.00000051456")


async def test_without_any_tolerance_what_did_not_move_is_sent(tmp_path: Path) -> None:
    async with wired(tmp_path, price_tolerance_pct=Decimal(0)) as broker:
        await broker.control.do("liquidity", symbol=BTC, qtyPerLevel="0.007")
        intent = await broker.approved(**BUY)
        assert Decimal(terms_of(intent)["worstPrice"]) > Decimal("60000.01"), "an average of three levels"
        assert (await broker.submitted(intent)).state is State.PLACED


def test_a_reference_is_kept_in_all_its_digits() -> None:
    average = Decimal("0.00000051234567891234567")
    assert kept(average) == Decimal("0.000000512345678912346")
