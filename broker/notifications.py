"""Notifications: which channel gets which events, bundles, and retries. No I/O.

A channel belongs to one trader (a webhook, for example). A delivery is one notification on one channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from .clock import from_ms
from .events import FACTS, FILLS, Bundle, Event, EventKind, Topic, kinds
from .intents import Intent


class Kind(StrEnum):
    """Where a channel sends its notifications."""

    WEBHOOK = "webhook"
    NTFY = "ntfy"
    TELEGRAM = "telegram"


PHONES: Final = frozenset({Kind.NTFY, Kind.TELEGRAM})
"""Links are opened on a phone, so the phone must be able to reach the broker."""

EDITED: Final = frozenset({Kind.TELEGRAM})
"""Messages there are edited after the request was decided."""


class Progress(StrEnum):
    """The state of a delivery. `sent`: sent, but not answered yet."""

    QUEUED = "queued"
    SENT = "sent"
    ACCEPTED = "accepted"
    SEEN = "seen"
    ACTED = "acted"
    FAILED = "failed"
    OBSOLETE = "obsolete"


OPEN: Final = frozenset({Progress.QUEUED, Progress.SENT})
ANSWERED: Final = frozenset({Progress.SEEN, Progress.ACTED})
"""States that show that the trader reacted."""

REQUESTS: Final = kinds(lambda facts: facts.topic is Topic.REQUESTS)
CLOSING: Final = kinds(lambda facts: facts.closes)
"""Kinds after which a request no longer waits."""

TOLD: Final = kinds(lambda facts: facts.topic is not None) | CLOSING | {EventKind.CHANNEL_TEST}
"""Kinds of audit rows that may cause a notification."""

REACHING: Final = (EventKind.EXCHANGE_UNREACHABLE, EventKind.EXCHANGE_REACHABLE)
"""The newest row of these kinds says whether the alarm about Binance is on."""


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A trader's channel. `address` is the part of its address that may be shown. `proven_at`: when a link
    that was sent to it was first opened.
    """

    id: str
    trader: str
    kind: Kind
    name: str
    address: str
    topics: frozenset[Topic]
    min_value_usdt: Decimal | None
    created_at: datetime
    paused_at: datetime | None
    proven_at: datetime | None
    failures: int
    failing_since: datetime | None
    open_until: datetime
    alerted: bool

    @property
    def is_phone(self) -> bool:
        return self.kind in PHONES

    def told(self, event: Event, intent: Intent | None) -> bool:
        """Whether the channel is notified of the event. `intent`: the intent that the event is about."""
        if event.kind is EventKind.CHANNEL_TEST:
            return bool(event.data["channel"] == self.id)
        if self.paused_at is not None:
            return False
        if event.kind is EventKind.REQUEST_UNSEEN:
            return self._wants_unseen(intent)
        if event.actor == f"trader:{self.trader}":
            return False
        if event.kind is EventKind.CHANNEL_FAILING and event.data["channel"] == self.id:
            return False
        return FACTS[event.kind].topic in self.topics and self._large_enough(intent)

    def _wants_unseen(self, intent: Intent | None) -> bool:
        """Whether the channel is notified of a request that nobody has seen. A channel for alerts is, if the
        request has a value that reaches the channel's minimum.
        """
        if Topic.REQUESTS in self.topics:
            return self._large_enough(intent)
        if Topic.ALERTS not in self.topics:
            return False
        value = intent.value_usdt if intent else None
        return self.min_value_usdt is None or (value is not None and value >= self.min_value_usdt)

    def _large_enough(self, intent: Intent | None) -> bool:
        """Compares the intent's value with the channel's minimum. True without a value (leverage, cancel)."""
        value = intent.value_usdt if intent else None
        return self.min_value_usdt is None or not value or value >= self.min_value_usdt


def concerns(event: Event, intent: Intent | None) -> bool:
    """Whether an event of a TOLD kind needs a notification. Of fills, only a filled stop or take-profit does;
    of an agent's cancels, only those of protective orders.
    """
    if event.kind is EventKind.CHANNEL_TEST:
        return True
    if event.kind in FILLS:
        order = None if intent is None or intent.order_status != "filled" else intent.ordering
        return order is not None and order.stop_price is not None
    return FACTS[event.kind].topic is not Topic.CANCELS or event.data.get("protective") is True


def matter(event: Event) -> str:
    """A key for deduplication: a channel gets one notification per key, although several rows may have it."""
    return f"filled:{event.intent_id}" if event.kind in FILLS else str(event.seq)


# -- bundles

SINGLES: Final[Mapping[Bundle, int]] = {Bundle.WAITING: 20, Bundle.UNSEEN: 3, Bundle.CANCELLED: 20}
"""Single messages that an agent may cause on one channel within WINDOW. Further ones are bundled."""

WINDOW: Final = timedelta(hours=1)
FIRST_SPACING: Final = timedelta(minutes=1)
LONGEST_SPACING: Final = timedelta(minutes=30)


def spacing(bundles: int) -> timedelta:
    """How long to wait before the next bundle, after `bundles` of them within WINDOW. Zero for the first,
    then it doubles.
    """
    if bundles == 0:
        return timedelta()
    return min(FIRST_SPACING * (1 << min(bundles - 1, 16)), LONGEST_SPACING)


def caused_by(event: Event, intent: Intent | None) -> str | None:
    """The name of the agent that caused the event, or None. `intent`: the intent that the event is about."""
    if intent is not None:
        return intent.agent
    kind, _, name = event.actor.partition(":")
    return name if kind == "agent" else None


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One notification on one channel. `digest`: the intent's digest when the event was committed. `note`:
    why the delivery ended, or which one it replaces. A delivery with a `bundle` covers all events of that
    bundle from its event on, and belongs to no single request.
    """

    id: str
    channel: str
    event: Event
    digest: str | None
    progress: Progress
    attempts: int
    due_at: datetime
    created_at: datetime
    updated_at: datetime
    note: str | None = None
    bundle: Bundle | None = None

    @property
    def intent_id(self) -> str | None:
        """The request that the delivery is about; None for a bundle."""
        return None if self.bundle is not None else self.event.intent_id


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """The result of one attempt. A `final` problem is not retried. `handle`: the endpoint's id of the
    message.
    """

    problem: str | None = None
    handle: str | None = None
    retry_after: timedelta | None = None
    final: bool = False

    @property
    def asked_pause(self) -> timedelta:
        """The pause that the endpoint asked for, at most an hour: later notifications wait for it too."""
        return min(self.retry_after or timedelta(), LONGEST_ASKED_PAUSE)


# -- retries

LEASE: Final = timedelta(seconds=30)
"""After this time, a delivery that was sent but not answered is sent again, with the same id."""

FIRST_PAUSE: Final = timedelta(seconds=1)
LONGEST_PAUSE: Final = timedelta(minutes=1)
LONGEST_ASKED_PAUSE: Final = timedelta(hours=1)
GIVE_UP: Final = timedelta(hours=24)
KEPT: Final = timedelta(days=30)
"""How long a finished delivery is kept in the database."""

AT_ONCE: Final = 4
"""Concurrent deliveries to one channel."""

TRIPS_AT: Final = 3
"""Failures in a row after which the circuit breaker opens. After a pause, it tries a single delivery."""

ALERT_AFTER: Final = timedelta(minutes=15)


def pause(failures: int, random: bytes) -> timedelta:
    """How long to wait after `failures` in a row (at least 1): doubles each time, minus up to half at
    random.
    """
    whole = min(FIRST_PAUSE * (1 << min(failures - 1, 16)), LONGEST_PAUSE)
    return whole - whole * int.from_bytes(random[:2], "big") / 0xFFFF / 2


def width(channel: Channel) -> int:
    """How many concurrent deliveries the channel may have."""
    return 1 if channel.failures >= TRIPS_AT else AT_ONCE


WELL: Final[Mapping[str, Any]] = {
    "failures": 0,
    "failing_since": None,
    "open_until": from_ms(0),  # not the current time: if the clock is set back, the channel would pause
    "alerted": False,
}
"""The breaker's fields of a channel that works."""


def breaker(channel: Channel, attempt: Attempt, now: datetime, random: bytes) -> Mapping[str, Any]:
    """The breaker's fields of the channel after an attempt."""
    if attempt.problem is None:
        return WELL
    failures = channel.failures + 1
    rest = pause(failures, random) if failures >= TRIPS_AT else timedelta()
    since = channel.failing_since or now
    return {
        "failures": failures,
        "failing_since": since,
        "open_until": now + max(rest, attempt.asked_pause),
        "alerted": channel.alerted or now - since >= ALERT_AFTER,
    }
