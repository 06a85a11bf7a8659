"""Bundles: many messages that one agent causes become one, with its current content."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, and_, bindparam, func, or_, select, true

from ..clock import from_ms, to_ms
from ..events import FACTS, Bundle, Event, EventKind, Topic, kinds
from ..intents import Intent, State, new_id
from ..money import to_micros
from ..notifications import OPEN, SINGLES, WINDOW, Channel, Delivery, Progress, caused_by, spacing
from .readable import readable
from .rows import UNREADABLE, to_intent
from .tables import audit, deliveries, intents

MATTER: Final = "bundle:"
"""Prefix of a bundle's `matter`, followed by the number of the first audit row in it."""

MOST_LISTED: Final = 8

# Built once: building a statement takes longer than running it.
OF_AGENT: Final = or_(
    intents.c.agent == bindparam("agent"),
    and_(audit.c.intent_id.is_(None), audit.c.actor == bindparam("actor")),
)
CAUSED: Final = (
    select(deliveries.c.channel, deliveries.c.matter, deliveries.c.progress, deliveries.c.updated_at)
    .join_from(deliveries, audit, audit.c.seq == deliveries.c.event)
    .outerjoin(intents, intents.c.id == audit.c.intent_id)
    .where(audit.c.kind.in_(bindparam("kinds", expanding=True)), OF_AGENT)
)
RECENT: Final = CAUSED.where(deliveries.c.id >= bindparam("since"))  # ids start with their time
QUEUED: Final = CAUSED.where(
    deliveries.c.progress.in_([str(progress) for progress in OPEN]),
    deliveries.c.progress == str(Progress.QUEUED),
    deliveries.c.matter.startswith(MATTER),
)
HAPPENED: Final = (
    select(func.count())
    .select_from(audit)
    .outerjoin(intents, intents.c.id == audit.c.intent_id)
    .where(
        audit.c.kind.in_(bindparam("kinds", expanding=True)),
        audit.c.seq >= bindparam("first"),
        OF_AGENT,
    )
)
PROTECTIVE: Final = or_(audit.c.intent_id.is_not(None), audit.c.data.contains('"protective":true'))


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """Content of a bundle: how many `messages` it replaces, how many requests still wait, and the largest
    of these by value (at most 8).
    """

    bundle: Bundle
    agent: str
    messages: int
    waiting: int
    listed: Sequence[Intent]

    @property
    def note(self) -> str:
        """The text that is stored with the delivery."""
        replaced = f"in place of {self.messages} messages that agent {self.agent} caused"
        return replaced if self.bundle is Bundle.CANCELLED else f"{replaced}; {self.waiting} still waited"


def places(
    connection: Connection, event: Event, intent: Intent | None, hearing: Sequence[Channel]
) -> Sequence[tuple[Channel, datetime | None]]:
    """The channels that get a new delivery for the event, each with the time at which it is due.

    None: a message of its own, sent at once. A time: a new bundle that starts with this event. Channels that
    are left out have a bundle queued, which will include the event.
    """
    bundle, agent = FACTS[event.kind].bundle, caused_by(event, intent)
    if bundle is None or agent is None or not hearing:
        return [(channel, None) for channel in hearing]
    wanted = {**_caused(bundle, agent), "since": new_id(event.at - WINDOW, bytes(10))}
    waiting = {row.channel for row in connection.execute(QUEUED, wanted)}
    recent = [row for row in connection.execute(RECENT, wanted) if row.progress != Progress.OBSOLETE]
    found: list[tuple[Channel, datetime | None]] = []
    for channel in hearing:
        of_channel = [row for row in recent if row.channel == channel.id]
        bundles = [row for row in of_channel if row.matter.startswith(MATTER)]
        if len(of_channel) - len(bundles) < SINGLES[bundle]:
            found.append((channel, None))
        elif channel.id not in waiting:
            found.append((channel, _due(event.at, [row.updated_at for row in bundles])))
    return found


def _due(now: datetime, sent_at: Sequence[int]) -> datetime:
    """When the next bundle is due, after bundles at these times (ms). The clock may have been set back."""
    wait = spacing(len(sent_at))
    last = from_ms(max(sent_at, default=0))
    return min(max(now, last + wait), now + wait)


def gather(
    connection: Connection, delivery: Delivery, channel: Channel, intent: Intent | None, now: datetime
) -> Gathered | None:
    """The current content of a bundle; None if the delivery is not one. `intent` is that of its event."""
    if delivery.bundle is None:
        return None
    bundle, agent = delivery.bundle, caused_by(delivery.event, intent) or ""
    min_value = _min_value(channel, bundle)
    happened = HAPPENED.where(or_(audit.c.intent_id.is_(None), min_value), PROTECTIVE)
    messages = connection.execute(
        happened, {**_caused(bundle, agent), "first": delivery.event.seq}
    ).scalar_one()
    waiting, listed = 0, list[Intent]()
    if bundle is not Bundle.CANCELLED:
        in_bundle = select(audit.c.intent_id).where(
            audit.c.kind.in_(_kinds(bundle)), audit.c.seq >= delivery.event.seq
        )
        still_waiting = and_(
            intents.c.agent == agent,
            intents.c.state == State.PENDING,
            intents.c.expires_at > to_ms(now),
            intents.c.seen_at.is_(None) if bundle is Bundle.UNSEEN else true(),
            intents.c.id.in_(in_bundle),
            min_value,
        )
        waiting = connection.execute(
            select(func.count()).select_from(intents).where(still_waiting)
        ).scalar_one()
        first = select(intents).where(still_waiting).order_by(intents.c.value_micros.desc(), intents.c.id)
        listed = readable(connection.execute(first.limit(MOST_LISTED)), to_intent, UNREADABLE)
    return Gathered(bundle=bundle, agent=agent, messages=messages, waiting=waiting, listed=listed)


def audit_data(channel: Channel, gathered: Gathered) -> Mapping[str, Any]:
    """The data of the audit row that records a sent bundle."""
    return {
        "channel": channel.id,
        "name": channel.name,
        "trader": channel.trader,
        "agent": gathered.agent,
        "bundle": str(gathered.bundle),
        "messages": gathered.messages,
        "waiting": gathered.waiting,
    }


def _caused(bundle: Bundle, agent: str) -> dict[str, Any]:
    return {"kinds": _kinds(bundle), "agent": agent, "actor": f"agent:{agent}"}


def _kinds(bundle: Bundle) -> Sequence[EventKind]:
    return sorted(kinds(lambda facts: facts.bundle is bundle))


def _min_value(channel: Channel, bundle: Bundle) -> ColumnElement[bool]:
    """The channel's minimum value as SQL. Same rule as `Channel.told`."""
    if channel.min_value_usdt is None:
        return true()
    enough = intents.c.value_micros >= to_micros(channel.min_value_usdt)
    if bundle is Bundle.UNSEEN and Topic.REQUESTS not in channel.topics:
        return enough
    return or_(enough, func.coalesce(intents.c.value_micros, 0) == 0)
