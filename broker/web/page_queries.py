"""What a page shows, read from the database in one transaction. Functions of a connection."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection

from ..notifications import FAILING
from ..errors import BrokerError
from ..hub import Event
from ..intents import Intent
from ..store import EQUAL_WITHIN, events_of, queries, recent_events
from ..store.audit import head
from ..store.breakers import failing
from ..tools.cancel_events import CANCELS, PROTECTIVE, protective
from ..orders.collisions import collide, opposite
from .notices import NEWS, alarming
from .wording import rests, waits

INBOX = "inbox"
"""A page's subject; others are the id of a request, or empty."""

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
    """An intent, the equal one that went out shortly before it, if any, and what waits against it."""

    intent: Intent
    earlier: Intent | None = None
    against: Sequence[str] = ()


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
    """Newest first, but before all others what somebody has to look into."""
    day, hour = now - timedelta(days=1), now - timedelta(hours=1)
    # Each by itself, so that many of one kind push none of another off the page.
    news = [event for kinds in NEWS for event in recent_events(connection, kinds, day)]
    told = [event for event in news if event.kind != FAILING]
    told += failing(connection)
    told += recent_events(connection, CANCELS, hour, flag=PROTECTIVE)
    told += [event for event in recent_events(connection, CANCELS, hour) if not protective(event)]
    return sorted(told, key=lambda event: (not alarming(event), -event.seq))


def frame(connection: Connection, now: datetime) -> Frame:
    return Frame(tally=tally(connection, now), notices=notices(connection, now))


def waiting(connection: Connection, now: datetime) -> Sequence[Intent]:
    """Oldest first."""
    pending = queries.pending(connection, MOST_WAITING)
    return [intent for intent in pending if waits(intent, now)]


def asked(connection: Connection, intent: Intent, pending: Sequence[Intent], now: datetime) -> Asked:
    if not waits(intent, now):
        return Asked(intent=intent)
    return Asked(
        intent=intent,
        earlier=queries.find_earlier_equal(connection, intent, now - EQUAL_WITHIN),
        against=opposite(intent, pending, now),
    )


def inbox(connection: Connection, now: datetime) -> Inbox:
    pending = waiting(connection, now)
    return Inbox(
        waiting=[asked(connection, intent, pending, now) for intent in pending],
        decided=queries.decided(connection, MOST_DECIDED),
        seen=head(connection),
    )


def priced(
    connection: Connection, subjects: Collection[str], now: datetime
) -> Mapping[str, Sequence[Intent]]:
    """By subject, the requests on its page that a price stands on: what waits, and what rests at Binance."""
    shown: dict[str, Sequence[Intent]] = {}
    for subject in subjects:
        if subject == INBOX:
            shown[subject] = waiting(connection, now)
        elif subject:
            with suppress(BrokerError):
                intent = queries.find(connection, subject)
                shown[subject] = [intent] if waits(intent, now) or rests(intent) else []
    return shown


def beside(intent: Intent, pending: Sequence[Intent], now: datetime) -> Sequence[Asked]:
    """What waits against this one, so that what stands against each of them may have changed with it."""
    return [Asked(intent=one, against=opposite(one, pending, now)) for one in pending if collide(intent, one)]


def place_of(intent: Intent) -> tuple[str, str]:
    """Market and symbol."""
    return intent.market, intent.arguments["symbol"]


def record(connection: Connection, intent_id: str, now: datetime) -> Record:
    """Raises UNKNOWN_INTENT."""
    events = events_of(connection, intent_id)
    intent = queries.find(connection, intent_id)
    return Record(
        asked=asked(connection, intent, waiting(connection, now), now),
        events=[*events[:1], *events[1:][-MOST_STEPS:]],  # an order may be filled in very many parts
        seen=head(connection),
    )
