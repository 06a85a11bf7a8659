"""Approved → the one POST.

What is sent is built from the canonical text that was approved, and from nothing else. All that a look-up
needs is on disk before the POST, and no path here sends twice.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import count

from .agents import Agent
from .clock import Clock, from_ms, to_ms
from .errors import BrokerError, Code
from .exchange import Exchange, OrderState, Sent, Verdict, found_time_wrong
from .intents import Intent, State, client_order_id, digest_of
from .logs import get_logger
from .reasons import Reason, Why, of_error
from .settings import Settings
from .store import Moved, NotApproved, Store, queries
from .tools import HIGH, Assessment, Context, HighTool, order_json
from .account_lock import Turns

SWEEP_SECONDS = 1.0
CLOCK_SLACK = timedelta(seconds=1)
RETRY_SECONDS = 0.5
TRADES_SECONDS = 1.0
GRACE_SECONDS = 1.5
"""How long a stopping broker waits for answers; what is still open is `unknown` at the next start."""

log = get_logger(__name__)


PASSING = frozenset(
    {Code.BINANCE_UNAVAILABLE, Code.BINANCE_TIMEOUT, Code.RATE_LIMITED, Code.STORE_UNAVAILABLE}
)
"""Troubles that may be over before the approval is too old."""


class _Unfit(Exception):
    """Must not be sent any more, and was not."""

    def __init__(self, reason: Reason, note: str) -> None:
        super().__init__(note)
        self.reason, self.note = reason, note


class Executor:
    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        exchange: Exchange,
        clock: Clock,
        permit: Callable[[], None] = lambda: None,
    ) -> None:
        """`permit` raises BrokerError while nothing may be sent at all."""
        self._settings = settings
        self._store = store
        self._exchange = exchange
        self._clock = clock
        self._permit = permit
        self._context = Context(settings=settings, store=store, exchange=exchange, clock=clock)
        self._accounts: defaultdict[str, Turns] = defaultdict(Turns)
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._troubles: dict[str, str] = {}
        self._validity = timedelta(seconds=settings.approval_validity_seconds)
        self._since = from_ms(to_ms(clock()))
        self.healthy = False

    def take(self, intent: Intent) -> None:
        """Submit an approved intent. One from before this process may have been sent already, whatever the
        database says: it may have been put back.
        """
        if intent.state is State.APPROVED:
            self._start(intent, look_first=intent.created_at < self._since)

    async def run(self) -> None:
        """Take what was approved before this process started, or could not start at once; until cancelled."""
        try:
            while True:
                await self._sweep()
                await asyncio.sleep(SWEEP_SECONDS)
        finally:
            self.healthy = False
            await self._finish()

    async def _sweep(self) -> None:
        troubled = set(self._troubles)
        try:
            found = await self._store.read(lambda connection: queries.in_states(connection, {State.APPROVED}))
        except BrokerError as error:
            self.healthy = False  # the store logs it, once
            log.debug("executor: the database cannot be read", error=error.message)
            return
        except Exception:  # it goes on: what is being sent now must not be given up
            self.healthy = False
            log.exception("executor: what is approved cannot be read")
            return
        self.healthy = True
        for gone in troubled - {intent.id for intent in found}:  # halted, or restored, meanwhile
            self._troubles.pop(gone, None)
        for intent in found:
            self._start(intent, look_first=True)

    def _start(self, intent: Intent, *, look_first: bool) -> None:
        if intent.id in self._under_way:
            return
        task = asyncio.create_task(self._execute(intent, look_first))
        self._under_way[intent.id] = task
        task.add_done_callback(partial(self._ended, intent.id))

    def _ended(self, intent_id: str, task: asyncio.Task[None]) -> None:
        del self._under_way[intent_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("executor: left as it was", intent=intent_id, exc_info=error)

    def submitting(self, intent_id: str) -> bool:
        """Whether its answer is still waited for here: nobody else may conclude anything yet."""
        return intent_id in self._under_way

    async def _finish(self) -> None:
        tasks = list(self._under_way.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=GRACE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _execute(self, intent: Intent, look_first: bool) -> None:
        before = self._troubles.pop(intent.id, None)
        try:
            await self._submit(intent, look_first)
        except _Unfit as unfit:
            note = unfit.note if before is None else f"{unfit.note}; {before}"
            await self._put_away(intent, Why(unfit.reason, note))
        except Moved:
            log.warning("executor: somebody else moved the intent", intent=intent.id)
        except BrokerError as error:
            trouble = error.message.removesuffix(".")
            if error.code not in PASSING and not found_time_wrong(error):
                await self._put_away(intent, Why(of_error(error.code), trouble))
                return
            # Nothing was sent: the sweep tries again until the approval is too old.
            self._troubles[intent.id] = trouble
            if trouble != before:
                log.warning("executor: not sent yet", intent=intent.id, error=error.message)
        except Exception:
            log.exception("executor: failed", intent=intent.id)
            await self._leave_to_the_reconciler(intent)

    async def _put_away(self, intent: Intent, why: Why) -> None:
        """If the database can't take it, the sweep comes by again."""
        with suppress(Moved, BrokerError):
            await self._store.submissions.settle(intent, State.NOT_SENT, actor="executor", why=why)

    async def _leave_to_the_reconciler(self, intent: Intent) -> None:
        """An error of our own after the commit: the order may be at Binance all the same."""
        begun = replace(intent, state=State.SUBMITTING)
        why = Why(Reason.BROKER_ERROR, "an error of the broker's own, now in its log")
        with suppress(Moved, BrokerError):
            await self._store.submissions.settle(begun, State.UNKNOWN, actor="executor", why=why)

    async def _submit(self, intent: Intent, look_first: bool) -> None:
        """Raises _Unfit for what must not be sent, BrokerError for what cannot be sent yet."""
        self._require_fit(intent)
        self._permit()
        tool, terms = HIGH[intent.tool], intent.terms
        order_id = client_order_id(intent.id)
        await self._exchange.on(terms["market"]).take_budget()
        if look_first and tool.has_own_id and await tool.look_up(self._exchange, terms, order_id):
            why = Why(Reason.FOUND_AT_BINANCE, "an order with this request's id is at Binance already")
            await self._store.submissions.settle(intent, State.UNKNOWN, actor="executor", why=why)
            return
        begun = await self._begin(tool, intent, order_id)
        if begun is not None:
            self._store.database.require_files()  # what was just committed is where the next start finds it
            timestamp = begun.wire_timestamp_ms or 0
            sent = await tool.submit(self._exchange, begun.terms, order_id, timestamp)
            await self._record(begun, sent, await self._explained(tool, begun, sent))

    async def _begin(self, tool: HighTool, intent: Intent, order_id: str) -> Intent | None:
        """All checks again, then the commit; None where the trader has to look again.

        One at a time for each account, so that two approvals never count on the same money; no exit waits
        for the figures of an entry.
        """

        async def check() -> tuple[Context, Assessment]:
            context = replace(self._context, agent=await self._agent_of(intent))
            return context, await tool.reassess(context, intent)

        async def commit(checked: tuple[Context, Assessment]) -> Intent | None:
            return await self._commit(tool, intent, order_id, *checked)

        turns = self._accounts[intent.terms["market"]]
        take_turn = turns.leave if intent.is_exit else turns.enter
        return await take_turn(check, commit)

    async def _commit(
        self, tool: HighTool, intent: Intent, order_id: str, context: Context, now: Assessment
    ) -> Intent | None:
        if changed := _no_exit(intent, now) or tool.changed(intent.terms, now):
            await self._store.submissions.show_anew(intent, tool.anew(context, intent, now), changed)
            return None
        self._require_fit(intent)  # Binance may have taken its time to answer
        venue = self._exchange.on(intent.terms["market"])
        try:
            return await self._store.submissions.begin(
                intent,
                client_order_id=order_id,
                namespace=tool.namespace(intent.terms),
                wire_timestamp_ms=to_ms(self._clock()) + venue.clock_offset_ms,
                approved_since=self._clock() - self._validity - CLOCK_SLACK,
                is_exit=now.is_exit,
                value_usdt=now.value_usdt,
            )
        except NotApproved:
            raise _Unfit(Reason.NOT_APPROVED, "the audit log holds no approval of this request") from None

    async def _agent_of(self, intent: Intent) -> Agent:
        """With the limits of now. Raises UNAUTHORIZED once it is revoked."""
        agent: Agent = await self._store.read(
            lambda connection: self._store.agents.named(connection, intent.agent)
        )
        return agent

    def _require_fit(self, intent: Intent) -> None:
        """Raises _Unfit for an approved intent that must not be sent any more."""
        if intent.decision is None or not intent.decision.approved:
            raise _Unfit(Reason.NOT_APPROVED, "there is no approval on record")
        if digest_of(intent.canonical) != intent.digest:
            raise _Unfit(Reason.REQUEST_ALTERED, "the stored request is not the one that was approved")
        if (intent.terms["mode"], intent.terms["account"]) != (self._settings.mode, self._settings.account):
            raise _Unfit(Reason.OTHER_ACCOUNT, "the request is for another account")
        age = self._clock() - intent.decision.at
        if age < -CLOCK_SLACK:
            raise _Unfit(Reason.CLOCK_SET_BACK, "the clock went back since it was approved")
        if age > self._validity:
            raise _Unfit(
                Reason.APPROVAL_TOO_OLD,
                f"too late to send, approved more than {self._validity.seconds} s before it could start",
            )

    async def _explained(self, tool: HighTool, intent: Intent, sent: Sent) -> str | None:
        """What Binance does not say itself of its refusal; the outcome does not depend on it."""
        if sent.verdict is Verdict.REFUSED:
            with suppress(BrokerError):
                return await tool.explain(self._context, intent, sent)
        return None

    async def _with_trades(self, intent: Intent, order: OrderState) -> OrderState:
        """With fees and profit, where they are told soon; else the reconciler reads them later."""
        with suppress(BrokerError, TimeoutError):
            async with asyncio.timeout(TRADES_SECONDS):
                return await self._exchange.on(intent.market).with_trades(order)
        return order

    async def _record(self, intent: Intent, sent: Sent, explained: str | None) -> None:
        """The answer is known only here until it is on disk, so a database in trouble is waited for."""
        order = None if sent.order is None else await self._with_trades(intent, sent.order)
        for attempt in count():
            try:
                await self._store.submissions.settle(
                    intent,
                    State(sent.verdict),
                    actor="executor" if sent.verdict is Verdict.NOT_SENT else "binance",
                    why=_why(sent, explained),
                    order=None if order is None else order_json(order),
                    data={"http": sent.http, "code": sent.code, "message": sent.message},
                )
                return
            except BrokerError as error:
                if error.code is not Code.STORE_UNAVAILABLE:
                    raise
                if not attempt:
                    log.error("executor: an answer waits for the database", intent=intent.id)
                await asyncio.sleep(RETRY_SECONDS)


def _no_exit(intent: Intent, now: Assessment) -> Why | None:
    """What was approved as an exit passed no limit, and took an exit's turn."""
    if intent.is_exit and not now.is_exit:
        return Why(Reason.NO_LONGER_AN_EXIT, "It is no exit any more")
    return None


def _why(sent: Sent, explained: str | None) -> Why | None:
    match sent.verdict:
        case Verdict.PLACED:
            return None
        case Verdict.REFUSED:
            return Why(Reason.BINANCE_REFUSED, explained or sent.message or sent.reason)
        case Verdict.NOT_SENT:
            return Why(Reason.NOT_SENT, sent.reason)
        case Verdict.UNKNOWN:
            return Why(Reason.NO_ANSWER, sent.reason)
