"""Records what each ccxt call sends and receives, and blocks requests that are not expected.

ccxt keeps only the last answer of an instance, which concurrent calls share. Here each call has its own.
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
from .fair_share import AgentQuotas
from .outcome import BadAnswer, WireFacts
from .weight import PAGES_PCT, Weight, ceiling_pct

MAX_MESSAGE_CHARS = 300

WALLET_PATH: Final = "/sapi/"
KEY_RIGHTS: Final = "/sapi/v1/account/apiRestrictions"
"""The only allowed path of `sapi`, the section of Binance's API that also moves funds."""

Ccxt: Any
if TYPE_CHECKING:
    Ccxt = Any
else:
    Ccxt = object


class UnexpectedRequest(Exception):
    """ccxt was about to send a request that is not allowed. Nothing was sent."""


@dataclass(frozen=True, slots=True)
class ExpectedRequest:
    """The only request that a submission may make. A DELETE has its fields in the query string."""

    url: str
    fields: Mapping[str, str]
    method: Literal["POST", "DELETE"] = "POST"

    def check(self, url: str, body: str | None) -> None:
        """Raise UnexpectedRequest unless the request has exactly these fields and a signature."""
        address, sent = url, body
        if self.method == "DELETE":
            address, _, sent = url.partition("?")
        if address != self.url:
            raise UnexpectedRequest("the order would have gone to another URL")
        pairs = parse_qsl(sent or "", keep_blank_values=True)
        wire = dict(pairs)
        wire.pop("signature", None)
        for name in sorted(wire.keys() | self.fields.keys()):
            if wire.get(name) != self.fields.get(name):
                raise UnexpectedRequest(
                    f"{name} would have been {wire.get(name)} instead of {self.fields.get(name)}"
                )
        if len(pairs) != len(self.fields) + 1:
            raise UnexpectedRequest("a field would have been sent twice, or unsigned")


@dataclass(slots=True)
class Recording:
    expected: ExpectedRequest | None
    facts: WireFacts = field(default_factory=WireFacts)


_current: ContextVar[Recording | None] = ContextVar("recording", default=None)


@contextmanager
def recording(expected: ExpectedRequest | None = None) -> Iterator[WireFacts]:
    """Yield the facts of the calls in this block.

    With `expected` only that request may be sent, once. Without it no POST may be sent.
    """
    record = Recording(expected)
    token = _current.set(record)
    try:
        # ccxt changes the rounding and traps of the current decimal context.
        with localcontext():
            yield record.facts
    finally:
        _current.reset(token)


class Wire(Ccxt):  # type: ignore[misc]
    """Mixin, placed before a ccxt class."""

    weight: Weight
    quotas: AgentQuotas
    now_ms: Callable[[], int]

    def nonce(self) -> int:
        return self.now_ms()

    async def throttle(self, cost: float | None = None) -> None:
        """Queue only calls of agents and pages. Calls for orders and their outcomes do not queue.

        An agent's quota is checked before it queues, so no agent can fill the queue.
        """
        self.quotas.take(cost or 1)
        if ceiling_pct() <= PAGES_PCT:
            await super().throttle(cost)

    async def fetch(self, url: str, method: str = "GET", headers: Any = None, body: str | None = None) -> Any:
        record = _current.get() or Recording(None)
        self.check_allowed(record, url, method, body)
        record.facts.begin()
        try:
            answer = await super().fetch(url, method, headers, body)
        except Exception as error:
            record.facts.connected = not _never_connected(error)
            raise
        # ccxt returns an empty, incomplete or HTML body of a 200 as if it were an answer.
        if not isinstance(answer, list) and not (isinstance(answer, dict) and answer):
            raise BadAnswer("the answer is empty or invalid")
        return answer

    def check_allowed(self, record: Recording, url: str, method: str, body: str | None) -> None:
        """Raise UnexpectedRequest for a request that may not be sent."""
        path = urlsplit(url).path
        if path.startswith(WALLET_PATH) and (path, method) != (KEY_RIGHTS, "GET"):
            raise UnexpectedRequest("requests that could move funds are not allowed")
        if record.expected or method not in ("GET", "DELETE"):
            _check_expected(record, url, method, body)

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
        _note_answer(record.facts, code, response, retry_after)
        return super().handle_errors(
            code, reason, url, method, headers, body, response, request_headers, request_body
        )


def _check_expected(record: Recording, url: str, method: str, body: str | None) -> None:
    if record.expected is None or method != record.expected.method:
        raise UnexpectedRequest(f"no {method} request is allowed here")
    if record.facts.sent:
        raise UnexpectedRequest("the order was already sent")
    record.expected.check(url, body)


def _note_answer(facts: WireFacts, http: int, response: Any, retry_after: int | None) -> None:
    answer = response if isinstance(response, dict) else {}
    facts.http, facts.retry_after = http, retry_after
    facts.code = _code(answer.get("code"))
    facts.msg = redact(one_line(str(answer.get("msg", ""))))[:MAX_MESSAGE_CHARS]


def _code(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _never_connected(error: BaseException | None) -> bool:
    """Whether DNS, the connection or TLS failed, so that no byte of the request was sent."""
    while error is not None:
        if isinstance(error, aiohttp.ClientConnectorError | socket.gaierror):
            return True
        error = error.__cause__
    return False
