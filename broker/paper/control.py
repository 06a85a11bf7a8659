"""The control API, for tests and demonstrations: prices, balances, the clock, faults.

It takes and returns JSON under /control/. A body must have the content type of JSON: a browser sends that to
another origin only after a CORS preflight, and this server never allows one.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from .futures import FuturesExchange
from .futures import order_answers as futures_answers
from .futures.ledger import MARGIN_ASSET
from .http import faults
from .http.errors import Refusal
from .http.fault_proxy import FaultProxy
from .permissions import Permissions
from .spot import order_answers
from .spot.exchange import Exchange

Json = dict[str, Any]
MAX_WAIT_SECONDS = 60


class Control:
    """`market` in a body or query is "spot" (the default) or "futures"."""

    def __init__(
        self,
        exchange: Exchange,
        proxy: FaultProxy,
        futures: FuturesExchange | None = None,
        permissions: Permissions | None = None,
    ) -> None:
        self._exchange = exchange
        self._proxy = proxy
        self._futures = futures
        self._permissions = permissions or Permissions()

    def routes(self) -> list[Route]:
        posts: dict[str, Callable[[Json], Json]] = {
            "price": self.price,
            "liquidity": self.liquidity,
            "balance": self.balance,
            "clock": self.clock,
            "fault": self.fault,
            "release": self.release,
            "permissions": self.permissions,
            "position_mode": self.position_mode,
        }
        return [
            *(Route(f"/{name}", json_post(answer), methods=["POST"]) for name, answer in posts.items()),
            Route("/faults", self.pending_faults, methods=["GET"]),
            Route("/faults", self.clear_faults, methods=["DELETE"]),
            Route("/requests", self.requests, methods=["GET"]),
            Route("/orders", self.orders, methods=["GET"]),
            Route("/held", self.held, methods=["GET"]),
            Route("/late", self.late, methods=["GET"]),
        ]

    def price(self, body: Json) -> Json:
        """{symbol, price}: hold the last price and the mark price there. null: release them."""
        symbol, price, venue = body["symbol"], _amount(body, "price"), self._venue(body)
        tick = venue.market(symbol).symbol.tick
        if price is not None and (price <= 0 or price % tick):
            raise ValueError(f"price: above 0 and a multiple of {tick}, or null")
        venue.pin(symbol, price)
        return {"symbol": symbol, "price": str(venue.market(symbol).price(venue.now))}

    def liquidity(self, body: Json) -> Json:
        """{symbol, qtyPerLevel}: set the quantity of every level of the book. null: random quantities."""
        symbol, size, venue = body["symbol"], _amount(body, "qtyPerLevel"), self._venue(body)
        step = venue.market(symbol).symbol.step
        if size is not None and (size < 0 or size % step):
            raise ValueError(f"qtyPerLevel: 0 or a multiple of {step}, or null")
        venue.set_level_size(symbol, size)
        return body

    def balance(self, body: Json) -> Json:
        """{asset, free}: set the free balance. On futures the asset must be the margin asset."""
        free, asset, venue = _amount(body, "free"), body["asset"], self._venue(body)
        if free is None or free < 0:
            raise ValueError("free: 0 or more")
        if isinstance(venue, Exchange):
            venue.set_free(asset, free)
        elif asset == MARGIN_ASSET:
            venue.set_free(free)
        else:
            raise ValueError(f"asset: on futures {MARGIN_ASSET}")
        return body

    def permissions(self, body: Json) -> Json:
        """{withdraw, futures}: set the permissions of the key. An omitted one is unchanged."""
        for name in ("withdraw", "futures"):
            if name in body:
                setattr(self._permissions, name, _flag(body, name))
        return asdict(self._permissions)

    def position_mode(self, body: Json) -> Json:
        """{dual}: turn hedge mode on or off. In hedge mode this exchange refuses every order."""
        self._futures_exchange().dual_side = _flag(body, "dual")
        return body

    def clock(self, body: Json) -> Json:
        """{offset_ms}: set how far the exchange's clock is ahead of the real one."""
        if not isinstance(body["offset_ms"], int):
            raise ValueError("offset_ms: a whole number of milliseconds")
        self._exchange.offset_ms = body["offset_ms"]
        return {"serverTime": self._exchange.now}

    def fault(self, body: Json) -> Json:
        fault = faults.parsed(body)
        self._proxy.faults.add(fault)
        return asdict(fault)

    def release(self, _: Json) -> Json:
        """Let every held request continue."""
        return {"released": self._proxy.release()}

    async def pending_faults(self, _: Request) -> Response:
        return JSONResponse({"faults": [asdict(fault) for fault in self._proxy.faults.pending]})

    async def clear_faults(self, _: Request) -> Response:
        self._proxy.faults.clear()
        return JSONResponse({"faults": []})

    async def requests(self, _: Request) -> Response:
        return JSONResponse({"requests": list(self._proxy.requests)})

    async def orders(self, request: Request) -> Response:
        """?market=futures: the answer has the conditional orders in `algos`."""
        if request.query_params.get("market", "spot") == "spot":
            orders = self._exchange.every_order()
            return JSONResponse({"orders": [order_answers.queried(order) for order in orders]})
        futures = self._futures_exchange()
        plain = [futures_answers.queried(order) for order in futures.every_order()]
        return JSONResponse(
            {"orders": plain, "algos": [futures_answers.algo(algo) for algo in futures.algos.every()]}
        )

    async def held(self, request: Request) -> Response:
        """?count=1&seconds=10: waits until so many requests are held, and at most so long."""
        count = int(request.query_params.get("count", 0))
        await self._proxy.wait_for_held(count, _seconds(request))
        held = [{"method": h.call.method, "path": h.call.path, "when": h.when} for h in self._proxy.held]
        return JSONResponse({"held": held})

    async def late(self, request: Request) -> Response:
        """?seconds=10: waits until every late request had its turn, and at most so long."""
        return JSONResponse({"waiting": await self._proxy.wait_for_late(_seconds(request))})

    def _venue(self, body: Json) -> Exchange | FuturesExchange:
        market = body.get("market", "spot")
        if market not in ("spot", "futures"):
            raise ValueError("market: spot or futures")
        return self._exchange if market == "spot" else self._futures_exchange()

    def _futures_exchange(self) -> FuturesExchange:
        if self._futures is None:
            raise ValueError("market: this exchange has no futures")
        return self._futures


def _seconds(request: Request) -> float:
    return min(float(request.query_params.get("seconds", 10)), MAX_WAIT_SECONDS)


def json_post(answer: Callable[[Json], Json]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            return JSONResponse({"error": "content-type: application/json"}, 415)
        try:
            return JSONResponse(answer(await request.json()))
        except KeyError as missing:
            return JSONResponse({"error": f"{missing.args[0]}: is missing"}, 400)
        except (ValueError, Refusal) as error:
            return JSONResponse({"error": str(error)}, 400)

    return endpoint


def _flag(body: Json, name: str) -> bool:
    value = body[name]
    if not isinstance(value, bool):
        raise ValueError(f"{name}: true or false")
    return value


def _amount(body: Json, name: str) -> Decimal | None:
    value = body[name]
    if value is None:
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite():
        raise ValueError(f"{name}: a number, or one as a string")
    return amount
