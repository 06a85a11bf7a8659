"""How a state changes: a compare-and-set in one transaction with its audit row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, update

from ..clock import Clock, to_ms
from ..events import EventKind
from ..intents import TRANSITIONS, Intent, State
from ..reasons import Why
from .audit import AuditLog
from .rows import to_intent
from .tables import intents


class Moved(Exception):
    """Somebody else moved the intent first."""


class Transitions:
    def __init__(self, log: AuditLog, clock: Clock) -> None:
        self.log = log
        self.clock = clock

    def move(
        self,
        connection: Connection,
        intent: Intent,
        to: State,
        actor: str,
        why: Why | None,
        *,
        columns: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
        where: Sequence[Any] = (),
    ) -> Intent:
        """The one place that changes a state. `why` goes into the row and into the audit log; None clears
        what was there.
        """
        if (intent.state, to) not in TRANSITIONS:
            raise ValueError(f"{intent.state} → {to} is no transition")
        now = self.clock()
        changed = {**_columns(why), **(columns or {}), "state": str(to), "updated_at": to_ms(now)}
        moved = self.update(connection, intent, changed, where)
        self.log.append(
            connection,
            at=now,
            kind=EventKind.of(to),
            actor=actor,
            intent_id=intent.id,
            data={"from": str(intent.state), **_told(why), **(data or {})},
        )
        return moved

    def put_away(self, connection: Connection, intent: Intent, why: Why, actor: str) -> Intent:
        """Certain that nothing was sent, and nothing will be."""
        return self.move(connection, intent, State.NOT_SENT, actor, why)

    def update(
        self,
        connection: Connection,
        intent: Intent,
        columns: Mapping[str, Any],
        where: Sequence[Any] = (),
    ) -> Intent:
        as_it_was = (
            intents.c.id == intent.id,
            intents.c.state == intent.state,
            intents.c.digest == intent.digest,  # it may have been shown anew since, and approved again
        )
        statement = update(intents).where(*as_it_was, *where)
        row = connection.execute(statement.returning(intents), dict(columns)).one_or_none()
        if row is None:
            raise Moved(intent.id)
        return to_intent(row)


def _columns(why: Why | None) -> dict[str, str | None]:
    if why is None:
        return {"reason_code": None, "note": None}
    return {"reason_code": str(why.reason), "note": why.note}


def _told(why: Why | None) -> dict[str, str | None]:
    return {} if why is None else {"reasonCode": str(why.reason), "note": why.note}
