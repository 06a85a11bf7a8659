"""An approved intent: from the commit before its POST to the end of the order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection

from ..cards import Card
from ..clock import from_ms, to_ms
from ..divergence import divergence
from ..events import COMMAND_LINE, STATES, Event, EventKind
from ..intents import RECORDABLE, Intent, Request, State, past_horizon
from ..money import to_micros
from ..order_record import OrderRecord
from ..reasons import Reason, Why
from .audit import Forged
from .database import Database
from .halt import Halts
from .queries import find_any, find_equal_pending, in_states
from .rows import UNDECIDED, order_columns, shown_columns
from .session_guard import Standing
from .transitions import Transitions

ASKED: Final = (EventKind.INTENT_PARKED,)
"""Kind of the audit row with the agent and the reason, which never change."""

SHOWN: Final = (EventKind.INTENT_PARKED, EventKind.INTENT_PENDING)
"""Kinds of audit rows with a card and its digest; the newest row is the valid one."""


class NotApproved(Exception):
    """The audit log has no valid approval of that digest."""


class Uncertain(Exception):
    """The outcome cannot be recorded: it is too early to be certain, or it is no longer unknown."""

    def __init__(self, intent: Intent) -> None:
        super().__init__(intent.id)
        self.intent = intent


class Submissions:
    def __init__(self, database: Database, transitions: Transitions, halts: Halts) -> None:
        self._database = database
        self._moves = transitions
        self._halts = halts

    async def begin(
        self,
        intent: Intent,
        *,
        client_order_id: str,
        namespace: str,
        wire_timestamp_ms: int,
        is_exit: bool,
        value_usdt: Decimal | None,
        approved_since: datetime,
    ) -> Intent:
        """approved → submitting: commit everything that a later look-up needs, before the POST.

        `is_exit` and `value_usdt` come from the last check. The value replaces the one in the daily volume;
        None keeps it.

        Raises Moved, TRADING_HALTED; and NotApproved unless sealed audit rows prove that this digest was
        shown with this card, agent and reason, and that the intent's last state change is a trader's approval
        of it, not older than `approved_since`. The table `intents` alone is not trusted.
        """
        sent = {
            "client_order_id": client_order_id,
            "namespace": namespace,
            "wire_timestamp_ms": wire_timestamp_ms,
        }

        value = {} if value_usdt is None else {"value_micros": to_micros(value_usdt)}

        def transaction(connection: Connection) -> Intent:
            approval = self._approval(connection, intent)
            moved = self._moves.move(
                connection, intent, State.SUBMITTING, "executor", None, columns={**sent, **value}, data=sent
            )
            self._halts.require_open(connection, is_exit=is_exit, what_happened="")
            if approval is None or approval.at < approved_since:
                raise NotApproved(intent.id)
            return moved

        return await self._database.write(transaction)

    async def show_anew(self, intent: Intent, request: Request, why: Why) -> Intent:
        """approved → pending: the figures have changed, so the trader decides again, on new figures with a
        new digest and a new expiry. `why` says what changed.

        If the agent has asked for the same again meanwhile, that request stays pending and this one becomes
        not_sent. Raises Moved; TRADING_HALTED if trading is halted for the new request.
        """

        def transaction(connection: Connection) -> Intent:
            equal_request = find_equal_pending(connection, intent.agent, request.equality)
            if equal_request is not None and intent.idempotency_key is None:
                superseded = Why(Reason.EQUAL_REQUEST_WAITS, f"{why.note}; an equal request waits already")
                return self._moves.put_away(connection, intent, superseded, "executor")
            expires_at = from_ms(to_ms(self._moves.clock())) + timedelta(seconds=intent.ttl_seconds)
            shown = shown_columns(request, expires_at)
            data = {name: shown[name] for name in ("canonical", "digest", "summary", "card")}
            pending = self._moves.move(
                connection,
                intent,
                State.PENDING,
                "executor",
                why,
                columns={**shown, **UNDECIDED},
                data=data,
            )
            self._halts.require_open(connection, is_exit=request.is_exit, what_happened="")
            return pending

        return await self._database.write(transaction)

    async def settle(
        self,
        intent: Intent,
        to: State,
        *,
        actor: str,
        why: Why | None = None,
        order: OrderRecord | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> Intent:
        """Record the outcome of a submission. Raises Moved; ValueError if the intent is pending."""
        if intent.state is State.PENDING:
            raise ValueError(f"{intent.id} is not approved")
        columns = {} if order is None else order_columns(order)
        shown = {"order": None if order is None else order.stored(), **(data or {})}

        def transaction(connection: Connection) -> Intent:
            settled = self._moves.move(connection, intent, to, actor, why, columns=columns, data=shown)
            return self._compared(connection, settled)

        return await self._database.write(transaction)

    async def record_word(
        self,
        intent_id: str,
        found: State,
        trader: str,
        words: str | None,
        *,
        offset_ms: int,
        standing: Standing,
    ) -> Intent:
        """Record a trader's manual resolution of an unknown outcome. `words` are the trader's own remarks.

        Allowed after the horizon, by Binance's clock, which is `offset_ms` ahead of ours. The reconciler
        still asks Binance, whose answer confirms or contradicts the resolution (`check_word`).

        Raises NotSignedIn, UNKNOWN_INTENT; Uncertain before the horizon or if it is no longer unknown.
        """
        if found not in RECORDABLE:
            raise ValueError(f"{found} cannot be recorded")
        actor, now_ms = f"trader:{trader}", to_ms(self._moves.clock())

        def transaction(connection: Connection) -> Intent:
            standing(connection)
            intent = find_any(connection, intent_id)
            if intent.state is not State.UNKNOWN or not past_horizon(intent, now_ms, offset_ms):
                raise Uncertain(intent)
            why = Why(Reason.RECORDED_BY_TRADER, words)
            columns, data = {"word_by": trader}, {"word": True}
            return self._moves.move(connection, intent, found, actor, why, columns=columns, data=data)

        return await self._database.write(transaction)

    async def check_word(
        self, intent: Intent, truth: State, why: Why | None, order: OrderRecord | None
    ) -> Intent:
        """Record whether Binance confirms a manual resolution; a partial execution does not. Raises Moved."""
        only_in_part = why is not None and why.reason is Reason.PARTLY_DONE
        placed = truth is State.PLACED
        # Binance keeps no refused orders, so "refused" and "not sent" count as the same.
        holds = (intent.state is State.PLACED) is placed and not only_in_part
        note = why and why.note
        columns: dict[str, Any] = {"word_holds": holds}
        if order is not None:
            columns |= order_columns(order)
        shown = {"note": note, "order": None if order is None else order.stored(), "truth": str(truth)}

        def transaction(connection: Connection) -> Intent:
            checked = self._moves.update(connection, intent, columns)
            kind = EventKind.WORD_HELD if holds else EventKind.WORD_CONTRADICTED
            self._note(connection, checked, kind, shown)
            if holds:
                return self._compared(connection, checked)
            found = note or _OUTCOME_TEXTS[truth]
            what = f"{intent.word_by} recorded that {RECORDABLE[intent.state]}, but {found}"
            return self._diverge(connection, checked, what)

        return await self._database.write(transaction)

    async def follow(self, intent: Intent, order: OrderRecord) -> Intent:
        """Store the new state of a placed order; the intent's state stays. Raises Moved."""

        def transaction(connection: Connection) -> Intent:
            changed = {**order_columns(order), "updated_at": to_ms(self._moves.clock())}
            followed = self._moves.update(connection, intent, changed)
            self._note(connection, followed, EventKind.ORDER_CHANGED, {"order": order.stored()})
            return self._compared(connection, followed)

        return await self._database.write(transaction)

    def lose_track(self, connection: Connection, why: Why) -> int:
        """After a restore, make all open intents unknown: their outcome is not known. Returns how many."""
        states = {State.PENDING, State.APPROVED, State.SUBMITTING}
        lost = in_states(connection, states, limit=None)
        for intent in lost:
            self._moves.move(connection, intent, State.UNKNOWN, COMMAND_LINE, why)
        return len(lost)

    async def count_not_found(self, intent: Intent) -> Intent:
        """Count one more "no such order" answer after the horizon. Raises Moved."""
        counted = {"not_founds": intent.not_founds + 1}
        return await self._database.write(lambda connection: self._moves.update(connection, intent, counted))

    # -- within one transaction

    def _approval(self, connection: Connection, intent: Intent) -> Event | None:
        """The sealed audit row of the approval, or None.

        None if the intent's last state change is not an approval of its digest, or if anything that the page
        showed differs from the sealed rows: card, agent, reason, market, expiry, note.
        """
        try:
            asked = self._moves.log.newest(connection, ASKED, intent_id=intent.id)
            shown = self._moves.log.newest(connection, SHOWN, intent_id=intent.id)
            last = self._moves.log.newest(connection, STATES.keys(), intent_id=intent.id)
            card = None if shown is None else Card.model_validate(shown.data["card"])
        except (Forged, ValueError):
            return None
        if shown is None or card is None or last is None or last.kind is not EventKind.INTENT_APPROVED:
            return None
        if asked is None or (card.stored(), shown.data["summary"]) != (intent.card.stored(), intent.summary):
            return None
        if (asked.actor, asked.data["reason"]) != (f"agent:{intent.agent}", intent.reason):
            return None
        if (intent.terms.market, intent.terms.expires_at_ms) != (intent.market, to_ms(intent.expires_at)):
            return None
        if shown.data.get("note") != intent.note:
            return None
        return last if shown.data["digest"] == last.data["digest"] == intent.digest else None

    def _compared(self, connection: Connection, intent: Intent) -> Intent:
        """Compare the order with what was approved; record the first divergence."""
        what = None if intent.order is None else divergence(intent.terms, intent.order)
        return intent if what is None or intent.diverged else self._diverge(connection, intent, what)

    def _diverge(self, connection: Connection, intent: Intent, what: str) -> Intent:
        diverged = self._moves.update(connection, intent, {"diverged": what})
        self._note(connection, diverged, EventKind.ORDER_DIVERGED, {"note": what})
        return diverged

    def _note(self, connection: Connection, intent: Intent, kind: EventKind, data: Mapping[str, Any]) -> None:
        """Write an audit row with Binance as the actor."""
        self._moves.log.append(
            connection, at=self._moves.clock(), kind=kind, actor="binance", intent_id=intent.id, data=data
        )


_OUTCOME_TEXTS: Final = {
    State.PLACED: "Binance has it",
    State.REFUSED: "Binance rejected it",
    State.NOT_SENT: "Binance has no such order",
}
