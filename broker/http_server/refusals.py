"""Answers to requests that the server refuses before they reach the application."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from ..errors import BrokerError, Code
from ..logs import get_logger
from .limits import MAX_BODY, MAX_FIELDS, MAX_HEAD, MAX_URL

REPORT_SECONDS: Final = 60

log = get_logger(__name__)


@dataclass(frozen=True)
class Refusal:
    """An HTTP answer. `reason` is its name in the log."""

    status: HTTPStatus
    reason: str
    body: bytes
    media_type: bytes = b"text/plain; charset=utf-8"
    header: bytes = b""

    def answer(self) -> bytes:
        return (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\n".encode()
            + b"content-type: " + self.media_type + b"\r\n"
            + b"content-length: " + str(len(self.body)).encode() + b"\r\n"
            + self.header
            + b"cache-control: no-store\r\nx-content-type-options: nosniff\r\nconnection: close\r\n\r\n"
            + self.body
        )  # fmt: skip


BAD_REQUEST: Final = Refusal(HTTPStatus.BAD_REQUEST, "invalid HTTP", b"This is not a valid HTTP request.\n")
UPGRADE_WITH_BODY: Final = Refusal(
    HTTPStatus.BAD_REQUEST,
    "an upgrade with a body",
    b"Upgrade is not supported. Send this request without the Upgrade header.\n",
)
URL_TOO_LONG: Final = Refusal(
    HTTPStatus.REQUEST_URI_TOO_LONG, "URL too long", f"The URL is over {MAX_URL} bytes.\n".encode()
)
HEAD_TOO_LARGE: Final = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    "headers too large",
    f"The headers are over {MAX_HEAD} bytes, or more than {MAX_FIELDS}.\n".encode(),
)
BODY_TOO_LARGE: Final = Refusal(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "body too large",
    json.dumps(
        BrokerError(
            Code.PAYLOAD_TOO_LARGE, f"The body is over {MAX_BODY} bytes.", details={"maxBytes": MAX_BODY}
        ).body()
    ).encode(),
    b"application/json",
)
TOO_SLOW: Final = Refusal(
    HTTPStatus.REQUEST_TIMEOUT, "request not sent in time", b"The request did not arrive in time.\n"
)
FULL: Final = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    "too many connections",
    b"Too many connections are open. Try again in a few seconds.\n",
    header=b"retry-after: 2\r\n",
)

CUT: Final = Refusal(
    HTTPStatus.SERVICE_UNAVAILABLE,
    FULL.reason,
    b"Too many connections are open, so this answer was dropped. "
    b"The request may have been carried out: check before you repeat it.\n",
    header=b"retry-after: 2\r\n",
)


class Refused(Exception):
    """Raised in the parser's callbacks to stop parsing."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.reason)
        self.refusal = refusal


class Tally:
    """Counts refused and closed connections. Logs the counts at most once a minute."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._reported_at = float("-inf")

    def count(self, reason: str) -> None:
        self.counts[reason] += 1

    def report(self, now: float) -> None:
        if self.counts and now - self._reported_at >= REPORT_SECONDS:
            log.warning("connections were refused or closed", **{"reasons": dict(self.counts)})
            self.counts.clear()
            self._reported_at = now
