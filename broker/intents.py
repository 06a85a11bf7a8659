"""The intent: an agent's request, its states, its canonical text and digest. No I/O."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from typing import Any, Final, Self

import rfc8785

from .arguments import Arguments, OrderArguments, read_arguments
from .cards import Card
from .clock import from_ms, to_ms
from .money import plain
from .order_record import OrderRecord
from .order_types import Market
from .reasons import Reason


class State(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    SUBMITTING = "submitting"
    PLACED = "placed"
    REFUSED = "refused"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


TRANSITIONS: Final[frozenset[tuple[State, State]]] = frozenset(
    {
        # Only before expires_at; the same SQL statement checks that.
        (State.PENDING, State.APPROVED),
        (State.PENDING, State.REJECTED),
        # No decision in time; expired has no other meaning.
        (State.PENDING, State.EXPIRED),
        # By its agent, or because the agent was revoked.
        (State.PENDING, State.WITHDRAWN),
        # A backup was restored: it has no record of what happened since, and the intent is never sent.
        (State.PENDING, State.UNKNOWN),
        # Client order id, namespace and timestamp are committed with this step, before the POST.
        (State.APPROVED, State.SUBMITTING),
        # The price moved, for example: it waits again, with new figures, a new digest and a new expiry.
        (State.APPROVED, State.PENDING),
        # Too old, halted, agent revoked, or a check failed. Certain: nothing was sent.
        (State.APPROVED, State.NOT_SENT),
        # A backup was restored, or Binance already had the order of an intent that was approved earlier.
        (State.APPROVED, State.UNKNOWN),
        (State.SUBMITTING, State.PLACED),
        # Certain: Binance refused it.
        (State.SUBMITTING, State.REFUSED),
        (State.SUBMITTING, State.NOT_SENT),
        # Sent without a clear answer, or the broker died in between. Never "failed".
        (State.SUBMITTING, State.UNKNOWN),
        # By asking Binance, never by sending again. After the horizon also by a trader's manual resolution.
        (State.UNKNOWN, State.PLACED),
        (State.UNKNOWN, State.REFUSED),
        # Only after the horizon by Binance's clock.
        (State.UNKNOWN, State.NOT_SENT),
    }
)
"""All allowed changes of state."""

OPEN: Final = frozenset({State.PENDING, State.APPROVED, State.SUBMITTING, State.UNKNOWN})
"""States that are not final."""

RECORDABLE: Final[Mapping[State, str]] = {
    State.PLACED: "it was placed",
    State.REFUSED: "Binance refused it",
    State.NOT_SENT: "it was never sent",
}
"""States that a trader may record for an unknown intent after the horizon, with their texts."""

COMMITTED: Final = frozenset({State.APPROVED, State.SUBMITTING, State.UNKNOWN, State.PLACED})
"""States whose value counts towards the day's volume."""

DECIDED_AGAINST: Final = frozenset({State.REJECTED, State.EXPIRED, State.WITHDRAWN})


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """The amount or price that the trader suggests to the agent when they reject a request."""

    amount: Decimal | None = None
    price: Decimal | None = None

    def __bool__(self) -> bool:
        return self.amount is not None or self.price is not None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A trader's decision."""

    by: str
    at: datetime
    approved: bool
    reason: str | None = None
    suggestion: Suggestion = field(default_factory=Suggestion)


Asked = Mapping[str, str | int | bool]
"""Arguments as the agent gave them; decimals as text."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A checked request, ready to be parked. `asked`: the arguments before they were rounded.

    `previous` is the value at the time of the request: the leverage (for a leverage change or a futures
    entry), or the entry price of the position to close.
    """

    agent: str
    tool: str
    asked: Asked
    arguments: Arguments
    market: str
    mode: str
    account: str
    reference_price: Decimal | None
    tolerance_pct: Decimal | None
    worst_price: Decimal | None
    value_usdt: Decimal | None
    is_exit: bool
    summary: str
    card: Card
    reason: str | None
    idempotency_key: str | None
    ttl_seconds: int
    previous: str | None = None

    @property
    def equality(self) -> str:
        """A hash of tool, market and rounded arguments. Equal requests have the same hash."""
        return fingerprint({"tool": self.tool, "market": self.market, "arguments": self.arguments.stored()})


@dataclass(frozen=True, kw_only=True)
class Intent:
    """One parked request. `card` has the figures at the time of parking."""

    id: str
    agent: str
    tool: str
    state: State
    market: str
    asked: Asked
    arguments: Arguments
    canonical: str
    digest: str
    equality: str
    summary: str
    card: Card
    reason: str | None
    idempotency_key: str | None
    ttl_seconds: int
    is_exit: bool
    value_usdt: Decimal | None
    created_at: datetime
    expires_at: datetime
    updated_at: datetime
    decision: Decision | None = None
    client_order_id: str | None = None
    namespace: str | None = None
    wire_timestamp_ms: int | None = None
    not_founds: int = 0
    reason_code: Reason | None = None
    """Why it has this state. None on the normal path from request to order."""
    note: str | None = None
    """The reason as text, only for display."""
    order: OrderRecord | None = None
    word_by: str | None = None
    """The trader who resolved it manually, because Binance could not be asked in time."""
    word_holds: bool | None = None
    """Whether Binance confirms that resolution; None while it is still asked."""
    seen_at: datetime | None = None
    """When a page first showed it, or a notification's link to it was opened."""
    unseen_at: datetime | None = None
    """When traders were notified again because nobody had seen it."""
    diverged: str | None = None
    """How the order at Binance differs from what was approved, or from the manual resolution."""

    @cached_property
    def terms(self) -> Terms:
        """The parsed canonical text: what was approved, and the only source of what is sent.

        Raises ValueError if this release cannot read it.
        """
        return Terms.of(self.canonical)

    @property
    def ordering(self) -> OrderArguments | None:
        """The order's arguments; None for a leverage change or a cancel."""
        return self.arguments if isinstance(self.arguments, OrderArguments) else None

    @property
    def overlooked(self) -> bool:
        """Traders were notified again, and still nobody has seen it."""
        return self.unseen_at is not None and self.seen_at is None

    @property
    def doubted(self) -> bool:
        """Resolved manually, and not confirmed by Binance."""
        return self.word_by is not None and not self.word_holds

    @property
    def unsure(self) -> bool:
        """It cannot be known whether it was executed: a leverage change has no id to look up, and the
        leverage may have been changed again since.
        """
        return self.reason_code is Reason.UNCERTAIN

    @property
    def went_out_at(self) -> datetime:
        """When it was sent, else approved. If neither is known (a restored backup): its last update."""
        if self.wire_timestamp_ms is not None:
            return from_ms(self.wire_timestamp_ms)
        return self.decision.at if self.decision else self.updated_at

    @property
    def order_status(self) -> str | None:
        return self.order.status if self.order else None

    @property
    def order_is_final(self) -> bool:
        """The order cannot change any more. Also True without an order: a leverage change has none."""
        return self.order is None or self.order.is_final


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What was approved: the order, the account, and the worst acceptable price."""

    tool: str
    arguments: Arguments
    market: Market
    mode: str
    account: str
    reference_price: Decimal | None
    tolerance_pct: Decimal | None
    worst_price: Decimal | None
    expires_at_ms: int
    previous: str | None

    @classmethod
    def of(cls, canonical: str) -> Self:
        """Parses a canonical text. Raises ValueError if this release cannot read it."""
        try:
            return cls._of_json(json.loads(canonical))
        except (ArithmeticError, KeyError, TypeError) as error:
            raise ValueError(f"the terms cannot be read: {type(error).__name__}") from None

    @classmethod
    def _of_json(cls, terms: Mapping[str, Any]) -> Self:
        return cls(
            tool=terms["tool"],
            arguments=read_arguments(terms["tool"], terms["arguments"]),
            market=Market(terms["market"]),
            mode=terms["mode"],
            account=terms["account"],
            reference_price=_decimal(terms["referencePrice"]),
            tolerance_pct=_decimal(terms["tolerancePct"]),
            worst_price=_decimal(terms["worstPrice"]),
            expires_at_ms=terms["expiresAt"],
            previous=terms.get("previous"),
        )


def canonical_text(request: Request, expires_at: datetime) -> str:
    """The text that the trader approves and the executor sends: canonical JSON (RFC 8785), decimals as
    strings without exponent.
    """
    previous = {} if request.previous is None else {"previous": request.previous}
    return canonical(
        {
            "tool": request.tool,
            "arguments": request.arguments.stored(),
            "market": request.market,
            "mode": request.mode,
            "account": request.account,
            "referencePrice": _text(request.reference_price),
            "tolerancePct": _text(request.tolerance_pct),
            "worstPrice": _text(request.worst_price),
            "expiresAt": to_ms(expires_at),
            **previous,
        }
    )


def canonical(value: Any) -> str:
    return rfc8785.dumps(value).decode()


def digest_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def fingerprint(value: Any) -> str:
    return digest_of(canonical(value))


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _text(value: Decimal | None) -> str | None:
    return None if value is None else plain(value)


ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(now: datetime, random: bytes) -> str:
    """26 characters that sort by time: 48 bits of milliseconds, then 80 random bits (a ULID)."""
    number = to_ms(now) << 80 | int.from_bytes(random[:10], "big")
    return "".join(ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


OURS: Final = "cb-"
"""Prefix of the client order ids of the broker's orders."""


def client_order_id(intent_id: str) -> str:
    """Depends only on the intent's id, so that its order can be found after any crash.

    Binance allows at most 36 characters of [a-zA-Z0-9-_] on spot; futures also allow them.
    """
    return f"{OURS}{intent_id}"


RECV_WINDOW_MS: Final = 5_000
"""recvWindow: how long after its timestamp Binance still accepts a request, by Binance's clock."""

ENGINE_WAIT_MS: Final = 10_000
"""How long Binance's API waits for its matching engine before it answers -1007 (rest-api.md)."""

SLACK_MS: Final = 5_000


def horizon_ms(intent: Intent, offset_ms: int) -> int:
    """The time, in milliseconds by Binance's clock, after which a sent request can no longer be accepted.
    From then on, "no such order" means that it was never executed.

    `offset_ms`: Binance's clock minus the broker's. The horizon counts from the timestamp that was sent. If
    that is not on record (a restored backup), it counts from when the intent became unknown.
    """
    sent_ms = intent.wire_timestamp_ms
    if sent_ms is None:
        sent_ms = to_ms(intent.updated_at) + offset_ms
    return sent_ms + RECV_WINDOW_MS + ENGINE_WAIT_MS + SLACK_MS


def past_horizon(intent: Intent, our_ms: int, offset_ms: int) -> bool:
    """Whether the horizon is past at `our_ms` by the broker's clock."""
    return our_ms + offset_ms > horizon_ms(intent, offset_ms)
