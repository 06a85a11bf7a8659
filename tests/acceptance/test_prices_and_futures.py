"""What a card promised of the price holds, and a futures position from its leverage to its close."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import Any

import httpx2
import pytest
from playwright.async_api import Browser, Page, expect

from broker.clock import to_ms, utc_now

from ..support import eventually
from .people import Agent, agent, control, first_trader, orders_at
from .processes import BrokerProcess, PaperProcess

pytestmark = pytest.mark.anyio

START = Decimal(100_000)
WEEK_MS = 7 * 24 * 3_600_000
FUNDINGS_A_WEEK = 21
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

        before = to_ms(utc_now())
        await control(exchange.url, "clock", offset_ms=WEEK_MS)
        await eventually(lambda: answered(asking, "binance_get_futures_positions"))
        received = -await funding_paid(exchange, Decimal("0.01"), before, before + WEEK_MS)
        assert cents(received), "a week of funding is worth something"

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
    assert cents(exact(wallet["total"])) == cents(START + gross - fees + received)
    assert cents(exact(account["totalUSDT"])) == cents(START + gross - fees + received)


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


async def answered(asking: Agent, tool: str) -> bool:
    """Whether a read succeeds: not before the broker has seen that Binance's clock is another."""
    return "error" not in await asking.call(tool)


async def funding_paid(exchange: PaperProcess, held: Decimal, after: int, until: int) -> Decimal:
    """What a long of that size paid between two times, as the exchange tells everybody its rates."""
    async with httpx2.AsyncClient() as http:
        wanted: dict[str, str | int] = {"symbol": BTC, "startTime": after, "endTime": until, "limit": 100}
        rows = (await http.get(f"{exchange.url}/fapi/v1/fundingRate", params=wanted)).json()
    assert len(rows) == FUNDINGS_A_WEEK
    paid = [held * exact(row["markPrice"]) * exact(row["fundingRate"]) for row in rows]
    return sum((one.quantize(Decimal("0.00000001"), ROUND_DOWN) for one in paid), Decimal(0))


async def move(exchange: PaperProcess, price: str) -> None:
    await control(exchange.url, "price", symbol=BTC, price=price, market="futures")


def exact(number: Any) -> Decimal:
    return Decimal(str(number))


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"))
