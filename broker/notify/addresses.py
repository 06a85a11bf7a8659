"""Connections for notifications. An address that a trader enters must not reach the operator's network.

The host name is resolved once, each address is checked, and the connection goes to a checked address. The
name is not resolved again, so it cannot point to another machine by then (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Final

from httpcore2 import (
    SOCKET_OPTION,
    AsyncNetworkBackend,
    AsyncNetworkStream,
    ConnectError,
    ConnectTimeout,
)

from ..addresses import checked

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

MOST_NAMES: Final = 100
"""Look-ups that may run at the same time."""


class Names:
    """Resolves host names. Each name has at most one look-up at a time, and so at most one thread.

    The look-ups use daemon threads of their own: a name server that hangs delays neither the look-up of
    Binance's names nor the shutdown of the broker.
    """

    def __init__(self) -> None:
        self._running: dict[tuple[str, int], asyncio.Future[Sequence[str]]] = {}

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """The addresses of `host`. Raises OSError, UnicodeError."""
        key = (host, port)
        if (lookup := self._running.get(key)) is None:
            if len(self._running) >= MOST_NAMES:
                raise OSError("too many host names are being resolved")
            lookup = self._running[key] = asyncio.get_running_loop().create_future()
            lookup.add_done_callback(partial(self._done, key))
            Thread(target=_look_up, args=(host, port, lookup), name="notify-resolve", daemon=True).start()
        return await asyncio.shield(lookup)  # one caller that gives up does not cancel it for the others

    def _done(self, key: tuple[str, int], lookup: asyncio.Future[Sequence[str]]) -> None:
        del self._running[key]
        if not lookup.cancelled():
            lookup.exception()  # mark it as retrieved: every caller may have given up


def _look_up(host: str, port: int, lookup: asyncio.Future[Sequence[str]]) -> None:
    settle: Callable[[], None]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        settle = partial(lookup.set_result, list(dict.fromkeys(str(entry[4][0]) for entry in found)))
    except (OSError, UnicodeError) as error:
        settle = partial(lookup.set_exception, error)
    with suppress(RuntimeError):  # the broker has stopped meanwhile
        lookup.get_loop().call_soon_threadsafe(settle)


class Pinned(AsyncNetworkBackend):
    """Connects only to checked addresses. TLS still verifies the certificate of the host name."""

    def __init__(
        self,
        *,
        allow_private: bool,
        allow_public: bool,
        resolve: Resolve,
        network: AsyncNetworkBackend,
    ) -> None:
        self._allow_private = allow_private
        self._allow_public = allow_public
        self._resolve = resolve
        self._network = network

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """Raises Forbidden, ConnectError, ConnectTimeout."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._resolve(host, port)
        except TimeoutError:
            raise ConnectTimeout("the host name was not resolved in time") from None
        except (OSError, UnicodeError):
            raise ConnectError("the host name is not known") from None
        problem: Exception = ConnectError("the host name has no address")
        for address in checked(addresses, allow_private=self._allow_private, allow_public=self._allow_public):
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (ConnectError, ConnectTimeout) as error:
                problem = error
        raise problem

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
