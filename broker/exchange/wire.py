"""What really happens on the wire, call by call, under the real ccxt.

ccxt keeps the last answer per instance, shared by concurrent calls; here each call records its own.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from decimal import localcontext
from typing import TYPE_CHECKING, Any, Final, Literal
from urllib.parse import parse_qsl, urlsplit

import aiohttp

from ..logs import redact
from ..untrusted import one_line
from .fair_share import Shares
from .outcome import BadAnswer, WireFacts
from .weight import PAGES_PCT, Weight, share

MAX_MESSAGE = 300

WALLET: Final = "/sapi/"
KEY_RIGHTS: Final = "/sapi/v1/account/apiRestrictions"
"""The one path that may be asked of the section of Binance's API that also moves funds."""

Ccxt: Any
if TYPE_CHECKING:
    Ccxt = Any
else:
    Ccxt = object


class NotAsAsked(Exception):
    """ccxt was about to send something else than what was asked for; nothing was sent."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The one request that a submission may make; a DELETE carries its fields in the query."""

    url: str
    fields: Mapping[str, str]
    method: Literal["POST", "DELETE"] = "POST"

    def check(self, url: str, body: str | None) -> None:
        """Raises NotAsAsked unless the request carries exactly these fields, and its signature."""
        address, sent = url, body
        if self.method == "DELETE":
            address, _, sent = url.partition("?")
        if address != self.url:
            raise NotAsAsked("the order would have gone to another address")
        pairs = parse_qsl(sent or "", keep_blank_values=True)
        wire = dict(pairs)
        wire.pop("signature", None)
        for name in sorted(wire.keys() | self.fields.keys()):
            if wire.get(name) != self.fields.get(name):
                raise NotAsAsked(
                    f"{name} would have been {wire.get(name)}, asked for was {self.fields.get(name)}"
                )
        if len(pairs) != len(self.fields) + 1:
            raise NotAsAsked("a field would have been sent twice, or unsigned")


@dataclass(slots=True)
class Recording:
    asked: Asked | None
    facts: WireFacts = field(default_factory=WireFacts)


_current: ContextVar[Recording | None] = ContextVar("recording", default=None)


@contextmanager
def recording(asked: Asked | None = None) -> Iterator[WireFacts]:
    """The facts of the calls made inside. With `asked` that one request may leave, once, and nothing else;
    without it, no POST at all.
    """
    record = Recording(asked)
    token = _current.set(record)
    try:
        # ccxt sets rounding and traps of the decimal context that it finds.
        with localcontext():
            yield record.facts
    finally:
        _current.reset(token)


class Wire(Ccxt):  # type: ignore[misc]
    """Mixed into a ccxt class, in front of it."""

    weight: Weight
    shares: Shares
    now_ms: Callable[[], int]

    def nonce(self) -> int:
        return self.now_ms()

    async def throttle(self, cost: float | None = None) -> None:
        """Only what agents and pages ask queues: nothing that an order waits for, or that asks what became of
        one. No agent fills the queue.
        """
        self.shares.take(cost or 1)
        if share() <= PAGES_PCT:
            await super().throttle(cost)

    async def fetch(self, url: str, method: str = "GET", headers: Any = None, body: str | None = None) -> Any:
        record = _current.get() or Recording(None)
        self.guard(record, url, method, body)
        record.facts.begin()
        try:
            answer = await super().fetch(url, method, headers, body)
        except Exception as error:
            record.facts.connected = not _never_connected(error)
            raise
        # ccxt hands on an empty, broken or HTML body of a 200 as if it were an answer.
        if not isinstance(answer, list) and not (isinstance(answer, dict) and answer):
            raise BadAnswer("the answer is empty or broken")
        return answer

    def guard(self, record: Recording, url: str, method: str, body: str | None) -> None:
        """Raises NotAsAsked for what may not leave."""
        path = urlsplit(url).path
        if path.startswith(WALLET) and (path, method) != (KEY_RIGHTS, "GET"):
            raise NotAsAsked("nothing that moves funds is asked for")
        if record.asked or method not in ("GET", "DELETE"):
            _let_out(record, url, method, body)

    def handle_errors(
        self,
        code: int,
        reason: str,
        url: str,
        method: str,
        headers: Mapping[str, str],
        body: str,
        response: Any,
        request_headers: Any,
        request_body: Any,
    ) -> Any:
        record = _current.get() or Recording(None)
        retry_after = self.weight.note(code, {name.lower(): value for name, value in headers.items()})
        _write_down(record.facts, code, response, retry_after)
        return super().handle_errors(
            code, reason, url, method, headers, body, response, request_headers, request_body
        )


def _let_out(record: Recording, url: str, method: str, body: str | None) -> None:
    if record.asked is None or method != record.asked.method:
        raise NotAsAsked(f"no {method} was asked for")
    if record.facts.sent:
        raise NotAsAsked("an order is sent once")
    record.asked.check(url, body)


def _write_down(facts: WireFacts, http: int, response: Any, retry_after: int | None) -> None:
    said = response if isinstance(response, dict) else {}
    facts.http, facts.retry_after = http, retry_after
    facts.code = _code(said.get("code"))
    facts.msg = redact(one_line(str(said.get("msg", ""))))[:MAX_MESSAGE]


def _code(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _never_connected(error: BaseException | None) -> bool:
    """Name look-up, connecting or TLS failed: not a byte of the request left."""
    while error is not None:
        if isinstance(error, aiohttp.ClientConnectorError | socket.gaierror):
            return True
        error = error.__cause__
    return False
