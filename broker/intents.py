"""What an agent wants done and what became of it: the intent, its states, its digest. No I/O."""

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
        # Only while expires_at is ahead, which the same statement checks.
        (State.PENDING, State.APPROVED),
        (State.PENDING, State.REJECTED),
        # Nobody decided: the one meaning of expired.
        (State.PENDING, State.EXPIRED),
        # By the agent that asked, or because it was revoked.
        (State.PENDING, State.WITHDRAWN),
        # A backup was restored: what became of it since is not on record, and none of it is ever sent.
        (State.PENDING, State.UNKNOWN),
        # Client order id, namespace and timestamp are committed with this step, before the one POST.
        (State.APPROVED, State.SUBMITTING),
        # The price moved: it waits anew, with new figures, a new digest and a new expiry.
        (State.APPROVED, State.PENDING),
        # Stale, halted, its agent revoked, or a check failed: certain that nothing was sent.
        (State.APPROVED, State.NOT_SENT),
        # A backup was restored, or an approved intent found at start turned out to be at the exchange.
        (State.APPROVED, State.UNKNOWN),
        (State.SUBMITTING, State.PLACED),
        # Binance said no, for certain.
        (State.SUBMITTING, State.REFUSED),
        (State.SUBMITTING, State.NOT_SENT),
        # Sent without a clear answer, or the broker died meanwhile. Never "failed".
        (State.SUBMITTING, State.UNKNOWN),
        # By asking Binance, never by sending again; after the horizon also by a trader's recorded word.
        (State.UNKNOWN, State.PLACED),
        (State.UNKNOWN, State.REFUSED),
        # Only after the horizon by Binance's clock.
        (State.UNKNOWN, State.NOT_SENT),
    }
)
"""Every change of state there is. Nothing else changes a state."""

OPEN: Final = frozenset({State.PENDING, State.APPROVED, State.SUBMITTING, State.UNKNOWN})
"""States that something still has to happen to."""

RECORDABLE: Final[Mapping[State, str]] = {
    State.PLACED: "it was placed",
    State.REFUSED: "Binance refused it",
    State.NOT_SENT: "it was never sent",
}
"""What a trader may record of an unknown one after the horizon, as his word, and in words."""

COMMITTED: Final = frozenset({State.APPROVED, State.SUBMITTING, State.UNKNOWN, State.PLACED})
"""States that count towards the day's volume."""

DECIDED_AGAINST: Final = frozenset({State.REJECTED, State.EXPIRED, State.WITHDRAWN})


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """What the trader would rather see, in the answer to the agent."""

    amount: Decimal | None = None
    price: Decimal | None = None

    def __bool__(self) -> bool:
        return self.amount is not None or self.price is not None


@dataclass(frozen=True, kw_only=True)
class Decision:
    """Who decided, when, and in what words."""

    by: str
    at: datetime
    approved: bool
    reason: str | None = None
    suggestion: Suggestion = field(default_factory=Suggestion)


Asked = Mapping[str, str | int | bool]
"""Arguments as the agent gave them, decimals as text."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """A checked request, ready to be parked. `asked`: the arguments before they were rounded.

    `previous` is what was there when it was asked: the leverage (to change, or of a futures entry), the entry
    price of what is closed.
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
        """The same for equal requests of one agent: tool and rounded trading arguments."""
        return fingerprint({"tool": self.tool, "market": self.market, "arguments": self.arguments.stored()})


@dataclass(frozen=True, kw_only=True)
class Intent:
    """One parked request. `card` holds the figures that its trader was shown at parking."""

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
    """Why it stands where it does. None on the straight way from the request to the order."""
    note: str | None = None
    """The same for people; nothing else reads it."""
    order: OrderRecord | None = None
    word_by: str | None = None
    """The trader whose word settled it, after Binance could not be asked in time."""
    word_holds: bool | None = None
    """Whether Binance bore that word out; None while it is still asked."""
    seen_at: datetime | None = None
    """When a page first showed it, or a link of a notification that leads to it was opened."""
    unseen_at: datetime | None = None
    """When it was told anew since nobody had seen it."""
    diverged: str | None = None
    """In what the exchange's truth differs from what was approved, or from a trader's word."""

    @cached_property
    def terms(self) -> Terms:
        """The canonical text, read: what was approved, and the only source of what is sent.

        Raises ValueError for what this release cannot read.
        """
        return Terms.of(self.canonical)

    @property
    def ordering(self) -> OrderArguments | None:
        """What it orders; None for one that changes a setting or cancels."""
        return self.arguments if isinstance(self.arguments, OrderArguments) else None

    @property
    def overlooked(self) -> bool:
        """Told anew since nobody had seen it, and still nobody has."""
        return self.unseen_at is not None and self.seen_at is None

    @property
    def doubted(self) -> bool:
        """Settled by a trader's word alone, which Binance has not borne out."""
        return self.word_by is not None and not self.word_holds

    @property
    def unsure(self) -> bool:
        """Nobody can tell whether it was carried out: a setting has no id to look for, and may have been
        changed since.
        """
        return self.reason_code is Reason.UNCERTAIN

    @property
    def went_out_at(self) -> datetime:
        """When it was sent, else approved; neither is known of what a restored backup had waiting."""
        if self.wire_timestamp_ms is not None:
            return from_ms(self.wire_timestamp_ms)
        return self.decision.at if self.decision else self.updated_at

    @property
    def order_status(self) -> str | None:
        return self.order.status if self.order else None

    @property
    def order_is_final(self) -> bool:
        """Nothing more becomes of it; a setting that was changed (a leverage) has no order."""
        return self.order is None or self.order.is_final


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What was approved: what would be sent, on which account, and within which prices."""

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
        """Raises ValueError."""
        try:
            return cls._read(json.loads(canonical))
        except (ArithmeticError, KeyError, TypeError) as error:
            raise ValueError(f"the terms cannot be read: {type(error).__name__}") from None

    @classmethod
    def _read(cls, told: Mapping[str, Any]) -> Self:
        return cls(
            tool=told["tool"],
            arguments=read_arguments(told["tool"], told["arguments"]),
            market=Market(told["market"]),
            mode=told["mode"],
            account=told["account"],
            reference_price=_decimal(told["referencePrice"]),
            tolerance_pct=_decimal(told["tolerancePct"]),
            worst_price=_decimal(told["worstPrice"]),
            expires_at_ms=told["expiresAt"],
            previous=told.get("previous"),
        )


def canonical_text(request: Request, expires_at: datetime) -> str:
    """What the trader approves and the executor sends: RFC 8785, decimals as plain strings."""
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
"""How the client order ids of the broker's orders begin."""


def client_order_id(intent_id: str) -> str:
    """A function of the intent's id alone: whatever dies, a look-up finds its order.

    Binance: at most 36 of [a-zA-Z0-9-_] on spot, and that set fits futures too.
    """
    return f"{OURS}{intent_id}"


RECV_WINDOW_MS: Final = 5_000
"""How late Binance may still accept a request, by its own clock."""

ENGINE_WAIT_MS: Final = 10_000
"""How long Binance's API waits for its engine before it answers -1007 (rest-api.md)."""

SLACK_MS: Final = 5_000


def horizon_ms(intent: Intent, offset_ms: int) -> int:
    """By Binance's clock, `offset_ms` ahead of ours: once it is past, what was sent can no longer arrive, and
    "no such order" means that there never will be one.

    It counts from the wire's timestamp. Where that record is lost (a restored backup), it counts from when
    the intent was found to be unknown, which is of our clock.
    """
    sent_ms = intent.wire_timestamp_ms
    if sent_ms is None:
        sent_ms = to_ms(intent.updated_at) + offset_ms
    return sent_ms + RECV_WINDOW_MS + ENGINE_WAIT_MS + SLACK_MS


def past_horizon(intent: Intent, our_ms: int, offset_ms: int) -> bool:
    """Whether by now Binance has it, or never will. Its clock is `offset_ms` ahead of ours."""
    return our_ms + offset_ms > horizon_ms(intent, offset_ms)
