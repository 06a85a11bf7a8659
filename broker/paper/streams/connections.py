"""All open WebSocket connections."""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.websockets import WebSocket

from ..http.connection import Transports
from .peer import Peer

USER_DATA = "userData"
"""The name of a user data stream in the list of streams."""


class Connections:
    """While `paused`, connections stay open and requests are answered, but no events are sent."""

    def __init__(self, transports: Transports) -> None:
        self.paused = False
        self._transports = transports
        self._peers: set[Peer] = set()

    @contextmanager
    def connected(self, socket: WebSocket) -> Iterator[Peer]:
        peer = Peer(socket, self._transports)
        self._peers.add(peer)
        try:
            yield peer
        finally:
            self._peers.discard(peer)

    def cut(self) -> int:
        """Cut all connections. Return their number."""
        for peer in self._peers:
            peer.cut()
        return len(self._peers)
