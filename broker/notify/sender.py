"""Sends requests to endpoints that may be hostile: limited in time and size, redirects not followed.

Each request has its own connection, so one endpoint cannot affect another.
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
"""Maximum bytes of a body that are read."""

SENT: Final = {
    "User-Agent": "confirmation-broker",
    "Accept-Encoding": "identity",  # no decompression
    "Connection": "close",
}
MOST_URL: Final = 500
MOST_SHOWN: Final = 100
"""Maximum characters of a host that are displayed."""

PATH_SHOWN: Final = 4
"""Characters of a path that are displayed, with its slash. Paths of Slack, Make and Zapier are secret."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """`body` is cut to the `most` bytes of the request, 4 KiB by default."""

    status: int
    body: bytes
    retry_after: timedelta | None


class NoReply(Exception):
    """No answer came: the request may or may not have arrived. The text says why, without the address."""


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
        """Post JSON. `most`: how many bytes of the answer are read. `seconds`: the time-out in total.

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
        except (Forbidden, TooMuch) as error:
            raise NoReply(str(error)) from None
        except NetworkError as error:
            raise NoReply(_network_problem(error)) from None
        except ProtocolError:
            raise NoReply("the answer is not valid HTTP") from None

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
        """The pause that an endpoint asks for (Retry-After: seconds or a date); None if there is none."""
        header = {name.lower(): value for name, value in headers}.get(b"retry-after")
        if header is None:
            return None
        text = header.decode("latin-1").strip()[:40]
        if text.isascii() and text.isdigit():
            return timedelta(seconds=min(int(text), 10**6))
        try:
            at: datetime = parsedate_to_datetime(text)
            return max(at - self._clock(), timedelta())
        except (ValueError, TypeError, OverflowError):  # not a date, or its time zone is out of range
            return None


async def _first(response: Response, most: int) -> bytes:
    """The first `most` bytes of the body. The rest is not read: it might never end."""
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
    """The problem in the broker's words: the endpoint's own text may contain anything."""
    cause: Any = error.__cause__ or (error.args[0] if error.args else error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return "the TLS certificate is not valid"
    if isinstance(cause, ssl.SSLError):
        return "the TLS handshake failed"
    if isinstance(cause, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(cause, str):
        return cause
    return "the connection was lost"


def checked_url(url: str, *, allow_private: bool, field: str = "address") -> str:
    """`url`, if a notification may go to it as far as can be told before its host name is resolved.

    Raises INVALID_ARGUMENTS.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise invalid(field, "is not a URL") from None
    if len(url) > MOST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise invalid(field, f"must be at most {MOST_URL} printable ASCII characters without spaces")
    if parts.scheme not in ("https", "http") or not host:
        raise invalid(field, "must be https://host[:port]/path")
    if parts.scheme == "http" and not allow_private:
        raise invalid(field, "must be https (NOTIFY_ALLOW_PRIVATE=true allows http to private addresses)")
    return url


def shown(url: str) -> str:
    """A URL for display: the host and the start of the path. Who knows the whole URL can post to it."""
    parts = urlsplit(url)
    host = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
    bare = host if len(host) <= MOST_SHOWN else f"{host[: MOST_SHOWN - 1]}…"
    return f"{bare}{parts.path[:PATH_SHOWN]}…" if len(parts.path) > 1 else bare
