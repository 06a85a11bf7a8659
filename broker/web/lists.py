"""What a page shows, read from the database in one transaction. Functions of a connection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection

from ..hub import Event
from ..intents import Intent, State
from ..store import EQUAL_WITHIN, events_of, queries, recent_events
from ..store.audit import head
from .words import ANNOUNCED, CANCELLED, waits

MOST_WAITING = 100
MOST_DECIDED = 50
MOST_STEPS = 40


@dataclass(frozen=True, kw_only=True)
class Tally:
    """The day's volume and what waits, in USDT, and how many wait."""

    used: Decimal
    waiting: Decimal
    count: int


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What stands on every page."""

    tally: Tally
    notices: Sequence[Event]


@dataclass(frozen=True, kw_only=True)
class Asked:
    """An intent with the equal one that went out shortly before it, if any."""

    intent: Intent
    earlier: Intent | None


@dataclass(frozen=True, kw_only=True)
class Inbox:
    """`seen` is the number of the last audit row that this picture holds."""

    waiting: Sequence[Asked]
    decided: Sequence[Intent]
    seen: int


@dataclass(frozen=True, kw_only=True)
class Record:
    asked: Asked
    events: Sequence[Event]
    seen: int


def tally(connection: Connection, now: datetime) -> Tally:
    return Tally(
        used=queries.daily_volume(connection, now),
        waiting=queries.waiting_volume(connection),
        count=queries.count_pending(connection),
    )


def notices(connection: Connection, now: datetime) -> Sequence[Event]:
    """Newest first."""
    people = recent_events(connection, ANNOUNCED, now - timedelta(days=1))
    cancels = recent_events(connection, (CANCELLED,), now - timedelta(hours=1))
    return sorted([*people, *cancels], key=lambda event: -event.seq)


def frame(connection: Connection, now: datetime) -> Frame:
    return Frame(tally=tally(connection, now), notices=notices(connection, now))


def asked(connection: Connection, intent: Intent, now: datetime) -> Asked:
    if not waits(intent, now):
        return Asked(intent=intent, earlier=None)
    return Asked(intent=intent, earlier=queries.find_earlier_equal(connection, intent, now - EQUAL_WITHIN))


def inbox(connection: Connection, now: datetime) -> Inbox:
    pending = queries.in_states(connection, (State.PENDING,), MOST_WAITING)
    return Inbox(
        waiting=[asked(connection, intent, now) for intent in pending if waits(intent, now)],
        decided=queries.decided(connection, MOST_DECIDED),
        seen=head(connection),
    )


def record(connection: Connection, intent_id: str, now: datetime) -> Record:
    """Raises UNKNOWN_INTENT."""
    events = events_of(connection, intent_id)
    return Record(
        asked=asked(connection, queries.find(connection, intent_id), now),
        events=[*events[:1], *events[1:][-MOST_STEPS:]],  # an order may be filled in very many parts
        seen=head(connection),
    )
