"""Attackers that are agents: their keys are valid, and they use all that these allow."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from itertools import count
from random import Random
from typing import Any, Final

from .texts import is_nonsense, reads_badly
from .wire import AGAIN_SECONDS, Pace, Target, call, exchange, request, together

CREATE: Final = "binance_create_order"
CALLS_PER_SECOND: Final = 200
PARKS_PER_SECOND: Final = 20
TEXTS_PER_SECOND: Final = 20
WAITS_AT_ONCE: Final = 200
BTC: Final = {"symbol": "BTCUSDT"}
READS: Final[tuple[tuple[str, Mapping[str, Any]], ...]] = (
    ("binance_get_ticker", BTC),
    ("binance_get_orderbook", {**BTC, "limit": 100}),
    ("binance_get_klines", {**BTC, "limit": 500}),
    ("binance_get_trades", {**BTC, "limit": 100}),
    ("binance_get_exchange_info", {}),
    ("binance_get_account", {"market": "futures"}),
    ("binance_get_open_orders", {}),
    ("binance_get_trade_history", BTC),
    ("intent_list", {"limit": 100}),
)
MCP: Final = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


async def tool_calls(target: Target) -> None:
    """Far more of them a minute than an agent may make, over HTTP and MCP."""
    pace, random = Pace(CALLS_PER_SECOND), Random(target.seed)

    async def one(which: int) -> None:
        await pace.turn()
        key, (tool, arguments) = target.keys[which % len(target.keys)], random.choice(READS)
        if which % 2:
            await call(target, key, tool, arguments)
        else:
            params = {"name": tool, "arguments": dict(arguments)}
            await mcp(target, key, {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})

    await together(16, one)


async def parks(target: Target) -> None:
    """As many requests as may wait; then one is withdrawn for each new one."""
    pace, random = Pace(PARKS_PER_SECOND), Random(target.seed)
    waiting: dict[str, deque[str]] = {key: deque() for key in target.keys}

    async def one(which: int) -> None:
        await pace.turn()
        key = target.keys[which % len(target.keys)]
        answer = await call(target, key, CREATE, {**_order(random), "idempotencyKey": _key(random)})
        if "intentId" in answer:
            waiting[key].append(answer["intentId"])
        elif waiting[key]:
            await call(target, key, "intent_cancel", {"intentId": waiting[key].popleft()})

    await together(len(target.keys) * 2, one)


async def long_waits(target: Target) -> None:
    """Many at a time for one request, as long as they may last; some hang up early."""
    random = Random(target.seed)
    parked: dict[str, str] = {}

    async def one(which: int) -> None:
        key = target.keys[which % len(target.keys)]
        if key not in parked:
            answer = await call(target, key, CREATE, {**_order(random), "idempotencyKey": _key(random)})
            if "intentId" in answer:
                parked[key] = answer["intentId"]
        elif random.random() < 0.2:
            waiting = call(target, key, "intent_wait", {"intentId": parked[key], "timeoutSeconds": 50})
            try:
                await asyncio.wait_for(waiting, random.uniform(0, 3))
            except TimeoutError:
                await asyncio.sleep(AGAIN_SECONDS)
        else:
            await call(target, key, "intent_wait", {"intentId": parked[key], "timeoutSeconds": 15})
        await asyncio.sleep(AGAIN_SECONDS)

    await together(WAITS_AT_ONCE, one)


async def hostile_texts(target: Target) -> None:
    pace, random, numbers = Pace(TEXTS_PER_SECOND), Random(target.seed), count()

    async def one(which: int) -> None:
        await pace.turn()
        key, order = target.keys[which % len(target.keys)], _order(random)
        make = is_nonsense if next(numbers) % 3 else reads_badly
        await call(target, key, CREATE, make(random, order))

    await together(4, one)


async def bad_messages(target: Target) -> None:
    """MCP that is none: notifications and calls with the wrong shape."""
    pace, random = Pace(TEXTS_PER_SECOND), Random(target.seed)
    methods = ("notifications/cancelled", "notifications/progress", "notifications/x", "tools/call", "ping")
    params: tuple[Any, ...] = (None, [], 7, {"requestId": {}}, {"progressToken": []}, {"name": 5}, "\x00")

    async def one(which: int) -> None:
        await pace.turn()
        message: dict[str, Any] = {"jsonrpc": "2.0", "method": random.choice(methods)}
        message["params"] = random.choice(params)
        if random.random() < 0.3:
            message["id"] = random.choice(params)
        await mcp(target, target.keys[which % len(target.keys)], message)

    await together(4, one)


async def mcp(target: Target, key: str, message: Mapping[str, Any]) -> None:
    headers = {**MCP, "X-MCP-API-Key": key, "MCP-Protocol-Version": "2025-11-25"}
    await exchange(target, request(target, "POST", "/mcp", json.dumps(message).encode(), headers))


def _order(random: Random) -> dict[str, Any]:
    """An entry far below the market, so that none of them could be filled even if it were approved."""
    amount, price = f"0.000{random.randint(200, 999)}", random.randint(57_500, 58_400)
    return {"symbol": "BTCUSDT", "side": "buy", "type": "limit", "amount": amount, "price": price}


def _key(random: Random) -> str:
    """No two requests of a campaign have the same."""
    return f"flood-{random.getrandbits(80):020x}"


ATTACKERS: Final[Mapping[str, Callable[[Target], Awaitable[None]]]] = {
    "tool calls": tool_calls,
    "parks": parks,
    "long waits": long_waits,
    "hostile texts": hostile_texts,
    "bad messages": bad_messages,
}
