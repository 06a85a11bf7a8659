"""The account's news of futures: `/private/ws?listenKey=KEY`, with `&events=NAME/NAME` only those."""

import asyncio

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from ..futures import FuturesExchange
from ..market_answers import Json
from .connections import USER_DATA, Connections
from .futures_user_events import listen_key_expired, user_event
from .pace import Pace
from .peer import Peer
from .texts import encoded


class UserSession:
    """`events` names those that are wanted; empty: all."""

    def __init__(self, peer: Peer, listen_key: str, events: frozenset[str]) -> None:
        self.listen_key = listen_key
        self._peer = peer
        self._events = events

    def tell(self, event: Json) -> None:
        if not self._events or event["e"] in self._events:
            self._peer.tell(encoded(event))


class FuturesUser:
    def __init__(self, exchange: FuturesExchange, connections: Connections, pace: Pace) -> None:
        self._exchange = exchange
        self._connections = connections
        self._pace = pace
        self._sessions: set[UserSession] = set()
        exchange.changes.listen(self._tell)

    @property
    def names(self) -> list[str]:
        """One for each subscription."""
        return [USER_DATA for _ in self._sessions]

    def routes(self) -> list[WebSocketRoute]:
        return [
            WebSocketRoute("/private/ws", self._serve),
            WebSocketRoute("/private/ws/{listen_key}", self._serve),
        ]

    async def _serve(self, socket: WebSocket) -> None:
        """An unknown listenKey is refused. (Binance lets it pass, and never says anything.)"""
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
        """The connection stays open, but nothing more is said on it."""
        while self._exchange.listen_keys.is_valid(session.listen_key):  # noqa: ASYNC110 - its clock decides
            await asyncio.sleep(self._pace.slow)
        self._sessions.discard(session)
        session.tell(listen_key_expired(session.listen_key, self._exchange.now))

    def _tell(self, change: object) -> None:
        if self._connections.paused or not (event := user_event(change, self._exchange.now)):
            return
        for session in self._sessions:
            if self._exchange.listen_keys.is_valid(session.listen_key):
                session.tell(event)


def _ignore(_: str) -> None:
    """There is nothing to ask on this connection."""
