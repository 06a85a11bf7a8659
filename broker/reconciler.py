"""unknown → settled; placed → followed. By asking, never by sending again."""

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
"""Between two looks at what is unknown; at least so much between two at resting orders, whatever the news."""

FOLLOW_SECONDS = 2.0
"""Between two looks at resting orders when there is no news: one request per symbol, weight 6."""

MOMENT_SECONDS = 0.05
"""A burst of news is one look."""

ENOUGH_NOT_FOUNDS = 2
MOST_PASSES = 1800
"""Looks at a lost order are at most an hour apart."""

log = get_logger(__name__)


class Lost:
    """What Binance does not know now, as placed orders after a reset of its testnet, or tells no fees of, or
    cannot prove: asked about ever more rarely, so that it doesn't spend the weight. By client order id."""

    def __init__(self) -> None:
        self._misses: dict[str, int] = {}
        self._passes: dict[str, int] = {}

    def missed(self, order_id: str) -> None:
        misses = self._misses[order_id] = self._misses.get(order_id, 0) + 1
        self._passes[order_id] = min(2**misses, MOST_PASSES)

    def ask_now(self, order_id: str) -> None:
        """Binance told of it. Misses stay counted: it may know no more by now."""
        self._passes.pop(order_id, None)

    def keep(self, order_ids: Collection[str]) -> None:
        """Forget all others."""
        for kept in (self._misses, self._passes):
            for gone in kept.keys() - order_ids:
                del kept[gone]

    def rests(self, order_id: str) -> bool:
        left = self._passes.get(order_id, 0)
        if left:
            self._passes[order_id] = left - 1
        return left > 0


@dataclass(frozen=True)
class Truth:
    """What became of a submission, as Binance says."""

    state: State
    why: Why | None = None
    order: OrderState | None = None

    @property
    def proves(self) -> bool:
        """Whether it confirms what a trader recorded, or contradicts it."""
        return self.why is None or self.why.reason is not Reason.UNCERTAIN


class ServerTimes:
    """Binance's clocks, each read once in a pass and before it is asked for orders: no answer is older."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._read: dict[str, int] = {}

    async def on(self, market: str) -> int:
        """UTC milliseconds. Raises BrokerError."""
        if market not in self._read:
            self._read[market] = await self._exchange.on(market).server_time_ms()
        return self._read[market]


class Reconciler:
    """`submitting` says whether an answer of Binance is still waited for in this process."""

    def __init__(self, *, store: Store, exchange: Exchange, submitting: Callable[[str], bool]) -> None:
        self._store = store
        self._exchange = exchange
        self._submitting = submitting
        self._lost = Lost()
        self._unproved = Lost()
        self._news = asyncio.Event()
        exchange.order_news(self._hear)

    async def adopt(self) -> None:
        """What a dead process was sending, or could not write down, is unknown until Binance says."""
        for intent in await self._in_state(State.SUBMITTING):
            if not self._submitting(intent.id):
                why = Why(Reason.BROKER_STOPPED, "the broker stopped before Binance's answer was recorded")
                await self._guarded(
                    self._store.submissions.settle(intent, State.UNKNOWN, actor="reconciler", why=why)
                )

    async def run(self) -> None:
        """Until cancelled. What it reads leaves room for what an exit needs."""
        with leaving_room(FOLLOW_PCT):
            async with asyncio.TaskGroup() as both:
                both.create_task(self._keep_settling())
                both.create_task(self._keep_following())

    async def _keep_settling(self) -> None:
        """By time alone: two not-founds in a row are a pass apart."""
        while True:
            await self._guarded(self.adopt())
            await self._guarded(self.settle_unknown())
            await self._guarded(self.check_words())
            await asyncio.sleep(PASS_SECONDS)

    async def _keep_following(self) -> None:
        """Also after news, however much there is of it: one order may fill in a hundred parts."""
        while True:
            self._news.clear()
            await self._guarded(self.follow_placed())
            await asyncio.sleep(PASS_SECONDS)
            with suppress(TimeoutError):
                async with asyncio.timeout(FOLLOW_SECONDS - PASS_SECONDS):
                    await self._news.wait()
                    await asyncio.sleep(MOMENT_SECONDS)

    def _hear(self, market: str, client_order_id: str) -> None:
        """Binance told of a change: what it is, is asked. Orders of other programs are not followed."""
        if not client_order_id or client_order_id.startswith(OURS):
            self._lost.ask_now(client_order_id)
            self._news.set()

    async def settle_unknown(self) -> None:
        now = ServerTimes(self._exchange)
        for intent in await self._in_state(State.UNKNOWN):
            await self._guarded(self._settle(intent, now))

    async def settle(self, intent: Intent) -> None:
        """Ask Binance now what became of an unknown one. Raises BrokerError when it cannot be asked."""
        await self._settle(intent, ServerTimes(self._exchange), alone=True)

    async def _settle(self, intent: Intent, now: ServerTimes, *, alone: bool = False) -> None:
        truth = await self._truth(intent, now, alone=alone)
        if truth is not None:
            await self._store.submissions.settle(
                intent, truth.state, actor="reconciler", why=truth.why, order=_told(truth)
            )

    async def check_words(self) -> None:
        """Whether what traders recorded is so."""
        now = ServerTimes(self._exchange)
        recorded = await self._store.read(queries.recorded)
        self._unproved.keep({client_order_id(intent.id) for intent in recorded})
        for intent in recorded:
            if not self._unproved.rests(client_order_id(intent.id)):
                await self._guarded(self._check_word(intent, now))

    async def _check_word(self, intent: Intent, now: ServerTimes) -> None:
        truth = await self._truth(intent, now)
        if truth is not None and not truth.proves:
            self._unproved.missed(client_order_id(intent.id))
        elif truth is not None:
            await self._store.submissions.check_word(intent, truth.state, truth.why, _told(truth))

    async def follow_placed(self) -> None:
        """One request per symbol tells which orders still rest; only the others are asked about."""
        places: dict[tuple[str, str], list[Intent]] = defaultdict(list)
        followed = await self._store.read(queries.followed)
        for intent in followed:
            places[intent.market, intent.arguments.symbol].append(intent)
        self._lost.keep({client_order_id(intent.id) for intent in followed})
        self._exchange.watch_orders(any(not intent.order_is_final for intent in followed))
        for (market, symbol), intents in places.items():
            await self._guarded(self._follow(market, symbol, intents))

    async def _truth(self, intent: Intent, now: ServerTimes, *, alone: bool = False) -> Truth | None:
        """None while nobody can be certain. A look between two passes counts no not-found: an answer may lag,
        and two in a row have to be a pass apart.
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
            return Truth(State.NOT_SENT, uncertain("a backup was restored, and it was not approved by then"))
        if order is None:
            return Truth(State.PLACED, found.why)
        if order.status == "rejected":
            return Truth(State.REFUSED, Why(Reason.BINANCE_REFUSED, "Binance rejected the order"), order)
        with suppress(BrokerError):  # the outcome does not wait for its fees
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
            if error.code is Code.BINANCE_REFUSED:  # as of an order that it has put into its archive
                self._lost.missed(order_id)
            raise
        if found is None or found.order is None:
            self._lost.missed(order_id)
            return
        told = order_record(await self._exchange.on(intent.market).with_trades(found.order))
        if told != intent.order:
            await self._store.submissions.follow(intent, told)
        elif intent.order_is_final:  # only its fees are missing, and Binance does not list them yet
            self._lost.missed(order_id)

    async def _look_up(self, intent: Intent) -> Found | None:
        return await HIGH[intent.tool].look_up(self._exchange, intent.terms, client_order_id(intent.id))

    async def _in_state(self, state: State) -> Sequence[Intent]:
        return await self._store.read(lambda connection: queries.in_states(connection, {state}))

    async def _guarded(self, work: Any) -> None:
        """One intent's trouble never stops the others."""
        try:
            await work
        except Moved:
            pass
        except BrokerError as error:
            told_by_the_store = error.code is Code.STORE_UNAVAILABLE
            tell = log.debug if told_by_the_store else log.warning
            tell("reconciler: asking again later", error=error.message)
        except Exception:
            log.exception("reconciler: failed")


def _told(truth: Truth) -> OrderRecord | None:
    return None if truth.order is None else order_record(truth.order)


def _unchanged(intent: Intent, resting: RestingOrder | None) -> bool:
    if resting is None or intent.order is None:
        return False
    return resting.filled == intent.order.filled
