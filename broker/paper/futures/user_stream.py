"""The user data stream of futures: `/private/ws?listenKey=KEY`. `&events=NAME/NAME` selects events."""

import asyncio

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from ..spot.market_answers import Json
from ..streams.connections import USER_DATA, Connections
from ..streams.peer import Peer
from ..streams.rate_limit import Pace
from ..streams.texts import encoded
from . import FuturesExchange
from .user_events import listen_key_expired, user_event


class UserSession:
    """`events` are the names of the wanted events; empty means all."""

    def __init__(self, peer: Peer, listen_key: str, events: frozenset[str]) -> None:
        self.listen_key = listen_key
        self._peer = peer
        self._events = events

    def send(self, event: Json) -> None:
        if not self._events or event["e"] in self._events:
            self._peer.send(encoded(event))


class FuturesUser:
    def __init__(self, exchange: FuturesExchange, connections: Connections, pace: Pace) -> None:
        self._exchange = exchange
        self._connections = connections
        self._pace = pace
        self._sessions: set[UserSession] = set()
        exchange.changes.listen(self._send)

    @property
    def names(self) -> list[str]:
        """One name for each subscription."""
        return [USER_DATA for _ in self._sessions]

    def routes(self) -> list[WebSocketRoute]:
        return [
            WebSocketRoute("/private/ws", self._serve),
            WebSocketRoute("/private/ws/{listen_key}", self._serve),
        ]

    async def _serve(self, socket: WebSocket) -> None:
        """Refuse an unknown listen key. (Binance accepts it and never sends anything.)"""
        listen_key = socket.path_params.get("listen_key") or socket.query_params.get("listenKey", "")
        if not self._exchange.listen_keys.is_valid(listen_key):
            await socket.close()
            return
        wanted = frozenset(filter(None, socket.query_params.get("events", "").split("/")))
        with self._connections.connected(socket) as peer:
            session = UserSession(peer, listen_key, wanted)
            self._sessions.add(session)
            expiry = asyncio.create_task(self._expire(session))
            try:
                await peer.serve(_ignore)
            finally:
                expiry.cancel()
                self._sessions.discard(session)

    async def _expire(self, session: UserSession) -> None:
        """When the key expires, send that event and then no more. The connection stays open."""
        while self._exchange.listen_keys.is_valid(session.listen_key):  # noqa: ASYNC110 - its clock decides
            await asyncio.sleep(self._pace.slow)
        self._sessions.discard(session)
        session.send(listen_key_expired(session.listen_key, self._exchange.now))

    def _send(self, change: object) -> None:
        if self._connections.paused or not (event := user_event(change, self._exchange.now)):
            return
        for session in self._sessions:
            if self._exchange.listen_keys.is_valid(session.listen_key):
                session.send(event)


def _ignore(_: str) -> None:
    """Ignore messages: this connection has no requests."""
