"""Parking, approving, rejecting, withdrawing and expiring intents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import Connection, insert

from ..clock import Randomness, from_ms, to_ms
from ..errors import BrokerError, Code
from ..events import EventKind
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
    find_any,
    find_by_key,
    find_earlier_equal,
    find_equal_pending,
    find_own,
)
from .rows import decision_columns, to_row
from .session_guard import Standing
from .tables import intents
from .transitions import Transitions

NOT_PARKED = "Nothing was parked."
STILL_WAITS = "Not approved: the request still waits."

EQUAL_WITHIN = timedelta(minutes=10)
"""Approving an equal request within this time needs a second tap."""


@dataclass(frozen=True)
class Parked:
    """A parked intent. `earlier` is an equal request that was made shortly before."""

    intent: Intent
    deduplicated: bool
    earlier: Intent | None = None


class NotDecidable(Exception):
    """Too late, decided by someone else, or another digest. `intent` is its current state."""

    def __init__(self, intent: Intent) -> None:
        super().__init__(intent.id)
        self.intent = intent


class OverDailyVolume(Exception):
    """Approving would exceed the daily volume limit of the broker, or of the agent (`own`).

    The intent stays pending.
    """

    def __init__(self, intent: Intent, used: Decimal, limit: Decimal, *, own: bool = False) -> None:
        super().__init__(intent.id)
        self.intent, self.used, self.limit, self.own = intent, used, limit, own


class NeedsSecondTap(Exception):
    """A second tap is needed: the card asks for it, or an equal request was made shortly before."""


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

    async def park(self, request: Request, *, max_pending: int) -> Parked:
        """Store a checked request as pending, or return the intent that it repeats.

        `max_pending` limits the pending requests of each agent; the agent's own limit may be lower.

        Raises IDEMPOTENCY_CONFLICT, TRADING_HALTED, TOO_MANY_PENDING; and UNAUTHORIZED, TOOL_NOT_ALLOWED or
        SYMBOL_NOT_ALLOWED if the agent has lost that right meanwhile.
        """
        return await self._database.write(lambda connection: self._park(connection, request, max_pending))

    async def approve(
        self,
        intent_id: str,
        digest: str,
        trader: str,
        max_volume: Decimal,
        *,
        confirmed: bool,
        standing: Standing,
    ) -> Intent:
        """Approve the intent with exactly that digest, and reserve its value in the daily volume (USDT).

        `confirmed`: the trader tapped twice. A trader's repeated approval returns the intent unchanged.

        Raises NotSignedIn, NotDecidable, TRADING_HALTED, NeedsSecondTap, OverDailyVolume, UNKNOWN_INTENT.
        """
        now = from_ms(to_ms(self._clock()))  # in whole milliseconds, as stored
        decision = Decision(by=trader, at=now, approved=True)

        def transaction(connection: Connection) -> Intent:
            standing(connection)
            intent, repeated = self._decidable(connection, intent_id, digest, decision)
            if repeated:
                return intent
            self._halts.require_open(connection, is_exit=intent.is_exit, what_happened=STILL_WAITS)
            if not confirmed and (
                intent.card.second_tap or find_earlier_equal(connection, intent, now - EQUAL_WITHIN)
            ):
                raise NeedsSecondTap(intent_id)
            if not intent.is_exit and intent.value_usdt != 0:  # leverage changes and cancels add no volume
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
        standing: Standing,
    ) -> Intent:
        """Record a rejection. Raises NotSignedIn, NotDecidable, UNKNOWN_INTENT."""
        now = from_ms(to_ms(self._clock()))
        decision = Decision(by=trader, at=now, approved=False, reason=reason, suggestion=suggestion)

        def transaction(connection: Connection) -> Intent:
            standing(connection)
            intent, repeated = self._decidable(connection, intent_id, digest, decision)
            return intent if repeated else self._decide(connection, intent, State.REJECTED, decision)

        return await self._record(transaction)

    async def withdraw(self, intent_id: str, agent: str) -> Intent:
        """Withdraw an agent's own request. Idempotent. Raises UNKNOWN_INTENT, NOT_PENDING."""

        def transaction(connection: Connection) -> Intent:
            self._expire_due(connection)
            intent = find_own(connection, intent_id, agent)
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
        """Expire the pending intents whose time is up."""
        await self._database.write(self._expire_due)

    # -- within one transaction

    def _park(self, connection: Connection, request: Request, max_pending: int) -> Parked:
        self._expire_due(connection)
        agent = self._agents.named(connection, request.agent)
        if request.idempotency_key is not None:
            earlier = find_by_key(connection, request.agent, request.tool, request.idempotency_key)
            if earlier is not None and not _asks_the_same(earlier, request):
                raise idempotency_conflict(earlier)
        else:
            earlier = find_equal_pending(connection, request.agent, request.equality)
        if earlier is not None:
            return Parked(earlier, deduplicated=True)
        agent.require(request.tool, request.arguments.symbol)  # its current rights: the checks took time
        self._halts.require_open(connection, is_exit=request.is_exit, what_happened=NOT_PARKED)
        allowed = max_pending if agent.max_pending is None else min(agent.max_pending, max_pending)
        self._require_room(connection, request.agent, allowed)
        intent = self._new(request)
        connection.execute(insert(intents), to_row(intent))
        self._moves.log.append(
            connection,
            at=intent.created_at,
            kind=EventKind.INTENT_PARKED,
            actor=f"agent:{intent.agent}",
            intent_id=intent.id,
            data={
                "tool": intent.tool,
                "asked": dict(intent.asked),
                "canonical": intent.canonical,
                "digest": intent.digest,
                "summary": intent.summary,
                "card": intent.card.stored(),
                "reason": intent.reason,
            },
        )
        same = find_earlier_equal(connection, intent, intent.created_at - EQUAL_WITHIN)
        return Parked(intent, deduplicated=False, earlier=same)

    def _require_room(self, connection: Connection, agent: str, allowed: int) -> None:
        pending = count_pending_of(connection, agent)
        if pending >= allowed:
            raise BrokerError(
                Code.TOO_MANY_PENDING,
                f"{pending} of your requests are already pending; the limit is {allowed}. {NOT_PARKED}",
                details={"pending": pending, "allowed": allowed},
                next_step={"tool": "intent_list", "arguments": {"status": str(State.PENDING)}},
            )

    def _require_volume(
        self, connection: Connection, intent: Intent, now: datetime, max_volume: Decimal
    ) -> None:
        """Check the broker's daily limit and the agent's own. Raises OverDailyVolume."""
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
        """Record a decision. If it is too late, expire the intent before raising NotDecidable."""
        try:
            return await self._database.write(transaction)
        except NotDecidable as late:
            await self.expire_due()
            intent_id = late.intent.id
            raise NotDecidable(
                await self._database.read(lambda connection: find_any(connection, intent_id))
            ) from None

    def _decidable(
        self, connection: Connection, intent_id: str, digest: str, decision: Decision
    ) -> tuple[Intent, bool]:
        """The intent, and whether this decision repeats an earlier one of the same trader."""
        intent = find_any(connection, intent_id)
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
            columns={**decision_columns(decision), **(_reason_columns(intent) if decision.approved else {})},
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


def _reason_columns(intent: Intent) -> dict[str, str | None]:
    """Keep the reason why it was shown again: the check before sending compares it with the audit row."""
    return {"reason_code": intent.reason_code, "note": intent.note}


def _asks_the_same(earlier: Intent, request: Request) -> bool:
    """Compares `asked` too: figures that a tool reads itself may differ between two equal calls."""
    return earlier.equality == request.equality or earlier.asked == request.asked


def idempotency_conflict(earlier: Intent) -> BrokerError:
    return BrokerError(
        Code.IDEMPOTENCY_CONFLICT,
        "This idempotencyKey was used before with other arguments. Use a new key for a new action.",
        details={"intentId": earlier.id, "asked": dict(earlier.asked)},
        next_step={"tool": "intent_get", "arguments": {"intentId": earlier.id}},
    )
