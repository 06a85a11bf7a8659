"""Submits approved intents: one POST each.

The request is built only from the approved canonical text. Everything needed to look the order up is on disk
before the POST. Nothing is ever sent twice.
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

from .account_lock import AccountLock
from .agents import Agent
from .clock import Clock, from_ms, to_ms
from .errors import BrokerError, Code
from .exchange import Exchange, OrderState, Sent, Verdict, found_time_wrong
from .intents import Intent, State, client_order_id, digest_of
from .logs import get_logger
from .orders.context import Context
from .reasons import Reason, Why, of_error
from .settings import Settings
from .store import Moved, NotApproved, Store, queries
from .tools import HIGH, Assessment, HighTool, order_record

SWEEP_SECONDS = 1.0
CLOCK_SLACK = timedelta(seconds=1)
RETRY_SECONDS = 0.5
TRADES_SECONDS = 1.0
GRACE_SECONDS = 1.5
"""How long a stopping broker waits for answers. What is still open then is `unknown` at the next start."""

log = get_logger(__name__)


RETRIED = frozenset(
    {Code.BINANCE_UNAVAILABLE, Code.BINANCE_TIMEOUT, Code.RATE_LIMITED, Code.STORE_UNAVAILABLE}
)
"""Errors after which the submission is retried until the approval is too old."""


class _MustNotSend(Exception):
    """The intent must not be sent any more. Nothing was sent."""

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
        permit: Callable[[], None],
    ) -> None:
        """`permit` raises BrokerError while nothing may be sent."""
        self._settings = settings
        self._store = store
        self._exchange = exchange
        self._clock = clock
        self._permit = permit
        self._context = Context(settings=settings, store=store, exchange=exchange, clock=clock)
        self._locks: defaultdict[str, AccountLock] = defaultdict(AccountLock)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._last_errors: dict[str, str] = {}
        self._validity = timedelta(seconds=settings.approval_validity_seconds)
        self._started_at = from_ms(to_ms(clock()))
        self.healthy = False

    def take(self, intent: Intent) -> None:
        """Submits an approved intent in a task of its own.

        If the intent is older than this process, Binance is asked for its order first: the database may be a
        restored copy.
        """
        if intent.state is State.APPROVED:
            self._start(intent, look_first=intent.created_at < self._started_at)

    async def run(self) -> None:
        """Submits what was approved before this process started, and retries; until cancelled."""
        try:
            while True:
                await self._sweep()
                await asyncio.sleep(SWEEP_SECONDS)
        finally:
            self.healthy = False
            await self._finish()

    async def _sweep(self) -> None:
        failed = set(self._last_errors)
        try:
            approved = await self._store.read(
                lambda connection: queries.in_states(connection, {State.APPROVED})
            )
        except BrokerError as error:
            self.healthy = False  # the store logs it, once
            log.debug("executor: the database cannot be read", error=error.message)
            return
        except Exception:  # do not stop: submissions in progress would be cancelled
            self.healthy = False
            log.exception("executor: approved intents cannot be read")
            return
        self.healthy = True
        for gone in failed - {intent.id for intent in approved}:  # halted or restored in the meantime
            self._last_errors.pop(gone, None)
        for intent in approved:
            self._start(intent, look_first=True)

    def _start(self, intent: Intent, *, look_first: bool) -> None:
        if intent.id in self._running:
            return
        task = asyncio.create_task(self._execute(intent, look_first))
        self._running[intent.id] = task
        task.add_done_callback(partial(self._ended, intent.id))

    def _ended(self, intent_id: str, task: asyncio.Task[None]) -> None:
        del self._running[intent_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("executor: submission failed, state unchanged", intent=intent_id, exc_info=error)

    def submitting(self, intent_id: str) -> bool:
        """Whether this process is still submitting it. Until then, the reconciler must not settle it."""
        return intent_id in self._running

    async def _finish(self) -> None:
        tasks = list(self._running.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=GRACE_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _execute(self, intent: Intent, look_first: bool) -> None:
        last_error = self._last_errors.pop(intent.id, None)
        try:
            await self._submit(intent, look_first)
        except _MustNotSend as refusal:
            note = refusal.note if last_error is None else f"{refusal.note}; {last_error}"
            await self._settle_not_sent(intent, Why(refusal.reason, note))
        except Moved:
            log.warning("executor: the intent changed its state in the meantime", intent=intent.id)
        except BrokerError as error:
            problem = error.message.removesuffix(".")
            if error.code not in RETRIED and not found_time_wrong(error):
                await self._settle_not_sent(intent, Why(of_error(error.code), problem))
                return
            # Nothing was sent: the sweep retries until the approval is too old.
            self._last_errors[intent.id] = problem
            if problem != last_error:
                log.warning("executor: not sent yet", intent=intent.id, error=error.message)
        except Exception:
            log.exception("executor: failed", intent=intent.id)
            await self._settle_unknown(intent)

    async def _settle_not_sent(self, intent: Intent, why: Why) -> None:
        """If the database cannot be written, the sweep tries again."""
        with suppress(Moved, BrokerError):
            await self._store.submissions.settle(intent, State.NOT_SENT, actor="executor", why=why)

    async def _settle_unknown(self, intent: Intent) -> None:
        """After an internal error: if it came after the commit, the order may be at Binance."""
        begun = replace(intent, state=State.SUBMITTING)
        why = Why(Reason.BROKER_ERROR, "an internal error of the broker; see its log")
        with suppress(Moved, BrokerError):
            await self._store.submissions.settle(begun, State.UNKNOWN, actor="executor", why=why)

    async def _submit(self, intent: Intent, look_first: bool) -> None:
        """Raises _MustNotSend, or BrokerError if it cannot be sent yet."""
        self._require_sendable(intent)
        self._permit()
        tool, terms = HIGH[intent.tool], intent.terms
        order_id = client_order_id(intent.id)
        await self._exchange.on(terms.market).take_budget()
        if look_first and tool.has_own_id and await tool.look_up(self._exchange, terms, order_id):
            why = Why(Reason.FOUND_AT_BINANCE, "Binance already has an order with this request's id")
            await self._store.submissions.settle(intent, State.UNKNOWN, actor="executor", why=why)
            return
        begun = await self._begin(tool, intent, order_id)
        if begun is not None:
            self._store.database.require_files()  # the next start must find what was just committed
            timestamp = begun.wire_timestamp_ms or 0
            sent = await tool.submit(self._exchange, terms, order_id, timestamp)
            await self._record(begun, sent, await self._explanation(tool, begun, sent))

    async def _begin(self, tool: HighTool, intent: Intent, order_id: str) -> Intent | None:
        """Repeats all checks, then commits the submission. Returns None if the trader must approve again.

        The account lock keeps two approvals from counting on the same money.
        """

        async def check() -> Assessment:
            return await tool.reassess(self._context.of(await self._agent_of(intent)), intent)

        async def commit(now: Assessment) -> Intent | None:
            return await self._commit(tool, intent, order_id, now)

        lock = self._locks[intent.terms.market]
        run_locked = lock.run_exit if intent.is_exit else lock.run_entry
        return await run_locked(check, commit)

    async def _commit(self, tool: HighTool, intent: Intent, order_id: str, now: Assessment) -> Intent | None:
        if changed := _no_longer_exit(intent, now) or tool.changed(intent.terms, now):
            await self._store.submissions.show_anew(intent, tool.anew(self._context, intent, now), changed)
            return None
        self._require_sendable(intent)  # again: the checks may have taken long
        venue = self._exchange.on(intent.terms.market)
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
            raise _MustNotSend(Reason.NOT_APPROVED, "the audit log has no approval of this request") from None

    async def _agent_of(self, intent: Intent) -> Agent:
        """The agent with its current limits. Raises UNAUTHORIZED if it was revoked."""
        return await self._store.read(lambda connection: self._store.agents.named(connection, intent.agent))

    def _require_sendable(self, intent: Intent) -> None:
        """Raises _MustNotSend for an approved intent that must not be sent any more."""
        if intent.decision is None or not intent.decision.approved:
            raise _MustNotSend(Reason.NOT_APPROVED, "there is no approval on record")
        if digest_of(intent.canonical) != intent.digest:
            raise _MustNotSend(
                Reason.REQUEST_ALTERED, "the stored request differs from the one that was approved"
            )
        try:
            terms = intent.terms
        except ValueError:
            raise _MustNotSend(Reason.CHECK_FAILED, "this release cannot read the approved request") from None
        if (terms.mode, terms.account) != (self._settings.mode, self._settings.account):
            raise _MustNotSend(Reason.OTHER_ACCOUNT, "the request is for another account")
        age = self._clock() - intent.decision.at
        if age < -CLOCK_SLACK:
            raise _MustNotSend(Reason.CLOCK_SET_BACK, "the broker's clock was set back after the approval")
        if age > self._validity:
            raise _MustNotSend(
                Reason.APPROVAL_TOO_OLD,
                f"the approval is too old: it could not be sent within {self._validity.seconds} s",
            )

    async def _explanation(self, tool: HighTool, intent: Intent, sent: Sent) -> str | None:
        """The tool's explanation of a refusal by Binance, if it has one."""
        if sent.verdict is Verdict.REFUSED:
            with suppress(BrokerError):
                return await tool.explain(self._context, intent, sent)
        return None

    async def _with_trades(self, intent: Intent, order: OrderState) -> OrderState:
        """Adds fees and P&L if Binance returns them in time. Otherwise the reconciler reads them later."""
        with suppress(BrokerError, TimeoutError):
            async with asyncio.timeout(TRADES_SECONDS):
                return await self._exchange.on(intent.market).with_trades(order)
        return order

    async def _record(self, intent: Intent, sent: Sent, explanation: str | None) -> None:
        """Retries until the database can be written: until then, only this task knows the answer."""
        order = None if sent.order is None else await self._with_trades(intent, sent.order)
        for attempt in count():
            try:
                await self._store.submissions.settle(
                    intent,
                    State(sent.verdict),
                    actor="executor" if sent.verdict is Verdict.NOT_SENT else "binance",
                    why=_why(sent, explanation),
                    order=None if order is None else order_record(order),
                    data={"http": sent.http, "code": sent.code, "message": sent.message},
                )
                return
            except BrokerError as error:
                if error.code is not Code.STORE_UNAVAILABLE:
                    raise
                if not attempt:
                    log.error("executor: Binance's answer cannot be recorded yet; retrying", intent=intent.id)
                await asyncio.sleep(RETRY_SECONDS)


def _no_longer_exit(intent: Intent, now: Assessment) -> Why | None:
    """A request that was approved as an exit but now is an entry must be approved again."""
    if intent.is_exit and not now.is_exit:
        return Why(Reason.NO_LONGER_AN_EXIT, "It is no longer an exit")
    return None


def _why(sent: Sent, explanation: str | None) -> Why | None:
    match sent.verdict:
        case Verdict.PLACED:
            return None
        case Verdict.REFUSED:
            return Why(Reason.BINANCE_REFUSED, explanation or sent.message or sent.reason)
        case Verdict.NOT_SENT:
            return Why(Reason.NOT_SENT, sent.reason)
        case Verdict.UNKNOWN:
            return Why(Reason.NO_ANSWER, sent.reason)
