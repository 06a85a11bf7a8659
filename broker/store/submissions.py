"""What becomes of an approved intent: from the commit before its one POST to the order's end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection

from ..clock import from_ms, to_ms
from ..intents import Intent, Request, State
from ..money import to_micros
from .database import Database
from .queries import find_equal_pending
from .rows import UNDECIDED, shown_columns
from .transitions import Transitions

SHOWN: Final = ("intent:parked", "intent:pending")
"""Rows of the audit log that hold a card and its digest; the newest counts."""

APPROVED: Final = ("intent:approved",)


class NotApproved(Exception):
    """The audit log holds no approval of that digest."""


class Submissions:
    def __init__(self, database: Database, transitions: Transitions) -> None:
        self._database = database
        self._moves = transitions

    async def begin(
        self,
        intent: Intent,
        *,
        client_order_id: str,
        namespace: str,
        wire_timestamp_ms: int,
        value_usdt: Decimal | None = None,
    ) -> Intent:
        """approved → submitting: all that a look-up needs is on disk before the one POST. `value_usdt` is
        what it was last checked with, and counts in the day's volume from now on; None leaves what counted.

        Raises Moved, and NotApproved unless the audit log holds that this digest was parked with its card,
        and a trader's approval of it, both sealed: what the table of intents says alone is not enough.
        """
        sent = {
            "client_order_id": client_order_id,
            "namespace": namespace,
            "wire_timestamp_ms": wire_timestamp_ms,
        }

        value = {} if value_usdt is None else {"value_micros": to_micros(value_usdt)}

        def transaction(connection: Connection) -> Intent:
            moved = self._moves.move(
                connection, intent, State.SUBMITTING, "executor", columns={**sent, **value}, data=sent
            )
            for kinds in (SHOWN, APPROVED):
                row = self._moves.log.sealed(connection, intent.id, kinds)
                if row is None or row.data["digest"] != moved.digest:
                    raise NotApproved(intent.id)
            return moved

        return await self._database.write(transaction)

    async def show_anew(self, intent: Intent, request: Request, note: str) -> Intent:
        """approved → pending: what was approved no longer holds, and waits again with new figures, a new
        digest and a new expiry. `note` says what changed.

        Where the agent has asked for the same anew meanwhile, that request waits already, and this one is
        not sent. Raises Moved.
        """

        def transaction(connection: Connection) -> Intent:
            twin = find_equal_pending(connection, intent.agent, request.equality)
            if twin is not None and intent.idempotency_key is None:
                why = f"{note}; an equal request waits already"
                return self._moves.move(
                    connection, intent, State.NOT_SENT, "executor", columns={"note": why}, data={"note": why}
                )
            expires_at = from_ms(to_ms(self._moves.clock())) + timedelta(seconds=intent.ttl_seconds)
            shown = shown_columns(request, expires_at)
            told = {name: shown[name] for name in ("canonical", "digest", "summary", "card")}
            return self._moves.move(
                connection,
                intent,
                State.PENDING,
                "executor",
                columns={**shown, **UNDECIDED, "note": note},
                data={**told, "note": note},
            )

        return await self._database.write(transaction)

    async def settle(
        self,
        intent: Intent,
        to: State,
        *,
        actor: str,
        note: str | None = None,
        order: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> Intent:
        """Record what a submission came to. `note` says why, for people. Raises Moved."""
        columns: dict[str, Any] = {"note": note}
        if order is not None:
            columns["order"] = dict(order)
        shown = {"note": note, "order": None if order is None else dict(order), **(data or {})}
        return await self._database.write(
            lambda connection: self._moves.move(connection, intent, to, actor, columns=columns, data=shown)
        )

    async def follow(self, intent: Intent, order: Mapping[str, Any]) -> Intent:
        """Keep what became of a placed order beside the state. Raises Moved."""

        def transaction(connection: Connection) -> Intent:
            now = self._moves.clock()
            followed = self._moves.update(
                connection, intent, {"order": dict(order), "updated_at": to_ms(now)}
            )
            self._moves.log.append(
                connection,
                at=now,
                kind="order:changed",
                actor="binance",
                intent_id=intent.id,
                data={"order": dict(order)},
            )
            return followed

        return await self._database.write(transaction)

    async def count_not_found(self, intent: Intent) -> Intent:
        """One more answer "no such order" after the horizon. Raises Moved."""

        counted = {"not_founds": intent.not_founds + 1}
        return await self._database.write(lambda connection: self._moves.update(connection, intent, counted))
