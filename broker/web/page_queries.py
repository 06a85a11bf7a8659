"""Database reads for the pages, as functions of a connection. One page uses one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from sqlalchemy import Connection

from ..errors import BrokerError
from ..events import FACTS, Event, EventKind
from ..intents import Intent
from ..orders.collisions import collide, opposite
from ..outcomes import rests, waits
from ..store import EQUAL_WITHIN, events_of, queries, recent_events
from ..store.audit import head
from ..store.breakers import failing
from ..tools.cancel_events import CANCELS, PROTECTIVE, protective
from .notices import ANNOUNCED, alarming

INBOX = "inbox"
"""Subject of the inbox page. Other subjects: a request's id, or empty."""

MOST_WAITING = 100
MOST_DECIDED = 50
MOST_STEPS = 40


def _groups() -> Sequence[Sequence[EventKind]]:
    groups: dict[str, list[EventKind]] = defaultdict(list)
    for kind in ANNOUNCED - {EventKind.CHANNEL_FAILING}:  # `failing` adds these
        groups[kind if FACTS[kind].alarm else kind.partition(":")[0]].append(kind)
    return list(groups.values())


NEWS: Final = _groups()
"""Announced kinds, grouped by subject; each alarm alone. Every group has its own limit on the page."""


@dataclass(frozen=True, kw_only=True)
class Tally:
    """The day's used volume and the waiting volume, in USDT, and the number of waiting requests."""

    used: Decimal
    waiting: Decimal
    count: int


@dataclass(frozen=True, kw_only=True)
class Frame:
    """Data on every page."""

    tally: Tally
    notices: Sequence[Event]


@dataclass(frozen=True, kw_only=True)
class RequestContext:
    """An intent, an equal one sent shortly before it, and descriptions of opposite waiting requests."""

    intent: Intent
    earlier: Intent | None = None
    against: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Inbox:
    """`seen`: the number of the last audit row that this includes."""

    waiting: Sequence[RequestContext]
    decided: Sequence[Intent]
    seen: int


@dataclass(frozen=True, kw_only=True)
class Record:
    """A request and its history. `seen` as in Inbox."""

    context: RequestContext
    events: Sequence[Event]
    seen: int


def tally(connection: Connection, now: datetime) -> Tally:
    return Tally(
        used=queries.daily_volume(connection, now),
        waiting=queries.waiting_volume(connection),
        count=queries.count_pending(connection),
    )


def notices(connection: Connection, now: datetime) -> Sequence[Event]:
    """Alarming events first, then the others; newest first within both."""
    day, hour = now - timedelta(days=1), now - timedelta(hours=1)
    events = [event for group in NEWS for event in recent_events(connection, group, day)]
    events += failing(connection)
    events += recent_events(connection, CANCELS, hour, flag=PROTECTIVE)
    events += [event for event in recent_events(connection, CANCELS, hour) if not protective(event)]
    return sorted(events, key=lambda event: (not alarming(event), -event.seq))


def frame(connection: Connection, now: datetime) -> Frame:
    return Frame(tally=tally(connection, now), notices=notices(connection, now))


def waiting(connection: Connection, now: datetime) -> Sequence[Intent]:
    """Undecided, unexpired requests, oldest first."""
    pending = queries.pending(connection, MOST_WAITING)
    return [intent for intent in pending if waits(intent, now)]


def context_of(
    connection: Connection, intent: Intent, pending: Sequence[Intent], now: datetime
) -> RequestContext:
    if not waits(intent, now):
        return RequestContext(intent=intent)
    return RequestContext(
        intent=intent,
        earlier=queries.find_earlier_equal(connection, intent, now - EQUAL_WITHIN),
        against=opposite(intent, pending, now),
    )


def inbox(connection: Connection, now: datetime) -> Inbox:
    pending = waiting(connection, now)
    return Inbox(
        waiting=[context_of(connection, intent, pending, now) for intent in pending],
        decided=queries.decided(connection, MOST_DECIDED),
        seen=head(connection),
    )


def priced(
    connection: Connection, subjects: Collection[str], now: datetime
) -> Mapping[str, Sequence[Intent]]:
    """By subject, the requests on its page with a live price: waiting ones, and open orders at Binance."""
    priced: dict[str, Sequence[Intent]] = {}
    for subject in subjects:
        if subject == INBOX:
            priced[subject] = waiting(connection, now)
        elif subject:
            with suppress(BrokerError):
                intent = queries.find_any(connection, subject)
                priced[subject] = [intent] if waits(intent, now) or rests(intent) else []
    return priced


def colliding(intent: Intent, pending: Sequence[Intent], now: datetime) -> Sequence[RequestContext]:
    """The waiting requests that collide with this one. Their own list of collisions may have changed."""
    return [
        RequestContext(intent=other, against=opposite(other, pending, now))
        for other in pending
        if collide(intent, other)
    ]


def place_of(intent: Intent) -> tuple[str, str]:
    """Market and symbol."""
    return intent.market, intent.arguments.symbol


def record(connection: Connection, intent_id: str, now: datetime) -> Record:
    """Raises UNKNOWN_INTENT."""
    events = events_of(connection, intent_id)
    intent = queries.find_any(connection, intent_id)
    return Record(
        context=context_of(connection, intent, waiting(connection, now), now),
        events=[*events[:1], *events[1:][-MOST_STEPS:]],  # an order can have very many partial fills
        seen=head(connection),
    )
