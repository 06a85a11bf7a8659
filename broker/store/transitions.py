"""State transitions: a compare-and-set in one transaction with its audit row."""

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
    """The intent was changed by someone else first."""


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
        """Change a state; nothing else does. Returns the changed intent.

        `why` is stored in the row and in the audit log; None clears it in the row. `columns` and `data` are
        added to the row and to the audit log. `where` are further conditions of the compare-and-set.

        Raises Moved if the intent has changed; ValueError if the table of transitions does not allow it.
        """
        if (intent.state, to) not in TRANSITIONS:
            raise ValueError(f"{intent.state} → {to} is not a transition")
        now = self.clock()
        changed = {**_columns(why), **(columns or {}), "state": str(to), "updated_at": to_ms(now)}
        moved = self.update(connection, intent, changed, where)
        self.log.append(
            connection,
            at=now,
            kind=EventKind.of(to),
            actor=actor,
            intent_id=intent.id,
            data={"from": str(intent.state), **_audit_fields(why), **(data or {})},
        )
        return moved

    def put_away(self, connection: Connection, intent: Intent, why: Why, actor: str) -> Intent:
        """Move to not_sent: nothing was sent, and nothing will be."""
        return self.move(connection, intent, State.NOT_SENT, actor, why)

    def update(
        self,
        connection: Connection,
        intent: Intent,
        columns: Mapping[str, Any],
        where: Sequence[Any] = (),
    ) -> Intent:
        """Change columns if state and digest are still those of `intent`. Raises Moved otherwise."""
        unchanged = (
            intents.c.id == intent.id,
            intents.c.state == intent.state,
            intents.c.digest == intent.digest,  # it may have been shown again and approved again
        )
        statement = update(intents).where(*unchanged, *where)
        row = connection.execute(statement.returning(intents), dict(columns)).one_or_none()
        if row is None:
            raise Moved(intent.id)
        return to_intent(row)


def _columns(why: Why | None) -> dict[str, str | None]:
    if why is None:
        return {"reason_code": None, "note": None}
    return {"reason_code": str(why.reason), "note": why.note}


def _audit_fields(why: Why | None) -> dict[str, str | None]:
    return {} if why is None else {"reasonCode": str(why.reason), "note": why.note}
