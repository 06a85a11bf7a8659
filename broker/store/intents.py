"""Parking and deciding: what an intent goes through until it is approved or not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection, insert

from ..clock import Randomness, from_ms, to_ms
from ..errors import BrokerError, Code
from ..intents import (
    Decision,
    Intent,
    Request,
    State,
    Suggestion,
    canonical_text,
    digest_of,
    new_id,
)
from ..money import plain
from ..reasons import Reason, Why
from .agents import Agents
from .database import Database, Transaction
from .halt import Halts
from .queries import (
    count_pending_of,
    daily_volume,
    due,
    find,
    find_by_key,
    find_earlier_equal,
    find_equal_pending,
)
from .rows import decision_columns, to_row
from .session_guard import Standing, trusted
from .tables import intents
from .transitions import Transitions

NOT_PARKED = "Nothing was parked."
STILL_WAITS = "Not approved: the request still waits."

EQUAL_WITHIN = timedelta(minutes=10)
"""How long after a request an equal one needs a second tap."""


@dataclass(frozen=True)
class Parked:
    """`earlier` is an equal request that went out shortly before this new one."""

    intent: Intent
    deduplicated: bool
    earlier: Intent | None = None


class NotDecidable(Exception):
    """A decision that comes too late, after another's, or for another digest; with the intent as it is."""

    def __init__(self, intent: Intent) -> None:
        super().__init__(intent.id)
        self.intent = intent


class OverDailyVolume(Exception):
    """An approval that would pass the day's limit, the broker's or the agent's own; the intent stays
    pending.
    """

    def __init__(self, intent: Intent, used: Decimal, limit: Decimal, *, own: bool = False) -> None:
        super().__init__(intent.id)
        self.intent, self.used, self.limit, self.own = intent, used, limit, own


class NeedsSecondTap(Exception):
    """An approval by one tap where the card, or an equal request shortly before, asks for a second one."""


class Intents:
    def __init__(
        self,
        database: Database,
        transitions: Transitions,
        halts: Halts,
        agents: Agents,
        random: Randomness,
    ) -> None:
        self._database = database
        self._agents = agents
        self._moves = transitions
        self._halts = halts
        self._clock = transitions.clock
        self._random = random

    async def park(self, request: Request, max_pending: int | None = None) -> Parked:
        """Store a checked request as pending, or answer the intent that it repeats. `max_pending` is how
        many one agent may have waiting, unless its own limit is lower.

        Raises IDEMPOTENCY_CONFLICT, TRADING_HALTED, TOO_MANY_PENDING, and for an agent that may no longer ask
        for it UNAUTHORIZED, TOOL_NOT_ALLOWED or SYMBOL_NOT_ALLOWED.
        """
        return await self._database.write(lambda connection: self._park(connection, request, max_pending))

    async def approve(
        self,
        intent_id: str,
        digest: str,
        trader: str,
        max_volume: Decimal,
        *,
        confirmed: bool = True,
        standing: Standing = trusted,
    ) -> Intent:
        """Record a trader's yes to exactly that digest, and reserve its value in the day's volume (USDT).

        `confirmed` says that the trader tapped twice. Raises NotSignedIn, NotDecidable, TRADING_HALTED,
        NeedsSecondTap, OverDailyVolume, UNKNOWN_INTENT. Repeating one's own decision answers the first.
        """
        now = from_ms(to_ms(self._clock()))  # as it is stored, and as the expiry is
        decision = Decision(by=trader, at=now, approved=True)

        def transaction(connection: Connection) -> Intent:
            standing(connection)
            intent, repeated = self._decidable(connection, intent_id, digest, decision)
            if repeated:
                return intent
            self._halts.require_open(connection, is_exit=intent.is_exit, what_happened=STILL_WAITS)
            if not confirmed and (
                intent.card.get("second_tap") or find_earlier_equal(connection, intent, now - EQUAL_WITHIN)
            ):
                raise NeedsSecondTap(intent_id)
            if not intent.is_exit and intent.value_usdt != 0:  # no leverage, no cancel adds to a full day
                self._require_volume(connection, intent, now, max_volume)
            return self._decide(connection, intent, State.APPROVED, decision)

        return await self._record(transaction)

    async def reject(
        self,
        intent_id: str,
        digest: str,
        trader: str,
        reason: str | None,
        suggestion: Suggestion,
        *,
        standing: Standing = trusted,
    ) -> Intent:
        """Record a trader's no. Raises NotSignedIn, NotDecidable, UNKNOWN_INTENT."""
        now = from_ms(to_ms(self._clock()))
        decision = Decision(by=trader, at=now, approved=False, reason=reason, suggestion=suggestion)

        def transaction(connection: Connection) -> Intent:
            standing(connection)
            intent, repeated = self._decidable(connection, intent_id, digest, decision)
            return intent if repeated else self._decide(connection, intent, State.REJECTED, decision)

        return await self._record(transaction)

    async def withdraw(self, intent_id: str, agent: str) -> Intent:
        """By the agent that asked. Raises UNKNOWN_INTENT, NOT_PENDING; withdrawing twice is fine."""

        def transaction(connection: Connection) -> Intent:
            self._expire_due(connection)
            intent = find(connection, intent_id, agent)
            if intent.state is State.WITHDRAWN:
                return intent
            if intent.state is not State.PENDING:
                raise BrokerError(
                    Code.NOT_PENDING,
                    f"The intent is {intent.state}, so it cannot be withdrawn.",
                    details={"intentId": intent.id, "status": str(intent.state)},
                    next_step={"tool": "intent_get", "arguments": {"intentId": intent.id}},
                )
            why = Why(Reason.WITHDRAWN_BY_AGENT)
            return self._moves.move(connection, intent, State.WITHDRAWN, f"agent:{agent}", why)

        return await self._database.write(transaction)

    async def expire_due(self) -> None:
        """Expire what nobody decided in time."""
        await self._database.write(self._expire_due)

    # -- within one transaction

    def _park(self, connection: Connection, request: Request, max_pending: int | None) -> Parked:
        self._expire_due(connection)
        agent = self._agents.named(connection, request.agent)
        if request.idempotency_key is not None:
            earlier = find_by_key(connection, request.agent, request.tool, request.idempotency_key)
            if earlier is not None and not _the_same(earlier, request):
                raise idempotency_conflict(earlier)
        else:
            earlier = find_equal_pending(connection, request.agent, request.equality)
        if earlier is not None:
            return Parked(earlier, deduplicated=True)
        agent.require(request.tool, request.arguments.get("symbol"))  # of now: it asked a while ago
        self._halts.require_open(connection, is_exit=request.is_exit, what_happened=NOT_PARKED)
        self._require_room(connection, request.agent, agent.max_pending, max_pending)
        intent = self._new(request)
        connection.execute(insert(intents), to_row(intent))
        self._moves.log.append(
            connection,
            at=intent.created_at,
            kind="intent:parked",
            actor=f"agent:{intent.agent}",
            intent_id=intent.id,
            data={
                "tool": intent.tool,
                "asked": dict(intent.asked),
                "canonical": intent.canonical,
                "digest": intent.digest,
                "summary": intent.summary,
                "card": dict(intent.card),
                "reason": intent.reason,
            },
        )
        same = find_earlier_equal(connection, intent, intent.created_at - EQUAL_WITHIN)
        return Parked(intent, deduplicated=False, earlier=same)

    def _require_room(self, connection: Connection, agent: str, *limits: int | None) -> None:
        allowed = min((limit for limit in limits if limit is not None), default=None)
        pending = count_pending_of(connection, agent)
        if allowed is not None and pending >= allowed:
            raise BrokerError(
                Code.TOO_MANY_PENDING,
                f"{pending} of your requests wait already, and at most {allowed} may. {NOT_PARKED}",
                details={"pending": pending, "allowed": allowed},
                next_step={"tool": "intent_list", "arguments": {"status": str(State.PENDING)}},
            )

    def _require_volume(
        self, connection: Connection, intent: Intent, now: datetime, max_volume: Decimal
    ) -> None:
        """The broker's limit on all, and the agent's own on its own. Raises OverDailyVolume."""
        own = self._agents.named(connection, intent.agent).max_daily_volume_usdt
        for limit, agent in ((max_volume, None), (own, intent.agent)):
            if limit is None:
                continue
            used = daily_volume(connection, now, agent=agent)
            if intent.value_usdt is None or used + intent.value_usdt > limit:
                raise OverDailyVolume(intent, used, limit, own=agent is not None)

    def _new(self, request: Request) -> Intent:
        now = from_ms(to_ms(self._clock()))
        expires_at = now + timedelta(seconds=request.ttl_seconds)
        text = canonical_text(request, expires_at)
        return Intent(
            id=new_id(now, self._random(10)),
            agent=request.agent,
            tool=request.tool,
            state=State.PENDING,
            market=request.market,
            asked=request.asked,
            arguments=request.arguments,
            canonical=text,
            digest=digest_of(text),
            equality=request.equality,
            summary=request.summary,
            card=request.card,
            reason=request.reason,
            idempotency_key=request.idempotency_key,
            ttl_seconds=request.ttl_seconds,
            is_exit=request.is_exit,
            value_usdt=request.value_usdt,
            created_at=now,
            expires_at=expires_at,
            updated_at=now,
        )

    async def _record(self, transaction: Transaction[Intent]) -> Intent:
        """A decision that comes too late first records the expiry that it met, and then shows it."""
        try:
            return await self._database.write(transaction)
        except NotDecidable as late:
            await self.expire_due()
            intent_id = late.intent.id
            raise NotDecidable(
                await self._database.read(lambda connection: find(connection, intent_id))
            ) from None

    def _decidable(
        self, connection: Connection, intent_id: str, digest: str, decision: Decision
    ) -> tuple[Intent, bool]:
        """The intent, and whether this decision only repeats the one that stands."""
        intent = find(connection, intent_id)
        if intent.digest == digest:
            if intent.state is State.PENDING and intent.expires_at > decision.at:
                return intent, False
            first = intent.decision
            if first and (first.by, first.approved) == (decision.by, decision.approved):
                return intent, True
        raise NotDecidable(intent)

    def _decide(self, connection: Connection, intent: Intent, to: State, decision: Decision) -> Intent:
        suggestion = decision.suggestion
        return self._moves.move(
            connection,
            intent,
            to,
            f"trader:{decision.by}",
            None if decision.approved else Why(Reason.REJECTED_BY_TRADER),
            columns={**decision_columns(decision), **(_as_shown(intent) if decision.approved else {})},
            data={
                "digest": intent.digest,
                "reason": decision.reason,
                "suggestedAmount": None if suggestion.amount is None else plain(suggestion.amount),
                "suggestedPrice": None if suggestion.price is None else plain(suggestion.price),
            },
            where=(intents.c.digest == intent.digest, intents.c.expires_at > to_ms(decision.at)),
        )

    def _expire_due(self, connection: Connection) -> None:
        for intent in due(connection, self._clock()):
            self._moves.move(connection, intent, State.EXPIRED, "broker", Why(Reason.NO_DECISION))


def _as_shown(intent: Intent) -> dict[str, str | None]:
    """Why it waits again stays with the approval: the last check compares it with what was sealed."""
    return {"reason_code": intent.reason_code, "note": intent.note}


def _the_same(earlier: Intent, request: Request) -> bool:
    """What a tool reads for itself may have changed between two calls that asked for the same."""
    return earlier.equality == request.equality or earlier.asked == request.asked


def idempotency_conflict(earlier: Intent) -> BrokerError:
    return BrokerError(
        Code.IDEMPOTENCY_CONFLICT,
        "This idempotencyKey was used before with other arguments. Use a new key for a new action.",
        details={"intentId": earlier.id, "asked": dict(earlier.asked)},
        next_step={"tool": "intent_get", "arguments": {"intentId": earlier.id}},
    )
