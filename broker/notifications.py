"""Who is told what, when it is tried again, and when that is given up. No I/O.

A channel is one trader's way to be reached; a delivery is one notification on one channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

from .clock import from_ms
from .hub import Event
from .intents import Intent


class Kind(StrEnum):
    """What stands at the other end of a channel."""

    WEBHOOK = "webhook"
    NTFY = "ntfy"
    TELEGRAM = "telegram"


PHONES: Final = frozenset({Kind.NTFY, Kind.TELEGRAM})
"""Links are opened there, so the broker has to be reachable from there."""

EDITED: Final = frozenset({Kind.TELEGRAM})
"""A message is brought up to date there once its request is decided."""


class Topic(StrEnum):
    """What a channel can be told of."""

    REQUESTS = "requests"
    OUTCOMES = "outcomes"
    CANCELS = "cancels"
    ALERTS = "alerts"


class Progress(StrEnum):
    """How far a delivery came. `sent`: on the wire, and not answered yet."""

    QUEUED = "queued"
    SENT = "sent"
    ACCEPTED = "accepted"
    SEEN = "seen"
    ACTED = "acted"
    FAILED = "failed"
    OBSOLETE = "obsolete"


OPEN: Final = frozenset({Progress.QUEUED, Progress.SENT})
ANSWERED: Final = frozenset({Progress.SEEN, Progress.ACTED})
"""By a person, on the other end."""

TEST: Final = "channel:test"
FAILING: Final = "channel:failing"
RECOVERED: Final = "channel:recovered"

UNSEEN: Final = "request:unseen"
UNREACHABLE: Final = "exchange:unreachable"
REACHABLE: Final = "exchange:reachable"

TOPICS: Final[Mapping[str, Topic]] = {
    "intent:parked": Topic.REQUESTS,
    "intent:pending": Topic.REQUESTS,
    UNSEEN: Topic.REQUESTS,
    "intent:not_sent": Topic.OUTCOMES,
    "intent:unknown": Topic.OUTCOMES,
    "intent:refused": Topic.OUTCOMES,
    "intent:placed": Topic.OUTCOMES,
    "order:changed": Topic.OUTCOMES,
    "orders:cancelled": Topic.CANCELS,
    "orders:cancel-unclear": Topic.CANCELS,
    "order:diverged": Topic.ALERTS,
    "word:contradicted": Topic.ALERTS,
    "database:restored": Topic.ALERTS,
    "audit:head-missing": Topic.ALERTS,
    "audit:key-missing": Topic.ALERTS,
    FAILING: Topic.ALERTS,
    UNREACHABLE: Topic.ALERTS,
}
"""Kinds of audit rows that somebody may have to hear of."""

REQUESTS: Final = frozenset(kind for kind, topic in TOPICS.items() if topic is Topic.REQUESTS)
CLOSING: Final = frozenset({"intent:approved", "intent:rejected", "intent:expired", "intent:withdrawn"})
"""After these a request no longer waits."""

TOLD: Final = frozenset({*TOPICS, *CLOSING, TEST})

_OF_A_STOP: Final = frozenset({"intent:placed", "order:changed"})


@dataclass(frozen=True, kw_only=True)
class Channel:
    """`address` is what may be shown of it. It is proven once a link that was sent to it was opened."""

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
        """Whether it hears of the event, which is about that intent."""
        if event.kind == TEST:
            return bool(event.data["channel"] == self.id)
        if self.paused_at is not None:
            return False
        if event.kind == UNSEEN:
            return self._backs_up(intent)
        if event.actor == f"trader:{self.trader}":
            return False
        if event.kind == FAILING and event.data["channel"] == self.id:
            return False
        return TOPICS[event.kind] in self.topics and self._worth(intent)

    def _backs_up(self, intent: Intent | None) -> bool:
        """Whether it hears of a request that nobody has seen. A channel for alerts alone does, too, but only
        of one whose own value is enough.
        """
        if Topic.REQUESTS in self.topics:
            return self._worth(intent)
        if Topic.ALERTS not in self.topics:
            return False
        value = intent.value_usdt if intent else None
        return self.min_value_usdt is None or (value is not None and value >= self.min_value_usdt)

    def _worth(self, intent: Intent | None) -> bool:
        """What has no value of its own, as a leverage or a cancel, is never too small."""
        value = intent.value_usdt if intent else None
        return self.min_value_usdt is None or not value or value >= self.min_value_usdt


def concerns(event: Event, intent: Intent | None) -> bool:
    """Whether anybody has to hear of it, of those kinds."""
    if event.kind == TEST:
        return True
    if event.kind in _OF_A_STOP:
        return intent is not None and "stopPrice" in intent.arguments and intent.order_status == "filled"
    return TOPICS[event.kind] is not Topic.CANCELS or event.data.get("protective") is True


def matter(event: Event) -> str:
    """What it is about: a channel hears of one matter once, though more than one row may tell of it."""
    return f"filled:{event.intent_id}" if event.kind in _OF_A_STOP else str(event.seq)


# -- many at once


class Bundle(StrEnum):
    """What is told as one message, once an agent causes many."""

    WAITING = "waiting"
    UNSEEN = "unseen"
    CANCELLED = "cancelled"


BUNDLES: Final[Mapping[str, Bundle]] = {
    "intent:parked": Bundle.WAITING,
    UNSEEN: Bundle.UNSEEN,
    "orders:cancelled": Bundle.CANCELLED,
    "orders:cancel-unclear": Bundle.CANCELLED,
}
"""Whatever an agent can cause as often as it likes. The rest takes a trader's approval, or trouble."""

SINGLES: Final[Mapping[Bundle, int]] = {Bundle.WAITING: 20, Bundle.UNSEEN: 3, Bundle.CANCELLED: 20}
"""Messages that an agent may cause on one channel within WINDOW; from then on they are told as bundles."""

WINDOW: Final = timedelta(hours=1)
FIRST_SPACING: Final = timedelta(minutes=1)
LONGEST_SPACING: Final = timedelta(minutes=30)


def spacing(bundles: int) -> timedelta:
    """How long the next bundle waits, after so many within WINDOW: the first does not, then it doubles."""
    if bundles == 0:
        return timedelta()
    return min(FIRST_SPACING * (1 << min(bundles - 1, 16)), LONGEST_SPACING)


def caused_by(event: Event, intent: Intent | None) -> str | None:
    """The agent that caused it, if one did; `intent` is the one that the event is about."""
    if intent is not None:
        return intent.agent
    kind, _, name = event.actor.partition(":")
    return name if kind == "agent" else None


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """`digest` is the intent's when the event was committed; `note` says why it goes no further, or what it
    took the place of. One of a `bundle` tells of all of that sort from its event on, and is about no request.
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
        """The request that it is about."""
        return None if self.bundle is not None else self.event.intent_id


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What one attempt came to. A problem that is `final` is not tried again. By `handle` the endpoint knows
    the message.
    """

    problem: str | None = None
    handle: str | None = None
    retry_after: timedelta | None = None
    final: bool = False

    @property
    def asked_pause(self) -> timedelta:
        """An hour at most, whatever was asked: what else is told of a request waits behind it."""
        return min(self.retry_after or timedelta(), LONGEST_ASKED_PAUSE)


# -- trying again

LEASE: Final = timedelta(seconds=30)
"""From when on a delivery that was sent and never answered is sent once more, with the same id."""

FIRST_PAUSE: Final = timedelta(seconds=1)
LONGEST_PAUSE: Final = timedelta(minutes=1)
LONGEST_ASKED_PAUSE: Final = timedelta(hours=1)
GIVE_UP: Final = timedelta(hours=24)
KEPT: Final = timedelta(days=30)
"""How long a delivery stays on record once nothing becomes of it any more."""

AT_ONCE: Final = 4
"""Deliveries on the way to one channel."""

TRIPS_AT: Final = 3
"""Failures in a row after which the channel rests, and then is tried with a single delivery."""

ALERT_AFTER: Final = timedelta(minutes=15)


def pause(failures: int, random: bytes) -> timedelta:
    """After so many failures in a row (from 1 on): doubled each time, a random half of it taken off."""
    whole = min(FIRST_PAUSE * (1 << min(failures - 1, 16)), LONGEST_PAUSE)
    return whole - whole * int.from_bytes(random[:2], "big") / 0xFFFF / 2


def width(channel: Channel) -> int:
    """How many deliveries may be on the way to it."""
    return 1 if channel.failures >= TRIPS_AT else AT_ONCE


WELL: Final[Mapping[str, Any]] = {
    "failures": 0,
    "failing_since": None,
    "open_until": from_ms(0),  # not the time of a success: should the clock be set back, it would rest
    "alerted": False,
}
"""What a channel has while nothing is wrong with it."""


def breaker(channel: Channel, attempt: Attempt, now: datetime, random: bytes) -> Mapping[str, Any]:
    """What an attempt changes of its channel."""
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
