"""Which addresses a notification may go to: what a trader types must not reach into the operator's network.

A name is resolved here, each address is checked, and the connection goes to one that was checked: nothing
resolves the name a second time, so it cannot come to mean another machine in between.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from threading import Thread
from typing import Final

from httpcore2 import (
    SOCKET_OPTION,
    AsyncNetworkBackend,
    AsyncNetworkStream,
    ConnectError,
    ConnectTimeout,
)

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

Networks = Sequence[IPv4Network | IPv6Network]


def _networks(*texts: str) -> Networks:
    return [ip_network(text) for text in texts]


PRIVATE: Final = _networks(
    "127.0.0.0/8",
    "::1/128",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",  # shared; Tailscale's too
    "fc00::/7",
)
"""What NOTIFY_ALLOW_PRIVATE opens."""

METADATA: Final = _networks(
    "169.254.0.0/16",  # link-local: most clouds
    "fe80::/10",
    "fd00:ec2::/32",  # AWS
    "fd20:ce::254/128",  # Google
    "fd00:c1::a9fe:a9fe/128",  # Oracle
    "fd00:42::42/128",  # Scaleway
    "100.100.100.200/32",  # Alibaba
    "168.63.129.16/32",  # Azure
    "192.0.0.0/24",  # Oracle; some versions of Python call it global
)
"""Where clouds tell a machine its secrets: never reached, though some lie in private or public networks."""

CARRIERS: Final = _networks("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "::/96")
"""IPv6 that carries an IPv4 address, which may be any."""


MOST_NAMES: Final = 100
"""That are asked for at a time."""


class Forbidden(Exception):
    """An address that nothing is sent to; its text says why."""


def is_private(address: Address) -> bool:
    return _within(PRIVATE, address) and not _within(METADATA, address)


def is_public(address: Address) -> bool:
    if _within(METADATA, address) or _within(CARRIERS, address):
        return False
    if isinstance(address, IPv6Address) and address.is_site_local:
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def _within(networks: Networks, address: Address) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def checked(addresses: Iterable[str], *, allow_private: bool, allow_public: bool) -> Sequence[str]:
    """All of them, or none: a name that also stands for a forbidden address is not to be trusted.

    Raises Forbidden.
    """
    found = [_unwrapped(ip_address(text.partition("%")[0])) for text in addresses]
    for address in found:
        if is_private(address):
            if not allow_private:
                raise Forbidden("leads to a private address; NOTIFY_ALLOW_PRIVATE=true would allow that")
        elif not is_public(address):
            raise Forbidden("leads to an address that nothing is sent to")
        elif not allow_public:
            raise Forbidden("http is for private addresses alone; use https")
    return [str(address) for address in found]


def _unwrapped(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


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
