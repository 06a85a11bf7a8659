"""The control surface, for tests and demonstrations: prices, balances, the clock, faults.

JSON in and out, under /control/. A body must be declared as JSON: no page in a browser can send that to
another origin without asking first, and nobody here says yes.
"""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from broker.paper import faults, order_answers
from broker.paper.errors import Refusal
from broker.paper.exchange import Exchange
from broker.paper.front import Front

Json = dict[str, Any]
LONGEST_WAIT_SECONDS = 60


class Control:
    def __init__(self, exchange: Exchange, front: Front) -> None:
        self._exchange = exchange
        self._front = front

    def routes(self) -> list[Route]:
        posts: dict[str, Callable[[Json], Json]] = {
            "price": self.price,
            "liquidity": self.liquidity,
            "balance": self.balance,
            "clock": self.clock,
            "fault": self.fault,
            "release": self.release,
        }
        return [
            *(Route(f"/{name}", _json_post(answer), methods=["POST"]) for name, answer in posts.items()),
            Route("/faults", self.pending_faults, methods=["GET"]),
            Route("/faults", self.clear_faults, methods=["DELETE"]),
            Route("/requests", self.requests, methods=["GET"]),
            Route("/orders", self.orders, methods=["GET"]),
            Route("/held", self.held, methods=["GET"]),
            Route("/late", self.late, methods=["GET"]),
        ]

    def price(self, body: Json) -> Json:
        """{symbol, price}: the last price stays there; null lets it go."""
        symbol, price = body["symbol"], _amount(body, "price")
        tick = self._exchange.market(symbol).symbol.tick
        if price is not None and (price <= 0 or price % tick):
            raise ValueError(f"price: above 0 and a multiple of {tick}, or null")
        self._exchange.pin(symbol, price)
        return {"symbol": symbol, "price": str(self._exchange.market(symbol).price(self._exchange.now))}

    def liquidity(self, body: Json) -> Json:
        """{symbol, qtyPerLevel}: of every level of the book; null: random again."""
        symbol, size = body["symbol"], _amount(body, "qtyPerLevel")
        step = self._exchange.market(symbol).symbol.step
        if size is not None and (size < 0 or size % step):
            raise ValueError(f"qtyPerLevel: 0 or a multiple of {step}, or null")
        self._exchange.set_level_size(symbol, size)
        return body

    def balance(self, body: Json) -> Json:
        """{asset, free}"""
        free = _amount(body, "free")
        if free is None or free < 0:
            raise ValueError("free: 0 or more")
        self._exchange.set_free(body["asset"], free)
        return body

    def clock(self, body: Json) -> Json:
        """{offset_ms}: the exchange's time, ahead of the real one."""
        if not isinstance(body["offset_ms"], int):
            raise ValueError("offset_ms: a whole number of milliseconds")
        self._exchange.offset_ms = body["offset_ms"]
        return {"serverTime": self._exchange.now}

    def fault(self, body: Json) -> Json:
        fault = faults.parsed(body)
        self._front.faults.add(fault)
        return asdict(fault)

    def release(self, _: Json) -> Json:
        """Whoever is held goes on."""
        return {"released": self._front.release()}

    async def pending_faults(self, _: Request) -> Response:
        return JSONResponse({"faults": [asdict(fault) for fault in self._front.faults.pending]})

    async def clear_faults(self, _: Request) -> Response:
        self._front.faults.clear()
        return JSONResponse({"faults": []})

    async def requests(self, _: Request) -> Response:
        return JSONResponse({"requests": list(self._front.requests)})

    async def orders(self, _: Request) -> Response:
        return JSONResponse(
            {"orders": [order_answers.queried(order) for order in self._exchange.every_order()]}
        )

    async def held(self, request: Request) -> Response:
        """?count=1&seconds=10: waits until so many requests are held, and at most so long."""
        count = int(request.query_params.get("count", 0))
        await self._front.wait_for_held(count, _seconds(request))
        held = [{"method": h.call.method, "path": h.call.path, "when": h.when} for h in self._front.held]
        return JSONResponse({"held": held})

    async def late(self, request: Request) -> Response:
        """?seconds=10: waits until every late request had its turn, and at most so long."""
        return JSONResponse({"waiting": await self._front.wait_for_late(_seconds(request))})


def _seconds(request: Request) -> float:
    return min(float(request.query_params.get("seconds", 10)), LONGEST_WAIT_SECONDS)


def _json_post(answer: Callable[[Json], Json]) -> Callable[[Request], Awaitable[Response]]:
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
