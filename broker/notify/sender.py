"""One request to an endpoint that may be hostile: bounded in time and size, and never led elsewhere.

Each request has a connection of its own, so what one endpoint does with it is no other's trouble.
"""

from __future__ import annotations

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import SplitResult, unquote, urlsplit

from httpcore2 import (
    URL,
    AsyncHTTPConnection,
    AsyncNetworkBackend,
    NetworkError,
    ProtocolError,
    Response,
    TimeoutException,
    default_ssl_context,
)

from ..addresses import Forbidden
from ..clock import Clock
from ..errors import invalid
from .addresses import Names, Pinned, Resolve
from .metered import Metered, TooMuch

SECONDS: Final = 10.0
CONNECT_SECONDS: Final = 5.0
MOST_READ: Final = 4096
"""Bytes of an answer."""

SENT: Final = {
    "User-Agent": "confirmation-broker",
    "Accept-Encoding": "identity",  # nothing is unpacked
    "Connection": "close",
}
MOST_URL: Final = 500
MOST_SHOWN: Final = 100
"""Characters of a host."""

PATH_SHOWN: Final = 4
"""Characters of a path, with its slash: Slack's, Make's and Zapier's are secrets."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """`body` holds its first 4 KiB, or as much as was asked for."""

    status: int
    body: bytes
    retry_after: timedelta | None


class NoReply(Exception):
    """Nobody knows whether it arrived, or it did not; its text says why, without the address."""


class Sender:
    def __init__(
        self,
        *,
        allow_private: bool,
        clock: Clock,
        seconds: float = SECONDS,
        resolve: Resolve | None = None,
        network: AsyncNetworkBackend | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._allow_private = allow_private
        self._clock = clock
        self._seconds = seconds
        self._resolve = resolve or Names().resolve
        self._network = network
        self._tls = tls or default_ssl_context()

    async def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        most: int = MOST_READ,
        seconds: float | None = None,
    ) -> Reply:
        """JSON. `most` is how many bytes of the answer are read, `seconds` all the time that it has.

        Raises NoReply.
        """
        sent = {"Content-Type": "application/json", **headers}
        return await self._send("POST", url, body, sent, most, seconds or self._seconds)

    async def get(self, url: str) -> Reply:
        """Raises NoReply."""
        return await self._send("GET", url, None, {}, MOST_READ, self._seconds)

    async def _send(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        most: int,
        seconds: float,
    ) -> Reply:
        parts = urlsplit(url)
        sent = {**SENT, **headers}
        if (credentials := _credentials(parts)) and "Authorization" not in headers:
            sent["Authorization"] = credentials
        bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()
        try:
            async with asyncio.timeout(seconds):
                return await self._exchange(method, bare, body, sent, most, seconds)
        except (TimeoutError, TimeoutException):
            raise NoReply(f"no answer within {seconds:g} s") from None
        except (Forbidden, TooMuch) as why:
            raise NoReply(str(why)) from None
        except NetworkError as error:
            raise NoReply(_network_problem(error)) from None
        except ProtocolError:
            raise NoReply("no HTTP answer came") from None

    async def _exchange(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: Mapping[str, str],
        most: int,
        seconds: float,
    ) -> Reply:
        connect = min(CONNECT_SECONDS, seconds)
        timeouts = {"connect": connect, "read": seconds, "write": seconds, "pool": seconds}
        extensions = {"timeout": timeouts}
        async with (
            aclosing(self._connection(URL(url), most)) as connection,
            connection.stream(
                method, url, headers=list(headers.items()), content=body, extensions=extensions
            ) as response,
        ):
            return Reply(
                status=response.status,
                body=await _first(response, most),
                retry_after=self.retry_after(response.headers),
            )

    def _connection(self, url: URL, most: int) -> AsyncHTTPConnection:
        pinned = Pinned(
            allow_private=self._allow_private,
            allow_public=url.scheme == b"https",
            resolve=self._resolve,
            network=self._network or Metered(most),
        )
        return AsyncHTTPConnection(url.origin, ssl_context=self._tls, network_backend=pinned)

    def retry_after(self, headers: Sequence[tuple[bytes, bytes]]) -> timedelta | None:
        """How long an endpoint asks to be left alone; None where it says nothing that can be read."""
        told = {name.lower(): value for name, value in headers}.get(b"retry-after")
        if told is None:
            return None
        text = told.decode("latin-1").strip()[:40]
        if text.isascii() and text.isdigit():
            return timedelta(seconds=min(int(text), 10**6))
        try:
            at: datetime = parsedate_to_datetime(text)
            return max(at - self._clock(), timedelta())
        except (ValueError, TypeError, OverflowError):  # no date, or one with a giant time zone
            return None


async def _first(response: Response, most: int) -> bytes:
    """Whoever answers for ever is not listened to."""
    read = bytearray()
    async for chunk in response.aiter_stream():
        read += chunk
        if len(read) >= most:
            break
    return bytes(read[:most])


def _credentials(parts: SplitResult) -> str | None:
    if not parts.username and not parts.password:
        return None
    pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    return f"Basic {b64encode(pair.encode()).decode()}"


def _network_problem(error: NetworkError) -> str:
    """In our own words: what others wrote may hold anything."""
    cause: Any = error.__cause__ or (error.args[0] if error.args else error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "its certificate does not hold"
    if isinstance(cause, ssl.SSLError):
        return "no TLS connection came about"
    if isinstance(cause, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(cause, str):
        return cause
    return "the connection broke"


def checked_url(url: str, *, allow_private: bool, field: str = "address") -> str:
    """A URL that may be posted to, as far as it can be seen before its name is resolved.

    Raises INVALID_ARGUMENTS.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise invalid(field, "is no URL") from None
    if len(url) > MOST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise invalid(field, f"must be at most {MOST_URL} printable ASCII characters without spaces")
    if parts.scheme not in ("https", "http") or not host:
        raise invalid(field, "must be https://host[:port]/path")
    if parts.scheme == "http" and not allow_private:
        raise invalid(field, "must be https (NOTIFY_ALLOW_PRIVATE=true allows http to private addresses)")
    return url


def shown(url: str) -> str:
    """Its host, and enough of its path to tell two apart: whoever knows the rest may post there."""
    parts = urlsplit(url)
    host = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    bare = host if len(host) <= MOST_SHOWN else f"{host[: MOST_SHOWN - 1]}…"
    return f"{bare}{parts.path[:PATH_SHOWN]}…" if len(parts.path) > 1 else bare
