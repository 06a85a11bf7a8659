"""The server: accepts connections within the limits, and checks their deadlines once a second."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from ..errors import StartError
from .connection import Connection
from .connections import Connections
from .limits import Limits
from .refusals import Tally

STOP_SECONDS: Final = 2
"""How long open connections may continue during shutdown."""

CHECK_SECONDS: Final = 1

BACKLOG: Final = 2048

MOST_AT_ONCE: Final = 16
"""Connections accepted before other tasks run again, which read the data that has arrived."""

PAUSE_SECONDS: Final = 0.1


class Server(uvicorn.Server):
    """uvicorn's server. The caller handles signals: waiting agents and open pages must be released first.

    `ready` is called once the server accepts connections. `behind_proxy`: trust X-Forwarded-For and
    X-Forwarded-Proto from this machine.
    """

    def __init__(
        self, app: ASGIApp, limits: Limits, ready: Callable[[], None], *, behind_proxy: bool
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Connection,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=behind_proxy,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
        )
        self.tally: Final = Tally()
        self.connections: Final = Connections(limits, self.tally)
        self._ready = ready
        self._listening: list[socket.socket] = []
        self._arriving: set[asyncio.Task[None]] = set()
        self._checking: asyncio.Task[None] | None = None

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Accepts connections itself: asyncio would accept until no file descriptor is left."""
        self.servers = []
        self._listening = list(sockets or [])
        self._checking = asyncio.create_task(self._check_deadlines())
        for listening in self._listening:
            listening.setblocking(False)
            self._resume(listening)
        self.started = True
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listening in self._listening:
            asyncio.get_running_loop().remove_reader(listening)
        self._listening.clear()
        await super().shutdown(sockets)
        if self._checking is not None:
            self._checking.cancel()

    def _resume(self, listening: socket.socket) -> None:
        if listening in self._listening:
            asyncio.get_running_loop().add_reader(listening, self._accept, listening)

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(MOST_AT_ONCE):
            try:
                client, _address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no file descriptor or memory left: the others wait in the kernel
                self.tally.count("no file descriptor left")
                self.connections.make_room()
                loop = asyncio.get_running_loop()
                loop.remove_reader(listening)
                loop.call_later(PAUSE_SECONDS, self._resume, listening)
                return
            # The system assigns the lowest free descriptor, so this number shows how many are in use.
            if client.fileno() >= self.connections.limits.highest_file and not self.connections.make_room():
                client.close()
                continue
            client.setblocking(False)
            arriving = asyncio.create_task(self._take(client))
            self._arriving.add(arriving)
            arriving.add_done_callback(self._arriving.discard)

    async def _take(self, client: socket.socket) -> None:
        with suppress(OSError):
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._connection, client)
        except OSError:
            client.close()

    def _connection(self) -> Connection:
        return Connection(self.connections, self.config, self.server_state)

    async def _check_deadlines(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            now = loop.time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.check_deadlines(now)
            self.tally.report(now)


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Open the listening socket. Raises StartError if the address is not available."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as server_socket:
        server_socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            server_socket.bind((host, port))
            server_socket.listen(BACKLOG)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise StartError(f"Cannot listen on {host} port {port}: {reason}. Set PORT or HOST.") from None
        yield server_socket
