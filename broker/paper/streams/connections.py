"""All WebSocket connections that are open."""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.websockets import WebSocket

from ..line import Transports
from .peer import Peer

USER_DATA = "userData"
"""How the news of an account is listed among the streams."""


class Connections:
    """While `paused`, they stay open and nothing happens on them: only requests are answered."""

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
        """All of them; how many there were."""
        for peer in self._peers:
            peer.cut()
        return len(self._peers)
