"""How much one client may send and how long it may take; how many connections may be open."""

from __future__ import annotations

import resource
from dataclasses import dataclass
from typing import Final, Self

from ..errors import StartError
from ..settings import Settings

MAX_URL: Final = 8 * 1024
MAX_HEAD: Final = 32 * 1024
"""Bytes of a request without its body: request line, headers, trailers, and the framing of chunks."""

MAX_FIELDS: Final = 100
"""Headers and trailers of a request."""

MAX_BODY: Final = 64 * 1024

MAX_PIPELINED: Final = 4
"""Requests that a client may send ahead of the answer it waits for. Hardly any client sends one."""

WRITE_SECONDS: Final = 30
"""How long a client may leave bytes of its answer unread."""

LINGER_SECONDS: Final = 2
LINGER_BYTES: Final = 1024 * 1024
"""What is read and dropped after a refusal, so that the client can read why."""

RESERVED_FILES: Final = 128
"""File descriptors that no client gets: for Binance, the database and notifications."""

FEWEST_FILES: Final = 256


@dataclass(frozen=True, kw_only=True)
class Limits:
    """`anonymous` connections are those whose last request had neither an agent's key nor a session.

    Agents' connections have a room of their own; traders' connections are not limited, except by
    `highest_file`: no client is given a file descriptor from that number up.
    """

    anonymous: int
    anonymous_per_address: int
    agents: int
    highest_file: int
    request_seconds: float
    keep_alive_seconds: float

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Raises StartError when the system allows too few open files."""
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
