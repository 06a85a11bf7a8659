"""`python -m bench.exchange FOLDER`: the paper exchange, with the arrival time of each order's POST.

The paper exchange's own request log has whole milliseconds only. Its rate limits are Binance's; the benchmark
would reach them, so they are raised here.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from broker.clock import utc_now
from broker.paper.spot.exchange import Exchange
from broker.paper.futures.exchange import FuturesExchange
from broker.paper.http.limits import Limits
from broker.paper.server import build_app
from broker.paper.market.store import Store

from .serving import new_event_loop, serve

ORDER = "/api/v3/order"
PLENTY = 1_000_000


class Stamped:
    """Records when the newest order's POST arrived, in seconds since the epoch."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._arrived = asyncio.Event()
        self._at = 0.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"] == ORDER:
            self._at = time.time()
            self._arrived.set()
        await self._app(scope, receive, send)

    async def next_arrival(self, _: Request) -> Response:
        """Answer with the arrival time. Wait if no order has arrived since the last call."""
        await self._arrived.wait()
        self._arrived.clear()
        return JSONResponse(self._at)


def build(store: Store) -> Starlette:
    exchange = Exchange(store, seed=1, clock=utc_now)
    futures = FuturesExchange(store, seed=1, clock=lambda: exchange.now)
    limits, futures_limits = Limits(PLENTY, PLENTY), Limits(PLENTY, PLENTY)
    stamped = Stamped(build_app(exchange, futures=futures, limits=limits, futures_limits=futures_limits))
    return Starlette(routes=[Route("/arrival", stamped.next_arrival), Mount("/", app=stamped)])


def main() -> None:
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve(build(Store(Path(sys.argv[1])))))


if __name__ == "__main__":
    main()
