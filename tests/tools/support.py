"""What tests of tools share: futures at a known price, positions opened past the broker, checks by name."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from broker.errors import BrokerError
from broker.exchange import Market, OrderRequest, Verdict
from broker.intents import Intent, horizon_ms

from ..support import BTC, KEY, Wired, http_client, mcp_client

CREATE = "binance_create_order"
CLOSE = "binance_close_position"
LEVERAGE = "binance_set_leverage"

FUTURES_BUY: dict[str, Any] = {"symbol": BTC, "side": "buy", "amount": "0.015", "market": "futures"}
FUTURES_STOP: dict[str, Any] = {**FUTURES_BUY, "side": "sell", "type": "stop_loss", "stopPrice": "58000"}

FAPI_ORDER = "/fapi/v1/order"
FAPI_ALGO = "/fapi/v1/algoOrder"
FAPI_LEVERAGE = "/fapi/v1/leverage"

WAYS = ("http", "auto", "legacy")
"""How an agent calls a tool: POST /tools, or an era of MCP."""

_NUMBERS = count(1)


@dataclass(frozen=True)
class Told:
    """What a call was answered; `status` is HTTP's, None over MCP."""

    body: dict[str, Any]
    failed: bool
    status: int | None = None


Ask = Callable[[str, dict[str, Any]], Awaitable[Told]]


@asynccontextmanager
async def asking(url: str, way: str, key: str = KEY) -> AsyncIterator[Ask]:
    """A client of the served tools, by one of WAYS."""
    if way == "http":
        async with http_client(url, key) as http:

            async def post(tool: str, arguments: dict[str, Any]) -> Told:
                answer = await http.post(f"/tools/{tool}", json=arguments)
                body = answer.json()
                return Told(body, body.get("success") is False, answer.status_code)

            yield post
        return
    async with mcp_client(url, way, key) as client:

        async def call(tool: str, arguments: dict[str, Any]) -> Told:
            answer = await client.call_tool(tool, arguments)
            assert answer.structured_content is not None
            return Told(answer.structured_content, answer.is_error)

        yield call


async def hold_futures_price(broker: Wired, price: str = "60000") -> None:
    """Last and mark, with 1 BTC on every level."""
    await broker.control.do("price", symbol=BTC, price=price, market="futures")
    await broker.control.do("liquidity", symbol=BTC, qtyPerLevel="1", market="futures")


async def trade(broker: Wired, side: str, amount: str, **more: Any) -> str:
    """A futures order past the broker and its checks, as from another program; its id."""
    return await _send(broker, side=side, amount=Decimal(amount), market=Market.FUTURES, **more)


async def trade_spot(broker: Wired, side: str, amount: str, **more: Any) -> str:
    return await _send(broker, side=side, amount=Decimal(amount), market=Market.SPOT, **more)


async def _send(broker: Wired, *, market: Market, **order: Any) -> str:
    given = {"symbol": BTC, "type": "market", "price": None, **order}
    venue = broker.exchange.on(market)
    sent = await venue.submit(
        OrderRequest(market=market, **given),
        client_order_id=f"elsewhere-{next(_NUMBERS)}",
        timestamp_ms=await venue.server_time_ms(),
    )
    assert sent.verdict is Verdict.PLACED, sent
    assert sent.order is not None
    return sent.order.id


async def refused(broker: Wired, tool: str, /, **arguments: Any) -> BrokerError:
    """The call's error; nothing was parked by it."""
    before = await broker.parked_count()
    with pytest.raises(BrokerError) as refusal:
        await broker.call(tool, **arguments)
    assert await broker.parked_count() == before
    return refusal.value


async def parked(broker: Wired, tool: str, /, **arguments: Any) -> Intent:
    answer = await broker.call(tool, **arguments)
    return await broker.intent(answer["intentId"])


async def placed(broker: Wired, tool: str, /, **arguments: Any) -> Intent:
    """Parked, approved and sent, whatever comes of it."""
    return await broker.submitted(await broker.approve(await parked(broker, tool, **arguments)))


def checks_of(intent: Intent) -> dict[str, dict[str, Any]]:
    return {check["name"]: check for check in intent.card.stored()["checks"]}


def figures_of(intent: Intent) -> dict[str, str]:
    return {figure["label"]: figure["value"] for figure in intent.card.stored()["figures"]}


def failing(error: BrokerError) -> list[str]:
    return [check["name"] for check in error.details["checks"]]


async def past_the_horizon(broker: Wired, intent: Intent) -> None:
    """By Binance's clock: what was not carried out by now never will be."""
    assert intent.wire_timestamp_ms is not None
    ahead = horizon_ms(intent, 0) - intent.wire_timestamp_ms + 1
    await broker.control.do("clock", offset_ms=ahead)
