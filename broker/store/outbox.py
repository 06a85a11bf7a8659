"""The outbox: deliveries are written in the transaction of their event, so none is lost in a crash."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, exists, func, insert, select, update
from sqlalchemy.exc import DatabaseError

from ..clock import Randomness, from_ms, to_ms
from ..events import FACTS, Event, EventKind
from ..intents import Intent, new_id
from ..logs import get_logger
from ..notifications import (
    ANSWERED,
    CLOSING,
    EDITED,
    GIVE_UP,
    KEPT,
    LEASE,
    OPEN,
    REQUESTS,
    TOLD,
    Attempt,
    Channel,
    Delivery,
    Progress,
    concerns,
    matter,
    pause,
    width,
)
from .audit import AuditLog, to_event
from .breakers import Breakers
from .bundles import MATTER, Gathered, audit_data, places
from .channels import all_channels, find_channel
from .queries import BY_ID
from .rows import to_intent
from .tables import audit, channels, deliveries

log = get_logger(__name__)

earlier = deliveries.alias("earlier")

# Built once: building a statement takes longer than running it.
STILL_OPEN = deliveries.c.progress.in_([str(progress) for progress in OPEN])
DUE: Final = (
    select(deliveries.c.id)
    .where(
        deliveries.c.channel == bindparam("channel"),
        STILL_OPEN,
        deliveries.c.due_at <= bindparam("now"),
        # In order per intent: the next is sent once this one was delivered or given up.
        ~exists().where(
            earlier.c.intent_id == deliveries.c.intent_id,
            earlier.c.channel == deliveries.c.channel,
            earlier.c.event < deliveries.c.event,
            earlier.c.progress.in_([str(progress) for progress in OPEN]),
        ),
    )
    .order_by(deliveries.c.event)
    .limit(bindparam("most"))
)
WITH_EVENT: Final = select(*(column.label(f"d_{column.name}") for column in deliveries.c), audit).join_from(
    deliveries, audit, audit.c.seq == deliveries.c.event
)
BY_IDS: Final = WITH_EVENT.where(deliveries.c.id.in_(bindparam("ids", expanding=True))).order_by(
    deliveries.c.event
)
NEWEST: Final = (
    WITH_EVENT.join(channels, channels.c.id == deliveries.c.channel)
    .where(channels.c.trader == bindparam("trader"))
    .order_by(deliveries.c.event.desc())
    .limit(bindparam("most"))
)
QUEUE: Final = insert(deliveries).prefix_with("OR IGNORE", dialect="sqlite")
"""The unique index on channel and matter keeps the first delivery."""

ANY_EDITED: Final = select(channels.c.id).where(channels.c.kind.in_([str(kind) for kind in EDITED])).limit(1)
HANDLES: Final = (
    select(audit.c.kind, deliveries.c.handle)
    .join_from(deliveries, audit, audit.c.seq == deliveries.c.event)
    .where(
        deliveries.c.channel == bindparam("channel"),
        deliveries.c.intent_id == bindparam("intent_id"),
        deliveries.c.event < bindparam("event"),
        deliveries.c.handle.is_not(None),
    )
    .order_by(deliveries.c.event)
)
NOTIFIED_OF: Final = (
    select(deliveries.c.channel)
    .join_from(deliveries, audit, audit.c.seq == deliveries.c.event)
    .where(
        deliveries.c.intent_id == bindparam("intent_id"),
        audit.c.kind.in_(bindparam("kinds", expanding=True)),
    )
)
ARRIVED: Final = select(deliveries.c.id).where(
    deliveries.c.channel == bindparam("channel"),
    deliveries.c.intent_id == bindparam("intent_id"),
    deliveries.c.event < bindparam("event"),
    deliveries.c.progress.in_([str(progress) for progress in (Progress.ACCEPTED, *ANSWERED)]),
    deliveries.c.updated_at >= bindparam("since"),
)
OLD: Final = (
    select(deliveries.c.id)
    .where(
        deliveries.c.id < bindparam("id"),  # ids start with their time
        deliveries.c.updated_at < bindparam("before"),
        ~STILL_OPEN,
    )
    .order_by(deliveries.c.id)
    .limit(bindparam("most"))
)
COUNT_OPEN: Final = select(func.count()).select_from(deliveries).where(STILL_OPEN)


class Outbox:
    """All methods run in the caller's transaction."""

    def __init__(self, log: AuditLog, random: Randomness) -> None:
        self._log = log
        self._random = random
        self.breakers = Breakers(log, random)
        log.on_append = self.note

    def note(self, connection: Connection, event: Event) -> None:
        """Queue a delivery for each channel that is notified of the event, in the event's transaction.

        Queues all of them or none. An error here is logged and does not undo the event, which may be an
        approval or a halt. Only a database error fails both.
        """
        if event.kind is EventKind.TRADER_REMOVED:  # another trader may take the name later
            connection.execute(delete(channels).where(channels.c.trader == event.data["name"]))
        if event.kind not in TOLD:
            return
        if event.kind in CLOSING and not connection.execute(ANY_EDITED).first():
            return
        if not (listening := all_channels(connection)):
            return
        try:
            rows = self._rows(connection, listening, event)
        except DatabaseError:
            raise
        except Exception:
            log.exception("outbox: no notification queued", row=event.seq, kind=event.kind)
        else:
            if rows:
                connection.execute(QUEUE, rows)

    def due(self, connection: Connection, now: datetime, busy: Mapping[str, int]) -> Sequence[str]:
        """Ids of deliveries to send now. `busy`: number of deliveries being sent, by channel id."""
        found: list[str] = []
        for channel in all_channels(connection):
            free = width(channel) - busy.get(channel.id, 0)
            if channel.paused_at is None and channel.open_until <= now and free > 0:
                parameters = {"channel": channel.id, "now": to_ms(now), "most": free}
                found += connection.execute(DUE, parameters).scalars()
        return found

    def claim(self, connection: Connection, ids: Collection[str], now: datetime) -> Sequence[Delivery]:
        """Mark as being sent, and return them. Their lease ends by itself if the process dies."""
        sent = {
            "progress": str(Progress.SENT),
            "attempts": deliveries.c.attempts + 1,
            "due_at": to_ms(now + LEASE),
            "updated_at": to_ms(now),
        }
        claimable = update(deliveries).where(
            deliveries.c.id.in_(list(ids)), STILL_OPEN, deliveries.c.due_at <= to_ms(now)
        )
        claimed = connection.execute(claimable.values(sent).returning(deliveries.c.id)).scalars().all()
        rows = connection.execute(BY_IDS, {"ids": list(claimed)}).all()
        return [_delivery(row) for row in rows]

    def subject(self, connection: Connection, delivery: Delivery) -> Intent | None:
        """The delivery's request in its current state, if any. Raises ValueError if it is unreadable."""
        return _intent(connection, delivery.event)

    def release(self, connection: Connection, now: datetime) -> None:
        """Queue again what a dead process was sending: it may not have arrived."""
        on_the_way = update(deliveries).where(deliveries.c.progress == str(Progress.SENT))
        connection.execute(on_the_way.values(progress=str(Progress.QUEUED), due_at=to_ms(now)))

    def end_pauses(self, connection: Connection, now: datetime) -> None:
        """The clock was set back: make all waiting deliveries due now, or they wait too long."""
        at = to_ms(now)
        waits = update(deliveries).where(STILL_OPEN, deliveries.c.due_at > at)
        connection.execute(waits.values(due_at=at))
        connection.execute(update(channels).where(channels.c.open_until > at).values(open_until=at))

    def drop(self, connection: Connection, delivery: Delivery, why: str, now: datetime) -> None:
        """Do not send the delivery: it is no longer true. `why` is stored with it."""
        self._put(connection, delivery, Progress.OBSOLETE, now, note=why)

    def record(
        self,
        connection: Connection,
        delivery: Delivery,
        attempt: Attempt,
        now: datetime,
        gathered: Gathered | None = None,
    ) -> None:
        """Record an attempt's result for the delivery and its channel. `gathered`: content of a bundle."""
        channel = find_channel(connection, delivery.channel)
        if channel is None:  # removed meanwhile
            return
        if attempt.problem is None:
            self._put(connection, delivery, Progress.ACCEPTED, now, note=gathered.note if gathered else None)
            if gathered is not None:
                self._log.append(
                    connection,
                    at=now,
                    kind=EventKind.CHANNEL_BUNDLED,
                    actor="broker",
                    data=audit_data(channel, gathered),
                )
            if attempt.handle is not None:
                this = update(deliveries).where(deliveries.c.id == delivery.id)
                connection.execute(this.values(handle=attempt.handle))
        elif attempt.final or now - delivery.created_at >= GIVE_UP:
            self._put(connection, delivery, Progress.FAILED, now, note=attempt.problem)
        else:
            wait = max(pause(delivery.attempts, self._random(2)), attempt.asked_pause)
            self._put(connection, delivery, Progress.QUEUED, now, note=attempt.problem, due_at=now + wait)
        self.breakers.record(connection, channel, attempt, now)

    def progress(self, connection: Connection, delivery: Delivery, to: Progress, now: datetime) -> None:
        """Mark as seen or acted on. Acted on is final."""
        if delivery.progress is not Progress.ACTED:
            note = delivery.note if delivery.bundle is not None else None
            self._put(connection, delivery, to, now, note=note)

    def old(self, connection: Connection, now: datetime, most: int) -> Sequence[str]:
        """Ids of up to `most` finished deliveries that are older than `KEPT`."""
        before = now - KEPT
        parameters = {"id": new_id(before, bytes(10)), "before": to_ms(before), "most": most}
        return connection.execute(OLD, parameters).scalars().all()

    def forget(self, connection: Connection, ids: Collection[str]) -> None:
        """Delete finished deliveries. Their events stay in the audit log."""
        connection.execute(delete(deliveries).where(deliveries.c.id.in_(list(ids)), ~STILL_OPEN))

    def find(self, connection: Connection, delivery_id: str) -> Delivery | None:
        row = connection.execute(BY_IDS, {"ids": [delivery_id]}).one_or_none()
        return None if row is None else _delivery(row)

    def handles(self, connection: Connection, delivery: Delivery) -> Sequence[str]:
        """Ids of the messages on the channel that say that the intent is pending, to be edited."""
        given = {
            "channel": delivery.channel,
            "intent_id": delivery.event.intent_id,
            "event": delivery.event.seq,
        }
        found: list[str] = []
        for kind, handle in connection.execute(HANDLES, given):
            found = [] if EventKind.read(kind) in CLOSING else [*found, handle]
        return found

    def arrived(self, connection: Connection, delivery: Delivery, since: datetime) -> bool:
        """Whether an earlier delivery about the intent reached the channel after `since`."""
        given = {
            "channel": delivery.channel,
            "intent_id": delivery.event.intent_id,
            "event": delivery.event.seq,
            "since": to_ms(since),
        }
        return connection.execute(ARRIVED, given).first() is not None

    def of_trader(self, connection: Connection, trader: str, most: int) -> Sequence[Delivery]:
        """Newest first."""
        return [_delivery(row) for row in connection.execute(NEWEST, {"trader": trader, "most": most})]

    def count_open(self, connection: Connection) -> int:
        return connection.execute(COUNT_OPEN).scalar_one()

    def _rows(
        self, connection: Connection, listening: Sequence[Channel], event: Event
    ) -> list[dict[str, Any]]:
        """The deliveries to insert, one for each channel that is notified."""
        intent = _intent(connection, event)
        notified_channels = self._notified_channels(connection, listening, event, intent)
        about, at = matter(event), to_ms(event.at)
        return [
            {
                "id": new_id(event.at, self._random(10)),
                "channel": channel.id,
                "event": event.seq,
                "matter": about if due is None else f"{MATTER}{event.seq}",
                "intent_id": event.intent_id if due is None else None,
                "digest": intent.digest if intent and due is None else None,
                "progress": str(Progress.QUEUED),
                "due_at": at if due is None else to_ms(due),
                "created_at": at,
                "updated_at": at,
            }
            for channel, due in places(connection, event, intent, notified_channels)
        ]

    def _notified_channels(
        self, connection: Connection, listening: Sequence[Channel], event: Event, intent: Intent | None
    ) -> Sequence[Channel]:
        """Channels to notify. A closing event goes only where an earlier message can be edited."""
        if event.kind in CLOSING:
            asked = {"intent_id": event.intent_id, "kinds": list(REQUESTS)}
            notified = set(connection.execute(NOTIFIED_OF, asked).scalars())
            return [channel for channel in listening if channel.kind in EDITED and channel.id in notified]
        if not concerns(event, intent):
            return ()
        return [channel for channel in listening if channel.told(event, intent)]

    def _put(
        self,
        connection: Connection,
        delivery: Delivery,
        progress: Progress,
        now: datetime,
        *,
        note: str | None = None,
        due_at: datetime | None = None,
    ) -> None:
        changed: dict[str, Any] = {"progress": str(progress), "updated_at": to_ms(now), "note": note}
        if due_at is not None:
            changed["due_at"] = to_ms(due_at)
        this = update(deliveries).where(deliveries.c.id == delivery.id)
        if progress not in ANSWERED:  # the trader may tap before the attempt is recorded
            this = this.where(STILL_OPEN)
        connection.execute(this, changed)


def _intent(connection: Connection, event: Event) -> Intent | None:
    if event.intent_id is None:
        return None
    row = connection.execute(BY_ID, {"intent_id": event.intent_id}).one_or_none()
    return None if row is None else to_intent(row)


def _delivery(row: Any) -> Delivery:
    event = to_event(row)
    return Delivery(
        id=row.d_id,
        channel=row.d_channel,
        event=event,
        digest=row.d_digest,
        progress=Progress(row.d_progress),
        attempts=row.d_attempts,
        due_at=from_ms(row.d_due_at),
        created_at=from_ms(row.d_created_at),
        updated_at=from_ms(row.d_updated_at),
        note=row.d_note,
        bundle=FACTS[event.kind].bundle if row.d_matter.startswith(MATTER) else None,
    )
