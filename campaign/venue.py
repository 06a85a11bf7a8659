"""The exchange as the campaign sees it: what goes wrong there, what it holds, and the truth that it tells."""

from __future__ import annotations

import hashlib
import hmac
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlencode

import httpx2

from tests.acceptance.processes import ModuleProcess, environment
from .exchange import LEVERAGE_SET
from .kinds import FAPI_LEVERAGE, FAPI_ORDER, LEVERAGES, POSITIONS, PRICES, TO_CLOSE

KEY, SECRET = "paper-key", "paper-secret"
OURS: Final = "cb-"
HELD: Final = dict.fromkeys((*TO_CLOSE, "ETHUSDT"), "1")
"""Positions that there are to close, and to guard with stops."""

BEYOND_RECV_WINDOW_MS: Final = 6_000


class ExchangeProcess(ModuleProcess):
    """Outlives every broker."""

    def __init__(self, folder: Path) -> None:
        command = ("campaign.exchange", str(folder / "exchange"))
        super().__init__(*command, cwd=folder, env=environment())
        self.url = self.wait_for(r"Paper exchange at (\S+)").group(1)


@dataclass(frozen=True, kw_only=True)
class Order:
    """One that the exchange took; conditional ones too. `trigger` and `price` are 0 where there is none.
    `at_ms`: when it took it, by its own clock.
    """

    client_id: str
    at_ms: int
    symbol: str
    side: str
    amount: Decimal
    price: Decimal
    trigger: Decimal


@dataclass(frozen=True, kw_only=True)
class Truth:
    """What reached the exchange, and what it did. `posts` are counted by client order id, or by symbol,
    leverage and timestamp; `leverages` by symbol and leverage.
    """

    orders: list[Order]
    posts: Counter[str]
    leverages: Counter[tuple[str, int]]

    def of(self, client_id: str) -> list[Order]:
        return [order for order in self.orders if order.client_id == client_id]


def leverage_post(symbol: str, leverage: int, timestamp_ms: int | str | None) -> str:
    return f"{symbol} {leverage}x at {timestamp_ms}"


class Venue:
    def __init__(self, url: str) -> None:
        self._http = httpx2.AsyncClient(base_url=url, trust_env=False, verify=False, timeout=70)
        self._elsewhere = count(1)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    # What goes wrong

    async def fault(self, **fault: Any) -> None:
        await self._control("fault", **fault)

    async def hold(self, method: str, path: str, when: str) -> None:
        await self.fault(method=method, path=path, when=when, do="hold")

    async def held(self, seconds: float = 15) -> bool:
        """Whether a request is held, as soon as one is."""
        found = await self._get("/control/held", count=1, seconds=seconds)
        return bool(found["held"])

    async def let_go(self) -> None:
        """Nothing more goes wrong, and whoever is held goes on."""
        await self.disarm()
        await self._control("release")

    async def disarm(self) -> None:
        """Nothing more goes wrong; who is held stays so."""
        (await self._http.delete("/control/faults")).raise_for_status()

    async def armed(self) -> int:
        """How many requests will still be struck."""
        return sum(fault["times"] for fault in (await self._get("/control/faults"))["faults"])

    async def move_clock(self, ahead_ms: int) -> None:
        await self._control("clock", offset_ms=ahead_ms)

    async def late_ones_done(self) -> None:
        await self._get("/control/late", seconds=20)

    # As from another program

    async def tidy(self) -> None:
        """No resting orders, and the positions that there should be."""
        for symbol in PRICES:
            await self._signed("DELETE", "/api/v3/openOrders", symbol=symbol)
            await self._signed("DELETE", "/fapi/v1/allOpenOrders", symbol=symbol)
            await self._signed("DELETE", "/fapi/v1/algoOpenOrders", symbol=symbol)
        held = {row["symbol"]: Decimal(row["positionAmt"]) for row in await self._signed("GET", POSITIONS)}
        for symbol, amount in HELD.items():
            if not held.get(symbol):
                await self.buy(symbol, amount)

    async def buy(self, symbol: str, quantity: str) -> None:
        client_id = f"elsewhere-{next(self._elsewhere)}"
        order = {"symbol": symbol, "side": "BUY", "type": "MARKET", "quantity": quantity}
        await self._signed("POST", FAPI_ORDER, **order, newClientOrderId=client_id)

    async def _signed(self, method: str, path: str, **params: str) -> Any:
        query = urlencode({**params, "timestamp": int(time.time() * 1000)})
        signature = hmac.new(SECRET.encode(), query.encode(), hashlib.sha256).hexdigest()
        headers = {"X-MBX-APIKEY": KEY}
        answer = await self._http.request(method, f"{path}?{query}&signature={signature}", headers=headers)
        return answer.json()

    # The truth

    async def truth(self) -> Truth:
        spot = (await self._get("/control/orders"))["orders"]
        futures = await self._get("/control/orders", market="futures")
        log = (await self._get("/control/requests"))["requests"]
        orders = [_order(told) for told in (*spot, *futures["orders"], *futures["algos"])]
        changes = [entry["params"] for entry in log if entry["method"] == LEVERAGE_SET]
        return Truth(
            orders=[order for order in orders if order.client_id.startswith(OURS)],
            posts=Counter(_name(entry) for entry in log if entry["method"] == "POST"),
            leverages=Counter((change["symbol"], int(change["leverage"])) for change in changes),
        )

    async def leverages(self) -> Mapping[str, int]:
        """Those set now."""
        rows = await self._signed("GET", "/fapi/v1/symbolConfig")
        return {row["symbol"]: int(row["leverage"]) for row in rows if row["symbol"] in LEVERAGES}

    async def _get(self, path: str, **params: Any) -> Any:
        return (await self._http.get(path, params=params)).raise_for_status().json()

    async def _control(self, what: str, **body: Any) -> None:
        (await self._http.post(f"/control/{what}", json=body)).raise_for_status()


def _order(told: Mapping[str, Any]) -> Order:
    return Order(
        client_id=told.get("clientAlgoId") or told["clientOrderId"],
        at_ms=told.get("time") or told["createTime"],
        symbol=told["symbol"],
        side=told["side"].lower(),
        amount=Decimal(told.get("quantity") or told["origQty"]),
        price=Decimal(told["price"]),
        trigger=Decimal(told.get("triggerPrice") or told["stopPrice"]),
    )


def _name(entry: Mapping[str, Any]) -> str:
    params = entry["params"]
    if entry["path"] == FAPI_LEVERAGE:
        return leverage_post(params["symbol"], int(params["leverage"]), params["timestamp"])
    return str(params.get("clientAlgoId") or params.get("newClientOrderId") or entry["path"])
