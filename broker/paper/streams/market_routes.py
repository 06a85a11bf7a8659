"""The routes of market streams: `/ws` and `/ws/NAME` are raw, `/stream?streams=NAME/NAME` is combined."""

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from .connections import Connections
from .feeds import Feeds
from .market_session import MarketSession, is_stream


class MarketRoutes:
    def __init__(self, feeds: Feeds, connections: Connections, prefix: str = "") -> None:
        self._feeds = feeds
        self._connections = connections
        self._prefix = prefix

    def routes(self) -> list[WebSocketRoute]:
        return [
            WebSocketRoute(f"{self._prefix}/{way}{names}", endpoint)
            for way, endpoint in (("ws", self._raw), ("stream", self._combined))
            for names in ("", "/{names:path}")
        ]

    async def _raw(self, socket: WebSocket) -> None:
        await self._serve(socket, combined=False)

    async def _combined(self, socket: WebSocket) -> None:
        await self._serve(socket, combined=True)

    async def _serve(self, socket: WebSocket, *, combined: bool) -> None:
        with self._connections.connected(socket) as peer:
            session = MarketSession(peer, self._feeds, combined=combined)
            session.subscribe(_names(socket))
            try:
                await peer.serve(session.receive)
            finally:
                session.close()


def _names(socket: WebSocket) -> list[str]:
    """Return the stream names in the URL. Ignore other text, as Binance does: clients put numbers there."""
    listed = f"{socket.path_params.get('names', '')}/{socket.query_params.get('streams', '')}"
    return [name for name in listed.split("/") if is_stream(name)]
