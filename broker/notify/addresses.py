"""Connections of notifications: what a trader types must not reach into the operator's network.

A name is resolved here, each address is checked, and the connection goes to one that was checked: nothing
resolves the name a second time, so it cannot come to mean another machine in between.
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
"""That are asked for at a time."""


class Names:
    """A name is asked for once at a time: one that hangs holds one thread, however often it is wanted.

    Its threads are its own, and nobody waits for them at the end: a name server that hangs must keep neither
    Binance's names nor the broker's stop waiting.
    """

    def __init__(self) -> None:
        self._under_way: dict[tuple[str, int], asyncio.Future[Sequence[str]]] = {}

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Raises OSError, UnicodeError."""
        wanted = (host, port)
        if (asked := self._under_way.get(wanted)) is None:
            if len(self._under_way) >= MOST_NAMES:
                raise OSError("too many names are asked for already")
            asked = self._under_way[wanted] = asyncio.get_running_loop().create_future()
            asked.add_done_callback(partial(self._answered, wanted))
            Thread(target=_look_up, args=(host, port, asked), name="notify-resolve", daemon=True).start()
        return await asyncio.shield(asked)  # whoever gives up leaves it to the others

    def _answered(self, wanted: tuple[str, int], asked: asyncio.Future[Sequence[str]]) -> None:
        del self._under_way[wanted]
        if not asked.cancelled():
            asked.exception()  # everybody may have given up by then


def _look_up(host: str, port: int, asked: asyncio.Future[Sequence[str]]) -> None:
    settle: Callable[[], None]
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        settle = partial(asked.set_result, list(dict.fromkeys(str(entry[4][0]) for entry in found)))
    except (OSError, UnicodeError) as error:
        settle = partial(asked.set_exception, error)
    with suppress(RuntimeError):  # the broker has stopped meanwhile
        asked.get_loop().call_soon_threadsafe(settle)


class Pinned(AsyncNetworkBackend):
    """Connects to checked addresses alone. TLS still asks for the name's own certificate."""

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
                named = await self._resolve(host, port)
        except TimeoutError:
            raise ConnectTimeout("its name was not resolved in time") from None
        except (OSError, UnicodeError):
            raise ConnectError("its name is not known") from None
        failed: Exception = ConnectError("its name has no address")
        for address in checked(named, allow_private=self._allow_private, allow_public=self._allow_public):
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (ConnectError, ConnectTimeout) as error:
                failed = error
        raise failed

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
