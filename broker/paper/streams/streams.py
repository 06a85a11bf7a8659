"""All WebSocket APIs of the paper exchange, and their endpoints in the control API."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from ..control import json_post
from ..futures import FuturesExchange
from ..futures.stream_surface import FuturesSurface
from ..http.connection import Transports
from ..http.limits import Limits
from ..http.signing import Credentials
from ..spot.exchange import Exchange
from ..spot.stream_surface import SpotSurface
from .connections import Connections
from .rate_limit import Pace

Json = dict[str, Any]


class Streams:
    def __init__(
        self,
        exchange: Exchange,
        futures: FuturesExchange | None,
        credentials: Credentials,
        limits: Limits,
        transports: Transports,
        pace: Pace,
    ) -> None:
        self._connections = Connections(transports)
        spot = SpotSurface(exchange, credentials, limits, self._connections, pace)
        self._surfaces: dict[str, SpotSurface | FuturesSurface] = {"spot": spot}
        if futures:
            self._surfaces["futures"] = FuturesSurface(futures, self._connections, pace)

    def routes(self) -> list[WebSocketRoute]:
        found = [route for surface in self._surfaces.values() for route in surface.routes()]
        return [*found, WebSocketRoute("/{path:path}", _refuse)]

    def control_routes(self) -> list[Route]:
        return [
            Route("/streams", json_post(self._control), methods=["POST"]),
            Route("/streams", self._list, methods=["GET"]),
        ]

    def close(self) -> None:
        """Stop all streams. The server closes the connections."""
        for surface in self._surfaces.values():
            surface.close()

    def _control(self, body: Json) -> Json:
        """{close: true}: cut every connection. {pause: true}: send no events until {pause: false}."""
        if body.keys() - {"close", "pause"} or not body:
            raise ValueError("allowed are close and pause")
        if body.get("close", True) is not True:
            raise ValueError("close: true")
        if not isinstance(body.get("pause", False), bool):
            raise ValueError("pause: true or false")
        self._connections.paused = body.get("pause", self._connections.paused)
        closed = self._connections.cut() if "close" in body else 0
        return {"closed": closed, "paused": self._connections.paused}

    async def _list(self, _: Request) -> Response:
        """List the subscribed streams."""
        streams = [
            {"market": market, "stream": name}
            for market, surface in self._surfaces.items()
            for name in surface.names
        ]
        return JSONResponse({"subscriptions": streams, "paused": self._connections.paused})


async def _refuse(socket: WebSocket) -> None:
    """Refuse an unknown path."""
    await socket.close()
