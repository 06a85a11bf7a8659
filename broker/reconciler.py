"""Settles unknown intents and follows placed orders. It asks Binance, and never sends anything again."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .errors import BrokerError, Code
from .exchange import FOLLOW_PCT, Exchange, OrderState, RestingOrder, leaving_room
from .intents import OURS, Intent, State, client_order_id, horizon_ms
from .logs import get_logger
from .order_record import OrderRecord
from .reasons import Reason, Why, uncertain
from .store import Moved, Store, queries
from .tools import HIGH, Found, order_record

PASS_SECONDS = 1.0
"""Between two passes over unknown intents, and at least between two passes over open orders."""

FOLLOW_SECONDS = 2.0
"""Between two passes over open orders without order updates: one request per symbol (weight 6)."""

MOMENT_SECONDS = 0.05
"""Pause after an order update, so that a burst of updates causes one pass."""

ENOUGH_NOT_FOUNDS = 2
MOST_PASSES = 1800
"""Passes between two look-ups of a lost order: at most an hour."""

log = get_logger(__name__)


class Lost:
    """Orders for which Binance has no answer now, by client order id: placed orders after a reset of its
    testnet, orders without fees yet, or what it cannot prove. The reconciler asks for them less and less
    often, to save request weight.
    """

    def __init__(self) -> None:
        self._misses: dict[str, int] = {}
        self._passes: dict[str, int] = {}

    def missed(self, order_id: str) -> None:
        misses = self._misses[order_id] = self._misses.get(order_id, 0) + 1
        self._passes[order_id] = min(2**misses, MOST_PASSES)

    def ask_now(self, order_id: str) -> None:
        """Asks in the next pass, after an order update. The count of misses stays."""
        self._passes.pop(order_id, None)

    def keep(self, order_ids: Collection[str]) -> None:
        """Forgets all other orders."""
        for kept in (self._misses, self._passes):
            for gone in kept.keys() - order_ids:
                del kept[gone]

    def rests(self, order_id: str) -> bool:
        """Whether to skip the order in this pass. Counts the pass."""
        remaining = self._passes.get(order_id, 0)
        if remaining:
            self._passes[order_id] = remaining - 1
        return remaining > 0


@dataclass(frozen=True)
class Truth:
    """The outcome of a submission according to Binance."""

    state: State
    why: Why | None = None
    order: OrderState | None = None

    @property
    def proves(self) -> bool:
        """Whether it can confirm or contradict a trader's manual resolution."""
        return self.why is None or self.why.reason is not Reason.UNCERTAIN


class ServerTimes:
    """Binance's server times. Each market's is read once per pass, before the orders are."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._read: dict[str, int] = {}

    async def on(self, market: str) -> int:
        """The market's server time in UTC milliseconds. Raises BrokerError."""
        if market not in self._read:
            self._read[market] = await self._exchange.on(market).server_time_ms()
        return self._read[market]


class Reconciler:
    """`submitting` tells whether this process still submits an intent."""

    def __init__(self, *, store: Store, exchange: Exchange, submitting: Callable[[str], bool]) -> None:
        self._store = store
        self._exchange = exchange
        self._submitting = submitting
        self._lost = Lost()
        self._unproved = Lost()
        self._order_updated = asyncio.Event()
        exchange.order_news(self._on_order_update)

    async def adopt(self) -> None:
        """Moves to unknown what another process was submitting when it died."""
        for intent in await self._in_state(State.SUBMITTING):
            if not self._submitting(intent.id):
                why = Why(Reason.BROKER_STOPPED, "the broker stopped before Binance's answer was recorded")
                await self._guarded(
                    self._store.submissions.settle(intent, State.UNKNOWN, actor="reconciler", why=why)
                )

    async def run(self) -> None:
        """Runs until cancelled. Leaves request weight for exits."""
        with leaving_room(FOLLOW_PCT):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._keep_settling())
                tasks.create_task(self._keep_following())

    async def _keep_settling(self) -> None:
        """In fixed intervals: two not-founds in a row must be a pass apart."""
        while True:
            await self._guarded(self.adopt())
            await self._guarded(self.settle_unknown())
            await self._guarded(self.check_words())
            await asyncio.sleep(PASS_SECONDS)

    async def _keep_following(self) -> None:
        """In intervals, and earlier after an order update. Many updates cause one pass: an order may fill in
        a hundred parts.
        """
        while True:
            self._order_updated.clear()
            await self._guarded(self.follow_placed())
            await asyncio.sleep(PASS_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(FOLLOW_SECONDS - PASS_SECONDS):
                    await self._order_updated.wait()
                    await asyncio.sleep(MOMENT_SECONDS)

    def _on_order_update(self, market: str, client_order_id: str) -> None:
        """Only wakes the follower, which then asks Binance. Ignores orders of other programs."""
        if not client_order_id or client_order_id.startswith(OURS):
            self._lost.ask_now(client_order_id)
            self._order_updated.set()

    async def settle_unknown(self) -> None:
        now = ServerTimes(self._exchange)
        for intent in await self._in_state(State.UNKNOWN):
            await self._guarded(self._settle(intent, now))

    async def settle(self, intent: Intent) -> None:
        """Asks Binance now about one unknown intent. Raises BrokerError if that fails."""
        await self._settle(intent, ServerTimes(self._exchange), alone=True)

    async def _settle(self, intent: Intent, now: ServerTimes, *, alone: bool = False) -> None:
        truth = await self._truth(intent, now, alone=alone)
        if truth is not None:
            await self._store.submissions.settle(
                intent, truth.state, actor="reconciler", why=truth.why, order=_order_of(truth)
            )

    async def check_words(self) -> None:
        """Compares the traders' manual resolutions with Binance."""
        now = ServerTimes(self._exchange)
        recorded = await self._store.read(queries.recorded)
        self._unproved.keep({client_order_id(intent.id) for intent in recorded})
        for intent in recorded:
            if not self._unproved.rests(client_order_id(intent.id)):
                await self._guarded(self._check_resolution(intent, now))

    async def _check_resolution(self, intent: Intent, now: ServerTimes) -> None:
        truth = await self._truth(intent, now)
        if truth is not None and not truth.proves:
            self._unproved.missed(client_order_id(intent.id))
        elif truth is not None:
            await self._store.submissions.check_word(intent, truth.state, truth.why, _order_of(truth))

    async def follow_placed(self) -> None:
        """Updates placed orders. One request per symbol lists the open orders; only orders that are missing
        or changed there are looked up.
        """
        by_symbol: dict[tuple[str, str], list[Intent]] = defaultdict(list)
        followed = await self._store.read(queries.followed)
        for intent in followed:
            by_symbol[intent.market, intent.arguments.symbol].append(intent)
        self._lost.keep({client_order_id(intent.id) for intent in followed})
        self._exchange.watch_orders(any(not intent.order_is_final for intent in followed))
        for (market, symbol), intents in by_symbol.items():
            await self._guarded(self._follow(market, symbol, intents))

    async def _truth(self, intent: Intent, now: ServerTimes, *, alone: bool = False) -> Truth | None:
        """None while the outcome is not certain. A look-up between two passes (`alone`) counts no not-found:
        Binance's answers may lag, so two not-founds must be a pass apart.
        """
        now_ms = await now.on(intent.market)
        certain = now_ms > horizon_ms(intent, self._exchange.on(intent.market).clock_offset_ms)
        if not certain and not HIGH[intent.tool].found_is_final:
            return None
        found = await self._look_up(intent)
        if found is not None:
            return await self._found(intent, found)
        if not certain or alone:
            return None
        if intent.not_founds + 1 < ENOUGH_NOT_FOUNDS:
            await self._store.submissions.count_not_found(intent)
            return None
        return await self._found(intent, await HIGH[intent.tool].not_found(self._exchange, intent.terms))

    async def _found(self, intent: Intent, found: Found) -> Truth:
        order = found.order
        if not found.done:
            return Truth(State.NOT_SENT, found.why)
        if intent.decision is None and not HIGH[intent.tool].has_own_id:
            return Truth(State.NOT_SENT, uncertain("a backup from before its approval was restored"))
        if order is None:
            return Truth(State.PLACED, found.why)
        if order.status == "rejected":
            return Truth(State.REFUSED, Why(Reason.BINANCE_REFUSED, "Binance rejected the order"), order)
        with suppress(BrokerError):  # settle it even if its fees cannot be read yet
            order = await self._exchange.on(intent.market).with_trades(order)
        return Truth(State.PLACED, found.why, order)

    async def _follow(self, market: str, symbol: str, intents: Sequence[Intent]) -> None:
        venue = self._exchange.on(market)
        resting = {order.client_order_id: order for order in await venue.open_orders(symbol)}
        for intent in intents:
            if not _unchanged(intent, resting.get(client_order_id(intent.id))):
                await self._guarded(self._follow_one(intent))

    async def _follow_one(self, intent: Intent) -> None:
        order_id = client_order_id(intent.id)
        if self._lost.rests(order_id):
            return
        try:
            found = await self._look_up(intent)
        except BrokerError as error:
            if error.code is Code.BINANCE_REFUSED:  # for example, Binance has archived the order
                self._lost.missed(order_id)
            raise
        if found is None or found.order is None:
            self._lost.missed(order_id)
            return
        order = order_record(await self._exchange.on(intent.market).with_trades(found.order))
        if order != intent.order:
            await self._store.submissions.follow(intent, order)
        elif intent.order_is_final:  # only its fees are missing, which Binance does not list yet
            self._lost.missed(order_id)

    async def _look_up(self, intent: Intent) -> Found | None:
        return await HIGH[intent.tool].look_up(self._exchange, intent.terms, client_order_id(intent.id))

    async def _in_state(self, state: State) -> Sequence[Intent]:
        return await self._store.read(lambda connection: queries.in_states(connection, {state}))

    async def _guarded(self, work: Any) -> None:
        """Logs errors, so that one intent's error does not stop the others."""
        try:
            await work
        except Moved:
            pass
        except BrokerError as error:
            logged_by_store = error.code is Code.STORE_UNAVAILABLE
            write = log.debug if logged_by_store else log.warning
            write("reconciler: will ask again later", error=error.message)
        except Exception:
            log.exception("reconciler: failed")


def _order_of(truth: Truth) -> OrderRecord | None:
    return None if truth.order is None else order_record(truth.order)


def _unchanged(intent: Intent, resting: RestingOrder | None) -> bool:
    if resting is None or intent.order is None:
        return False
    return resting.filled == intent.order.filled
