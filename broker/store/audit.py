"""The append-only audit log: rows are numbered without gaps and chained by HMAC-SHA-256."""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, insert, select, update
from sqlalchemy.exc import DatabaseError

from ..clock import from_ms, to_ms
from ..events import Event, EventKind
from ..intents import canonical
from .tables import audit, meta

GENESIS = "0" * 64
HEAD = "audit_head"
"""Name in the table `meta` of the newest row's seal: it reveals that the newest rows were deleted."""

AT_ONCE = 500
"""Rows read per query."""

# Built once: building a statement takes longer than running it.
LAST = select(audit.c.seq, audit.c.mac).order_by(audit.c.seq.desc()).limit(1)
AFTER = select(audit).where(audit.c.seq > bindparam("after")).order_by(audit.c.seq).limit(bindparam("most"))
MAC_OF = select(audit.c.mac).where(audit.c.seq == bindparam("seq"))
NEWEST = (
    select(audit)
    .where(audit.c.kind.in_(bindparam("kinds", expanding=True)))
    .order_by(audit.c.seq.desc())
    .limit(1)
)
NEWEST_OF_INTENT = NEWEST.where(audit.c.intent_id == bindparam("intent_id"))
SET_HEAD = update(meta).where(meta.c.name == HEAD)


class Forged(Exception):
    """The seal of a row is wrong: the row was changed."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"row {seq} was changed")
        self.seq = seq


@dataclass(frozen=True)
class Mark:
    """Number and seal of a row that was the newest at some time."""

    seq: int
    mac: str


BEGUN = Mark(0, "")
"""The mark of an empty log, before its first row."""


@dataclass(frozen=True)
class Broken:
    """The first row at which the chain is broken, and why."""

    seq: int
    problem: str


class AuditLog:
    """Each row is part of the transaction that it records. Rows are never changed or deleted."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.on_append: Callable[[Connection, Event], None] = lambda _, __: None
        """Called with each new row, inside its transaction."""

    def append(
        self,
        connection: Connection,
        *,
        at: datetime,
        kind: EventKind,
        actor: str,
        intent_id: str | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> int:
        """Write a row and return its number."""
        last = connection.execute(LAST).one_or_none()
        row: dict[str, Any] = {
            "seq": last.seq + 1 if last else 1,
            "at": to_ms(at),
            "kind": str(kind),
            "actor": actor,
            "intent_id": intent_id,
            "data": canonical(dict(data or {})),
        }
        row["mac"] = self._seal(last.mac if last else GENESIS, row)
        connection.execute(insert(audit), row)
        _keep_head(connection, self._head_seal(row["mac"]))
        seq = int(row["seq"])
        recorded = Event(seq=seq, at=at, kind=kind, actor=actor, intent_id=intent_id, data=dict(data or {}))
        self.on_append(connection, recorded)
        return seq

    def newest(
        self, connection: Connection, kinds: Collection[EventKind], *, intent_id: str | None = None
    ) -> Event | None:
        """The newest row of these kinds, optionally of one intent; None if there is none. Raises Forged."""
        query = NEWEST if intent_id is None else NEWEST_OF_INTENT
        row = connection.execute(query, {"kinds": list(kinds), "intent_id": intent_id}).one_or_none()
        if row is None:
            return None
        before = connection.execute(MAC_OF, {"seq": row.seq - 1}).scalar()
        if not self._holds(before or GENESIS, dict(row._mapping)):
            raise Forged(row.seq)
        return to_event(row)

    def verify(self, connection: Connection, mark: Mark | None) -> Broken | None:
        """Check all rows, and that the row of `mark` is among them. Returns the first fault, None if none."""
        previous, number = GENESIS, 0
        try:
            for row in connection.execute(select(audit).order_by(audit.c.seq)).mappings():
                number += 1
                if row["seq"] != number:
                    return Broken(number, f"row {number} is missing")
                if not self._holds(previous, dict(row)):
                    return Broken(number, f"row {number} was changed, or rows were reordered")
                previous = row["mac"]
                if mark is not None and mark.seq == number and not _same(mark.mac, previous):
                    return Broken(number, f"row {number} was replaced")
        except DatabaseError as error:  # invalid text, or a damaged page
            return Broken(number + 1, f"row {number + 1} cannot be read ({error.orig})")
        kept = _same(self._head_seal(previous), _head(connection))
        if not kept or (mark is not None and mark.seq > number):
            return Broken(number + 1, f"rows after {number} are missing")
        return None

    def mark(self, connection: Connection) -> Mark | None:
        """The mark of the newest row; None if the log is empty."""
        row = connection.execute(LAST).one_or_none()
        return None if row is None else Mark(row.seq, row.mac)

    def holds_mark(self, connection: Connection, mark: Mark) -> bool:
        """Whether the log contains that row. If not, the log is older, or was cut."""
        if mark == BEGUN:
            return True
        mac = connection.execute(MAC_OF, {"seq": mark.seq}).scalar()
        return mac is not None and _same(mac, mark.mac)

    def _holds(self, previous: str, row: Mapping[str, Any]) -> bool:
        """Whether the row's seal is right, given the seal of the row before it."""
        try:
            return _same(self._seal(previous, row), row["mac"])
        except ValueError:  # a value that cannot be serialised, such as a number that is too large
            return False

    def _head_seal(self, mac: str) -> str:
        return hmac.new(self._key, f"head {mac}".encode(), "sha256").hexdigest()

    def _seal(self, previous: str, row: Mapping[str, Any]) -> str:
        text = canonical(
            [previous, *(row[name] for name in ("seq", "at", "kind", "actor", "intent_id", "data"))]
        )
        return hmac.new(self._key, text.encode(), "sha256").hexdigest()


def _same(seal: str, stored: object) -> bool:
    """Constant-time comparison. `stored` comes from the database and may have any type."""
    return hmac.compare_digest(seal.encode(), str(stored).encode())


def _keep_head(connection: Connection, seal: str) -> None:
    changed = connection.execute(SET_HEAD, {"value": seal})
    if not changed.rowcount:
        connection.execute(insert(meta).values(name=HEAD, value=seal))


def _head(connection: Connection) -> str:
    return connection.execute(select(meta.c.value).where(meta.c.name == HEAD)).scalar() or ""


def events_after(connection: Connection, seq: int, limit: int = AT_ONCE) -> Sequence[Event]:
    rows = connection.execute(AFTER, {"after": seq, "most": limit})
    return [to_event(row) for row in rows]


def events_of(connection: Connection, intent_id: str) -> Sequence[Event]:
    rows = connection.execute(select(audit).where(audit.c.intent_id == intent_id).order_by(audit.c.seq))
    return [to_event(row) for row in rows]


def recent_events(
    connection: Connection, kinds: Collection[EventKind], since: datetime, *, flag: str | None = None
) -> Sequence[Event]:
    """The 20 newest events of these kinds, newest first. `flag`: only those whose data has it as true."""
    query = select(audit).where(audit.c.kind.in_(list(kinds)), audit.c.at >= to_ms(since))
    if flag is not None:  # safe: data is canonical JSON, and quotes inside values are escaped
        query = query.where(audit.c.data.contains(f'"{flag}":true', autoescape=True))
    return [to_event(row) for row in connection.execute(query.order_by(audit.c.seq.desc()).limit(20))]


def head(connection: Connection) -> int:
    return connection.execute(LAST).scalar() or 0


def to_event(row: Row[Any]) -> Event:
    kind = EventKind.read(row.kind)
    return Event(
        seq=row.seq,
        at=from_ms(row.at),
        kind=kind,
        actor=row.actor,
        intent_id=row.intent_id,
        data=json.loads(row.data),
        unknown_kind=row.kind if kind is EventKind.OTHER else None,
    )
