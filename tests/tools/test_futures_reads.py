"""What an agent reads of the futures account and of funding."""

from __future__ import annotations

from decimal import Decimal

import pytest

from broker.errors import Code

from ..support import BTC, Wired
from .support import CREATE, FUTURES_BUY, FUTURES_STOP, hold_futures_price, placed, refused, trade

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("opened", "side", "gain"), [("buy", "LONG", 1), ("sell", "SHORT", -1)])
async def test_a_position_is_told_by_its_side_with_a_size_above_zero(
    futures: Wired, opened: str, side: str, gain: int
) -> None:
    await trade(futures, opened, "0.02")
    await hold_futures_price(futures, "61000")
    answer = await futures.call("binance_get_futures_positions", symbol=BTC)
    (position,) = answer["positions"]
    entry = Decimal("60000.1") if opened == "buy" else Decimal("59999.9")
    assert (position["side"], position["size"], answer["count"]) == (side, 0.02, 1)
    assert (position["entryPrice"], position["markPrice"]) == (float(entry), 61000)
    assert Decimal(str(position["unrealizedPnL"])) == gain * (61_000 - entry) * Decimal("0.02")
    assert (position["leverage"], position["marginType"]) == (20, "cross")
    assert (await futures.call("binance_get_futures_positions", symbol="ETHUSDT"))["positions"] == []


async def test_the_futures_account_is_told_in_usdt_with_what_is_not_realised(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    await hold_futures_price(futures, "61000")
    account = await futures.call("binance_get_account", market="futures")
    fee = Decimal("60000.1") * Decimal("0.02") * Decimal("0.0005")
    gain = (61_000 - Decimal("60000.1")) * Decimal("0.02")
    assert account["accountType"] == "FUTURES"
    assert Decimal(str(account["totalUSDT"])) == 100_000 - fee + gain
    (usdt,) = account["balances"]
    assert Decimal(str(usdt["locked"])) == Decimal("0.02") * 61_000 / 20
    spot = await futures.call("binance_get_account")
    assert (spot["accountType"], spot["totalUSDT"]) == ("SPOT", 100_000)


async def test_open_orders_of_futures_have_the_conditional_ones_among_them(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    stop = await placed(futures, CREATE, **FUTURES_STOP)
    limit = await placed(futures, CREATE, **{**FUTURES_BUY, "type": "limit", "price": "58000"})
    answer = await futures.call("binance_get_open_orders", symbol=BTC, market="futures")
    told = {order["clientOrderId"]: order for order in answer["orders"]}
    assert answer["count"] == 2
    conditional, plain = told[f"cb-{stop.id}"], told[f"cb-{limit.id}"]
    assert (conditional["conditional"], conditional["stopPrice"], conditional["price"]) == (True, 58000, None)
    assert (plain["conditional"], plain["stopPrice"], plain["price"]) == (False, None, 58000)
    assert (await futures.call("binance_get_open_orders"))["orders"] == []


async def test_profit_of_futures_trades_is_net_of_fees_at_average_cost(futures: Wired) -> None:
    await trade(futures, "buy", "0.02")
    await hold_futures_price(futures, "61000")
    await trade(futures, "sell", "0.03")
    answer = await futures.call("binance_get_trade_history", symbol=BTC, market="futures")
    bought, sold, fee = Decimal("60000.1"), Decimal("60999.9"), Decimal("0.0005")
    profit = (sold - bought) * Decimal("0.02") - (sold + bought) * Decimal("0.02") * fee
    assert answer["realizedPnL"] == answer["totalPnL"] == float(round(profit, 8))
    assert (answer["unmatchedAmount"], answer["count"]) == (0.01, 2)


async def test_shorts_that_lost_are_told_as_a_loss(futures: Wired) -> None:
    for price in ("60000", "61000"):
        await hold_futures_price(futures, price)
        await trade(futures, "sell", "0.01")
        await hold_futures_price(futures, str(int(price) + 500))
        await trade(futures, "buy", "0.01")
    answer = await futures.call("binance_get_trade_history", symbol=BTC, market="futures")
    wallet = (await futures.call("binance_get_account", market="futures"))["totalUSDT"]
    assert Decimal(str(answer["realizedPnL"])) == Decimal(str(wallet)) - 100_000 < -10
    assert answer["unmatchedAmount"] == 0


async def test_funding_is_told_with_its_real_interval(futures: Wired) -> None:
    answer = await futures.call("binance_get_funding_rate", symbol="BTC/USDT")
    funding = await futures.exchange.futures.funding(BTC)
    assert answer["symbol"] == BTC
    assert answer["nextFundingTime"] - answer["fundingTimestamp"] == answer["intervalHours"] * 3_600_000
    assert Decimal(str(answer["fundingRate"])) == funding.rate
    a_year = funding.rate * 100 * 365 * 24 / funding.interval_hours
    assert Decimal(str(answer["annualized"])) == round(a_year, 6)


async def test_a_key_without_futures_reads_spot_all_the_same(futures: Wired) -> None:
    await futures.control.do("permissions", futures=False)
    for tool, arguments in (
        ("binance_get_futures_positions", {}),
        ("binance_get_account", {"market": "futures"}),
        ("binance_get_open_orders", {"market": "futures"}),
    ):
        assert (await refused(futures, tool, **arguments)).code is Code.FUTURES_NOT_PERMITTED
    assert (await futures.call("binance_get_account"))["accountType"] == "SPOT"
