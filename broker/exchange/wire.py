"""Controls and records what ccxt sends, call by call.

ccxt keeps only the last answer of an instance, shared by concurrent calls. Here each call has its own record.
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
from .fair_share import FairShare
from .outcome import BadAnswer, WireFacts
from .weight import PAGES_PCT, Weight, weight_ceiling_pct

MAX_MESSAGE = 300

WALLET: Final = "/sapi/"
KEY_RIGHTS: Final = "/sapi/v1/account/apiRestrictions"
"""The only allowed path in the section of Binance's API that can also move funds."""

Ccxt: Any
if TYPE_CHECKING:
    Ccxt = Any
else:
    Ccxt = object


class NotAsAsked(Exception):
    """ccxt was about to send a request that was not expected. It was not sent."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The only request that a submission may send. A DELETE has its fields in the query."""

    url: str
    fields: Mapping[str, str]
    method: Literal["POST", "DELETE"] = "POST"

    def check(self, url: str, body: str | None) -> None:
        """Raises NotAsAsked unless the request has exactly these fields and a signature."""
        address, sent = url, body
        if self.method == "DELETE":
            address, _, sent = url.partition("?")
        if address != self.url:
            raise NotAsAsked("the order would have been sent to another address")
        pairs = parse_qsl(sent or "", keep_blank_values=True)
        wire = dict(pairs)
        wire.pop("signature", None)
        for name in sorted(wire.keys() | self.fields.keys()):
            if wire.get(name) != self.fields.get(name):
                raise NotAsAsked(
                    f"{name} would have been {wire.get(name)} instead of {self.fields.get(name)}"
                )
        if len(pairs) != len(self.fields) + 1:
            raise NotAsAsked("a field would have been sent twice, or without signature")


@dataclass(slots=True)
class Recording:
    asked: Asked | None
    facts: WireFacts = field(default_factory=WireFacts)


_current: ContextVar[Recording | None] = ContextVar("recording", default=None)


@contextmanager
def recording(asked: Asked | None = None) -> Iterator[WireFacts]:
    """Record the calls in the block. With `asked`, only this request may be sent, and only once; without it,
    only GET and DELETE.
    """
    record = Recording(asked)
    token = _current.set(record)
    try:
        # ccxt changes rounding and traps of the current decimal context.
        with localcontext():
            yield record.facts
    finally:
        _current.reset(token)


class Wire(Ccxt):  # type: ignore[misc]
    """Mixin, placed before a ccxt class."""

    weight: Weight
    shares: FairShare
    now_ms: Callable[[], int]

    def nonce(self) -> int:
        return self.now_ms()

    async def throttle(self, cost: float | None = None) -> None:
        """Queue only calls of agents and pages, never what an order or the reconciler needs.

        Agents are counted before they queue, so no agent can fill the queue.
        """
        self.shares.take(cost or 1)
        if weight_ceiling_pct() <= PAGES_PCT:
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
        # ccxt returns an empty, broken or HTML body of a 200 as if it were an answer.
        if not isinstance(answer, list) and not (isinstance(answer, dict) and answer):
            raise BadAnswer("the answer is empty or broken")
        return answer

    def guard(self, record: Recording, url: str, method: str, body: str | None) -> None:
        """Raises NotAsAsked for a request that may not be sent."""
        path = urlsplit(url).path
        if path.startswith(WALLET) and (path, method) != (KEY_RIGHTS, "GET"):
            raise NotAsAsked("endpoints that can move funds are not allowed")
        if record.asked or method not in ("GET", "DELETE"):
            _require_expected(record, url, method, body)

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
        _record_answer(record.facts, code, response, retry_after)
        return super().handle_errors(
            code, reason, url, method, headers, body, response, request_headers, request_body
        )


def _require_expected(record: Recording, url: str, method: str, body: str | None) -> None:
    if record.asked is None or method != record.asked.method:
        raise NotAsAsked(f"a {method} request is not allowed here")
    if record.facts.sent:
        raise NotAsAsked("an order is sent only once")
    record.asked.check(url, body)


def _record_answer(facts: WireFacts, http: int, response: Any, retry_after: int | None) -> None:
    fields = response if isinstance(response, dict) else {}
    facts.http, facts.retry_after = http, retry_after
    facts.code = _code(fields.get("code"))
    facts.msg = redact(one_line(str(fields.get("msg", ""))))[:MAX_MESSAGE]


def _code(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _never_connected(error: BaseException | None) -> bool:
    """Whether name look-up, connection or TLS failed, so that no byte of the request was sent."""
    while error is not None:
        if isinstance(error, aiohttp.ClientConnectorError | socket.gaierror):
            return True
        error = error.__cause__
    return False
