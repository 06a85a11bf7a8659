"""Closing a position: its side from its side, never the other side, never more than the card showed."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from broker.errors import Code
from broker.intents import State
from broker.orders.context import Context
from broker.tools import HIGH

from ..support import BTC, Wired, terms_of, wired
from .support import (
    CLOSE,
    FAPI_ORDER,
    figures_of,
    hold_futures_price,
    parked,
    placed,
    refused,
    trade,
)

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("opened", "closes", "side"), [("buy", "SELL", "LONG"), ("sell", "BUY", "SHORT")])
async def test_the_side_comes_from_the_position_and_the_order_only_reduces(
    futures: Wired, opened: str, closes: str, side: str
) -> None:
    await trade(futures, opened, "0.02")
    intent = await placed(futures, CLOSE, symbol=BTC)
    wire = (await futures.control.requests("POST", FAPI_ORDER))[-1]["params"]
    assert (wire["side"], wire["quantity"], wire["reduceOnly"]) == (closes, "0.02", "true")
    assert (wire["type"], "price" in wire) == ("MARKET", False)
    assert intent.card.stored()["act"] == f"CLOSE {side} 0.02 BTC"
    assert (await futures.call("binance_get_futures_positions"))["count"] == 0


async def test_the_result_is_the_contracts_with_the_profit_net_of_fees(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    await futures.control.do("price", symbol=BTC, price="61000", market="futures")
    intent = await placed(futures, CLOSE, symbol=BTC)
    await futures.reconciler.follow_placed()
    answer = await futures.call("intent_get", intentId=intent.id)
    bought, sold = Decimal("60000.1"), Decimal("60999.9")
    gross = (sold - bought) * Decimal("0.02")
    fee = sold * Decimal("0.02") * Decimal("0.0005")
    assert answer["result"] == {
        "success": True,
        "closedPosition": {
            "symbol": BTC,
            "closedSize": 0.02,
            "closedSide": "LONG",
            "entryPrice": 60000.1,
            "exitPrice": 60999.9,
            "realizedPnL": float(gross - fee),
            "orderId": (await futures.intent(intent.id)).order.id,  # type: ignore[union-attr]
        },
    }


async def test_the_canonical_text_holds_what_will_be_sent(futures: Wired) -> None:
    await trade(futures, "sell", "0.02")
    intent = await parked(futures, CLOSE, symbol="BTC/USDT")
    arguments = terms_of(intent)["arguments"]
    assert (arguments["symbol"], arguments["side"], arguments["amount"]) == (BTC, "buy", "0.02")
    assert (terms_of(intent)["market"], terms_of(intent)["worstPrice"]) == ("futures", None)
    assert intent.is_exit


async def test_without_a_position_nothing_is_parked(futures: Wired) -> None:
    error = await refused(futures, CLOSE, symbol=BTC)
    assert error.code is Code.NO_POSITION
    assert error.message == f"There is no open position in {BTC}. Nothing was parked."


async def test_a_position_that_shrank_is_closed_and_the_other_side_is_not_opened(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    intent = await parked(futures, CLOSE, symbol=BTC)
    await trade(futures, "sell", "0.015")
    assert (await futures.submitted(await futures.approve(intent))).state is State.PLACED
    assert (await futures.call("binance_get_futures_positions"))["count"] == 0


async def test_at_most_what_the_card_showed_is_closed(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    intent = await parked(futures, CLOSE, symbol=BTC)
    await trade(futures, "buy", "0.01")
    assert (await futures.submitted(await futures.approve(intent))).state is State.PLACED
    (left,) = (await futures.call("binance_get_futures_positions"))["positions"]
    assert (left["side"], left["size"]) == ("LONG", 0.01)


@pytest.mark.parametrize("sold", ["0.02", "0.03"])
async def test_a_position_that_is_gone_or_on_the_other_side_is_not_touched(futures: Wired, sold: str) -> None:
    await trade(futures, "buy", "0.02")
    intent = await parked(futures, CLOSE, symbol=BTC)
    await trade(futures, "sell", sold)
    sent = len(await futures.control.requests("POST", FAPI_ORDER))
    settled = await futures.submitted(await futures.approve(intent))
    assert settled.state is State.NOT_SENT
    assert settled.note is not None and "position in BTCUSDT" in settled.note
    assert len(await futures.control.requests("POST", FAPI_ORDER)) == sent


async def test_the_card_says_entry_price_profit_and_what_stays_open(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    await trade(futures, "sell", "0.02", type="stop_loss", stop_price=Decimal(58_000), reduce_only=True)
    await trade(futures, "buy", "0.01", type="limit", price=Decimal(57_500))
    await futures.control.do("price", symbol=BTC, price="61000", market="futures")
    intent = await parked(futures, CLOSE, symbol=BTC)
    assert intent.summary == (
        "CLOSE LONG 0.02 BTC (all), entry 60,000.1, now 60,999.9, ≈ +20.00 USDT before fees, at any price, "
        "stays open: limit BUY 0.01 at 57,500, stop 58,000"
    )
    assert figures_of(intent)["P&L before fees"] == "+20.00 USDT"
    assert intent.card.stored()["suggestible"] == []


async def test_a_tolerance_of_exits_bounds_a_close_when_it_is_set(tmp_path: Path) -> None:
    async with wired(tmp_path, exit_price_tolerance_pct=Decimal(1)) as broker:
        await hold_futures_price(broker)
        await trade(broker, "buy", "0.02")
        intent = await parked(broker, CLOSE, symbol=BTC)
        assert terms_of(intent)["worstPrice"] == "59399.901"
        assert "sent only at 59,399.901 or better" in intent.summary
        await broker.control.do("price", symbol=BTC, price="59000", market="futures")
        broker.executor.take(await broker.approve(intent))
        moved = await broker.until(intent, State.PENDING, State.PLACED)
        assert moved.state is State.PENDING
        assert moved.digest != intent.digest
        assert "now 58,999.9" in moved.summary
        assert (await broker.submitted(await broker.approve(moved))).state is State.PLACED


async def test_resting_orders_that_only_reduce_are_named_on_the_card_and_in_a_refusal(
    futures: Wired,
) -> None:
    await trade(futures, "buy", "0.02")
    resting = await trade(futures, "sell", "0.02", type="limit", price=Decimal(65_000), reduce_only=True)
    intent = await parked(futures, CLOSE, symbol=BTC)
    (warning,) = intent.card.stored()["warnings"]
    assert warning.endswith("limit SELL 0.02 at 65,000")
    refusal = {"do": "code", "http": 400, "code": -2022, "msg": "ReduceOnly Order is rejected."}
    await futures.control.do("fault", when="received", method="POST", path=FAPI_ORDER, **refusal)
    settled = await futures.submitted(await futures.approve(intent))
    assert settled.state is State.REFUSED
    assert settled.note is not None and f"limit SELL 0.02 at 65,000 (id {resting})" in settled.note
    answer = await futures.call("intent_get", intentId=intent.id)
    assert f"(id {resting})" in answer["outcome"]


@pytest.mark.parametrize(("code", "resting"), [(-2022, False), (-2019, True)])
async def test_another_refusal_is_told_in_binances_own_words(
    futures: Wired, code: int, resting: bool
) -> None:
    await trade(futures, "buy", "0.02")
    if resting:
        await trade(futures, "sell", "0.02", type="limit", price=Decimal(65_000), reduce_only=True)
    refusal = {"do": "code", "http": 400, "code": code, "msg": "Binance's own words."}
    await futures.control.do("fault", when="received", method="POST", path=FAPI_ORDER, **refusal)
    settled = await placed(futures, CLOSE, symbol=BTC)
    assert (settled.state, settled.note) == (State.REFUSED, "Binance's own words.")


async def test_figures_now_tell_the_price_and_the_position(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    intent = await parked(futures, CLOSE, symbol=BTC)
    await futures.control.do("price", symbol=BTC, price="61000", market="futures")
    context = Context(
        settings=futures.settings, exchange=futures.exchange, store=futures.store, clock=futures.clock
    )
    shown = {figure.label: figure.value for figure in await HIGH[CLOSE].figures_now(context, intent)}
    assert shown == {
        "Book average now": "60,999.9 USDT (+1.7 %)",
        "Position now": "LONG 0.02 BTC, entry 60,000.1",
        "P&L before fees": "+20.00 USDT",
    }
