"""What becomes of an approved intent: from the commit before its one POST to the order's end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from sqlalchemy import Connection

from ..clock import from_ms, to_ms
from ..divergence import divergence
from ..hub import COMMAND_LINE, Event
from ..intents import RECORDABLE, Intent, Request, State, past_horizon
from ..money import to_micros
from ..reasons import Reason, Why
from .audit import Forged
from .database import Database
from .halt import Halts
from .queries import find, find_equal_pending, in_states
from .rows import UNDECIDED, order_columns, shown_columns
from .session_guard import Standing, trusted
from .transitions import Transitions

ASKED: Final = ("intent:parked",)
"""The row that holds who asked, and why; neither ever changes."""

SHOWN: Final = ("intent:parked", "intent:pending")
"""Rows of the audit log that hold a card and its digest; the newest counts."""

APPROVED: Final = "intent:approved"
STEPS: Final = ("intent:parked", *(f"intent:{state}" for state in State))


class NotApproved(Exception):
    """The audit log holds no approval of that digest."""


class Uncertain(Exception):
    """Nobody can know yet what became of the submission, or Binance has said it."""

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
        value_usdt: Decimal | None = None,
        approved_since: datetime | None = None,
    ) -> Intent:
        """approved → submitting: all that a look-up needs is on disk before the one POST. `is_exit` and
        `value_usdt` are what it was last checked with; the value counts in the day's volume from now on, and
        None leaves what counted.

        Raises Moved, TRADING_HALTED, and NotApproved unless the audit log holds that this digest was parked
        with this card, by this agent and for this reason, and as the last that became of it a trader's
        approval, not before `approved_since`, all sealed: what the table of intents says alone is not
        enough.
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
            if approval is None or (approved_since is not None and approval.at < approved_since):
                raise NotApproved(intent.id)
            return moved

        return await self._database.write(transaction)

    async def show_anew(self, intent: Intent, request: Request, why: Why) -> Intent:
        """approved → pending: what was approved no longer holds, and waits again with new figures, a new
        digest and a new expiry. `why` says what changed.

        Where the agent has asked for the same anew meanwhile, that request waits already, and this one is
        not sent. Raises Moved, and TRADING_HALTED where it was approved as an exit and is none.
        """

        def transaction(connection: Connection) -> Intent:
            twin = find_equal_pending(connection, intent.agent, request.equality)
            if twin is not None and intent.idempotency_key is None:
                twice = Why(Reason.EQUAL_REQUEST_WAITS, f"{why.note}; an equal request waits already")
                return self._moves.put_away(connection, intent, twice, "executor")
            expires_at = from_ms(to_ms(self._moves.clock())) + timedelta(seconds=intent.ttl_seconds)
            shown = shown_columns(request, expires_at)
            told = {name: shown[name] for name in ("canonical", "digest", "summary", "card")}
            waits = self._moves.move(
                connection,
                intent,
                State.PENDING,
                "executor",
                why,
                columns={**shown, **UNDECIDED},
                data=told,
            )
            self._halts.require_open(connection, is_exit=request.is_exit, what_happened="")
            return waits

        return await self._database.write(transaction)

    async def settle(
        self,
        intent: Intent,
        to: State,
        *,
        actor: str,
        why: Why | None = None,
        order: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> Intent:
        """Record what a submission came to. Raises Moved, and ValueError for what waits for a decision."""
        if intent.state is State.PENDING:
            raise ValueError(f"nobody has approved {intent.id}")
        columns = {} if order is None else order_columns(order)
        shown = {"order": None if order is None else dict(order), **(data or {})}

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
        offset_ms: int = 0,
        standing: Standing = trusted,
    ) -> Intent:
        """A trader's word on what Binance could not be asked of in time, after the horizon by its clock,
        which was `offset_ms` ahead of ours when last asked.

        Binance is still asked; what it says then bears the word out, or contradicts it. Raises NotSignedIn,
        Uncertain before the horizon and for what is no longer unknown, UNKNOWN_INTENT.
        """
        if found not in RECORDABLE:
            raise ValueError(f"{found} cannot be recorded")
        actor, now_ms = f"trader:{trader}", to_ms(self._moves.clock())

        def transaction(connection: Connection) -> Intent:
            standing(connection)
            intent = find(connection, intent_id)
            if intent.state is not State.UNKNOWN or not past_horizon(intent, now_ms, offset_ms):
                raise Uncertain(intent)
            why = Why(Reason.RECORDED_BY_TRADER, words)
            columns, told = {"word_by": trader}, {"word": True}
            return self._moves.move(connection, intent, found, actor, why, columns=columns, data=told)

        return await self._database.write(transaction)

    async def check_word(
        self, intent: Intent, truth: State, why: Why | None, order: Mapping[str, Any] | None
    ) -> Intent:
        """What Binance says of an outcome that a trader recorded. It does not hold for what was carried out
        only in part. Raises Moved.
        """
        only_in_part = why is not None and why.reason is Reason.PARTLY_DONE
        placed = truth is State.PLACED
        holds = (intent.state is State.PLACED) is placed and not only_in_part  # Binance keeps no refused ones
        note = why and why.note
        columns: dict[str, Any] = {"word_holds": holds}
        if order is not None:
            columns |= order_columns(order)
        shown = {"note": note, "order": None if order is None else dict(order), "truth": str(truth)}

        def transaction(connection: Connection) -> Intent:
            checked = self._moves.update(connection, intent, columns)
            self._note(connection, checked, "word:held" if holds else "word:contradicted", shown)
            if holds:
                return self._compared(connection, checked)
            what = f"{intent.word_by} recorded that {RECORDABLE[intent.state]}, but {note or _TRUTHS[truth]}"
            return self._diverge(connection, checked, what)

        return await self._database.write(transaction)

    async def follow(self, intent: Intent, order: Mapping[str, Any]) -> Intent:
        """Keep what became of a placed order beside the state. Raises Moved."""

        def transaction(connection: Connection) -> Intent:
            changed = {**order_columns(order), "updated_at": to_ms(self._moves.clock())}
            followed = self._moves.update(connection, intent, changed)
            self._note(connection, followed, "order:changed", {"order": dict(order)})
            return self._compared(connection, followed)

        return await self._database.write(transaction)

    def lose_track(self, connection: Connection, why: Why) -> int:
        """A backup was restored: what it holds as open may have gone any way since. Answers how many."""
        states = {State.PENDING, State.APPROVED, State.SUBMITTING}
        lost = in_states(connection, states, limit=None)
        for intent in lost:
            self._moves.move(connection, intent, State.UNKNOWN, COMMAND_LINE, why)
        return len(lost)

    async def count_not_found(self, intent: Intent) -> Intent:
        """One more answer "no such order" after the horizon. Raises Moved."""

        counted = {"not_founds": intent.not_founds + 1}
        return await self._database.write(lambda connection: self._moves.update(connection, intent, counted))

    # -- within one transaction

    def _approval(self, connection: Connection, intent: Intent) -> Event | None:
        """The sealed approval of that digest, where nothing else became of the intent since, and all that its
        page showed is what was sealed: the card, who asked and why, the
        market, the time left, and why it waited anew.
        """
        try:
            asked = self._moves.log.newest(connection, ASKED, intent_id=intent.id)
            shown = self._moves.log.newest(connection, SHOWN, intent_id=intent.id)
            last = self._moves.log.newest(connection, STEPS, intent_id=intent.id)
        except Forged:
            return None
        if shown is None or last is None or last.kind != APPROVED:
            return None
        if asked is None or (shown.data["card"], shown.data["summary"]) != (intent.card, intent.summary):
            return None
        if (asked.actor, asked.data["reason"]) != (f"agent:{intent.agent}", intent.reason):
            return None
        if (intent.terms["market"], intent.terms["expiresAt"]) != (intent.market, to_ms(intent.expires_at)):
            return None
        if shown.data.get("note") != intent.note:
            return None
        return last if shown.data["digest"] == last.data["digest"] == intent.digest else None

    def _compared(self, connection: Connection, intent: Intent) -> Intent:
        """With what it differs in from what was approved, if it does."""
        what = None if intent.order is None else divergence(intent.terms, intent.order)
        return intent if what is None or intent.diverged else self._diverge(connection, intent, what)

    def _diverge(self, connection: Connection, intent: Intent, what: str) -> Intent:
        diverged = self._moves.update(connection, intent, {"diverged": what})
        self._note(connection, diverged, "order:diverged", {"note": what})
        return diverged

    def _note(self, connection: Connection, intent: Intent, kind: str, data: Mapping[str, Any]) -> None:
        """What Binance told, in the audit log."""
        self._moves.log.append(
            connection, at=self._moves.clock(), kind=kind, actor="binance", intent_id=intent.id, data=data
        )


_TRUTHS: Final = {
    State.PLACED: "Binance has it",
    State.REFUSED: "Binance rejected it",
    State.NOT_SENT: "Binance has no such order",
}
