"""What a card promised of the price holds, and a futures position from its leverage to its close."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from .people import Agent, agent, control, first_trader, orders_at
from .processes import BrokerProcess, PaperProcess

pytestmark = pytest.mark.anyio

START = Decimal(100_000)
BTC = "BTCUSDT"


async def test_a_price_that_runs_away_while_the_trader_reads_brings_the_card_back(
    browser: Browser, broker: BrokerProcess, exchange: PaperProcess
) -> None:
    await control(exchange.url, "price", symbol=BTC, price="60000")
    page = await first_trader(browser, broker)
    async with agent(broker) as asking:
        parked = await asking.park(amount="0.015")
        live = page.locator(f"#live-{parked['intentId']}")
        await expect(live).to_contain_text("60,000.00 (0.0 %)")
        await control(exchange.url, "price", symbol=BTC, price="61200")
        await expect(live).to_contain_text("61,200.00 (+2.0 %)")
        approve = page.get_by_role("button", name="Approve BUY 0.015 BTC")
        await approve.click()

        await expect(page.get_by_text("Price moved +2.0 %").first).to_be_visible()
        assert await orders_at(exchange.url) == []
        back = await asking.call("intent_get", intentId=parked["intentId"])
        assert back["status"] == "pending"
        assert back["digest"] != parked["digest"]
        assert "Price moved +2.0 %" in back["outcome"]
        card = page.locator(f'[data-intent="{parked["intentId"]}"]')
        await expect(card.locator("h3")).to_contain_text("sent only at 61,5")

        await approve.click()
        told = await asking.call("intent_wait", intentId=parked["intentId"])
    assert told["status"] == "placed"
    [order] = await orders_at(exchange.url)
    assert order["clientOrderId"].endswith(parked["intentId"])


async def test_a_futures_position_from_its_leverage_to_its_close_adds_up_to_the_cent(
    browser: Browser, broker: BrokerProcess, exchange: PaperProcess
) -> None:
    await move(exchange, "60000")
    page = await first_trader(browser, broker)
    async with agent(broker) as asking:
        leverage = await approved(asking, page, "binance_set_leverage", symbol=BTC, leverage=10)
        assert (leverage["leverage"], leverage["previousLeverage"]) == (10, 20)

        entry = await approved(asking, page, "binance_create_order", **futures(side="buy", amount="0.01"))
        bought = entry["order"]
        [position] = (await asking.call("binance_get_futures_positions"))["positions"]
        assert (position["side"], exact(position["size"]), position["leverage"]) == (
            "LONG",
            Decimal("0.01"),
            10,
        )
        assert exact(position["entryPrice"]) == exact(bought["average"])

        stop = futures(side="sell", amount="0.01", type="stop_loss", stopPrice="57000")
        await approved(asking, page, "binance_create_order", **stop)
        [resting] = (await asking.call("binance_get_open_orders", market="futures"))["orders"]
        assert (resting["conditional"], exact(resting["stopPrice"])) == (True, Decimal(57_000))

        await move(exchange, "62000")
        closed = (await approved(asking, page, "binance_close_position", symbol=BTC))["closedPosition"]
        assert (closed["closedSide"], exact(closed["closedSize"])) == ("LONG", Decimal("0.01"))
        assert (await asking.call("binance_get_futures_positions"))["count"] == 0

        history = await asking.call("binance_get_trade_history", symbol=BTC, market="futures")
        account = await asking.call("binance_get_account", market="futures")
    fees = sum(exact(trade["fee"]["cost"]) for trade in history["trades"])
    entered, left = exact(closed["entryPrice"]), exact(closed["exitPrice"])
    gross = (left - entered) * Decimal("0.01")
    assert gross > 15
    exit_fee = exact(history["trades"][-1]["fee"]["cost"])
    assert cents(exact(closed["realizedPnL"])) == cents(gross - exit_fee)
    assert cents(exact(history["realizedPnL"])) == cents(gross - fees)
    [wallet] = [item for item in account["balances"] if item["asset"] == "USDT"]
    assert cents(exact(wallet["total"])) == cents(START + gross - fees)
    assert cents(exact(account["totalUSDT"])) == cents(START + gross - fees)


async def approved(asking: Agent, page: Page, tool: str, **arguments: Any) -> Any:
    """Asked for, approved on the page, and what the agent was told that it came to."""
    parked = await asking.call(tool, **arguments)
    assert parked["status"] == "pending", parked
    intent_id = parked["intentId"]
    await page.locator(f'[data-intent="{intent_id}"] button.approve').click()
    told = await asking.call("intent_wait", intentId=intent_id, timeoutSeconds=20)
    assert told["status"] == "placed", told
    if tool == "binance_close_position":  # its profit is known once its trades were read
        told = await asking.call("intent_wait", intentId=intent_id, until="filled", timeoutSeconds=20)
    return told["result"]


def futures(**arguments: Any) -> dict[str, Any]:
    return {"symbol": BTC, "market": "futures", **arguments}


async def move(exchange: PaperProcess, price: str) -> None:
    await control(exchange.url, "price", symbol=BTC, price=price, market="futures")


def exact(number: Any) -> Decimal:
    return Decimal(str(number))


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"))
