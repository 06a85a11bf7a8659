"""Limits on request size, time and the number of open connections."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from typing import Final, Self

from ..errors import StartError
from ..settings import Settings

MAX_URL: Final = 8 * 1024
MAX_HEAD: Final = 32 * 1024
"""Bytes of a request outside of its body: request line, headers, trailers and chunk framing."""

MAX_FIELDS: Final = 100
"""Headers and trailers per request."""

MAX_BODY: Final = 64 * 1024

MAX_PIPELINED: Final = 4
"""Requests that a client may send before it has the previous answer. Few clients send any."""

WRITE_SECONDS: Final = 30
"""How long a client may leave bytes of its answer unread."""

LINGER_SECONDS: Final = 2
LINGER_BYTES: Final = 1024 * 1024
"""After a refusal the client's further bytes are read and dropped, so that it can read the answer."""

RESERVED_FILES: Final = 128
"""File descriptors reserved for Binance, the database and notifications."""

FEWEST_FILES: Final = 256


@dataclass(frozen=True, kw_only=True)
class Limits:
    """`anonymous` connections are those whose last request had neither an agent's key nor a session.

    Agents' connections have a separate limit. Traders' connections are limited only by `highest_file`: a
    client whose file descriptor has that number or a higher one is not accepted.
    """

    anonymous: int
    anonymous_per_address: int
    agents: int
    highest_file: int
    request_seconds: float
    keep_alive_seconds: float

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Raises StartError if the system allows too few open files."""
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        files = soft if soft != resource.RLIM_INFINITY else settings.max_connections + 2 * RESERVED_FILES
        if files < FEWEST_FILES:
            raise StartError(
                f"This process may open only {files} files, and the broker needs {FEWEST_FILES}. "
                "Raise the limit of open files (ulimit -n)."
            )
        most = min(settings.max_connections, files - RESERVED_FILES)
        anonymous = min(settings.max_anonymous_connections, most // 2)
        return cls(
            anonymous=anonymous,
            anonymous_per_address=min(settings.max_anonymous_connections_per_address, anonymous),
            agents=most - anonymous,
            highest_file=files - RESERVED_FILES,
            request_seconds=settings.request_timeout_seconds,
            keep_alive_seconds=settings.keep_alive_seconds,
        )
