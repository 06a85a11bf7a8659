"""Limits: size and duration of requests, number of connections."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from typing import Final, Self

from ..errors import StartError
from ..settings import Settings

MAX_URL: Final = 8 * 1024
MAX_HEAD: Final = 32 * 1024
"""Bytes of a request without its body: request line, headers, trailers, chunk framing."""

MAX_FIELDS: Final = 100
"""Number of headers and trailers of a request."""

MAX_BODY: Final = 64 * 1024

MAX_PIPELINED: Final = 4
"""Requests that a client may send before it has the answer to an earlier one; rarely used."""

WRITE_SECONDS: Final = 30
"""How long a client may leave its answer unread."""

LINGER_SECONDS: Final = 2
LINGER_BYTES: Final = 1024 * 1024
"""Bytes that are read and dropped after a refusal, so the client can read the answer."""

RESERVED_FILES: Final = 128
"""File descriptors reserved for Binance, the database and notifications."""

FEWEST_FILES: Final = 256


@dataclass(frozen=True, kw_only=True)
class Limits:
    """`anonymous`: connections whose last request had neither an agent's key nor a session.

    `agents`: connections of all agents. Traders' connections are limited only by `highest_file`: clients get
    only file descriptors below it.
    """

    anonymous: int
    anonymous_per_address: int
    agents: int
    highest_file: int
    request_seconds: float
    keep_alive_seconds: float

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The limits of these settings. Raises StartError if the system allows too few open files."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        files = soft if soft != resource.RLIM_INFINITY else settings.max_connections + 2 * RESERVED_FILES
        if files < FEWEST_FILES:
            raise StartError(
                f"This process may open only {files} files, but the broker needs {FEWEST_FILES}. "
                "Raise the limit of open files (ulimit -n)."
            )
        max_connections = min(settings.max_connections, files - RESERVED_FILES)
        anonymous = min(settings.max_anonymous_connections, max_connections // 2)
        return cls(
            anonymous=anonymous,
            anonymous_per_address=min(settings.max_anonymous_connections_per_address, anonymous),
            agents=max_connections - anonymous,
            highest_file=files - RESERVED_FILES,
            request_seconds=settings.request_timeout_seconds,
            keep_alive_seconds=settings.keep_alive_seconds,
        )
