"""The user data stream of spot, over the WebSocket API."""

from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket

from ..http.limits import Limits
from ..http.signing import Credentials
from ..streams.api_session import ApiSession
from ..streams.connections import USER_DATA, Connections
from .exchange import Exchange
from .user_events import SpotUserEvents


class SpotUser:
    def __init__(
        self, exchange: Exchange, credentials: Credentials, limits: Limits, connections: Connections
    ) -> None:
        self._exchange = exchange
        self._credentials = credentials
        self._limits = limits
        self._connections = connections
        self._sessions: set[ApiSession] = set()
        self._events = SpotUserEvents()
        exchange.changes.listen(self._send)

    @property
    def names(self) -> list[str]:
        """One name for each subscription."""
        return [USER_DATA for session in self._sessions if session.subscription is not None]

    def routes(self) -> list[WebSocketRoute]:
        return [WebSocketRoute("/ws-api/v3", self._serve)]

    async def _serve(self, socket: WebSocket) -> None:
        with self._connections.connected(socket) as peer:
            session = ApiSession(peer, self._exchange, self._credentials, self._limits)
            self._sessions.add(session)
            try:
                await peer.serve(session.receive)
            finally:
                self._sessions.discard(session)

    def _send(self, change: object) -> None:
        if self._connections.paused:
            return
        for event in self._events.of(change, self._exchange.now):
            for session in self._sessions:
                session.send(event)
