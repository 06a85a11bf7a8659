"""Cancels of protective orders that need an approval (CONFIRM_PROTECTIVE_CANCELS).

An approval covers the orders on the card: each is cancelled once, by its id, and no others.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from ..arguments import Arguments, CancelArguments, RestingArguments
from ..cards import Card, Figure, Tone
from ..errors import BrokerError, Code
from ..exchange import Exchange, OrderState, Position, RestingOrder, Sent, Verdict
from ..intents import Intent, Terms
from ..money import grouped
from ..order_types import Market
from ..orders import card
from ..orders.context import AgentContext, Context
from ..orders.wording import resting_words
from ..reasons import Reason, Why
from ..settings import Settings
from .cancels import CANCEL_ALL, CANCEL_ONE, CancelAllInput, CancelOrderInput
from .declaration import Call
from .high import Assessment, Found, HighInput, StandIn
from .intent_answer import CancelAllAnswer, CancelAnswer
from .results import CancelAllResult, CancelledOrder, CancelResult, RoundedCancel

NAMESPACE: Final = "cancel"
_OPEN: Final = "still open"
_VERBS: Final = {_OPEN: "is", "expired": "has"}
MOST_NAMED: Final = 5


class ConfirmedCancel(StandIn):
    sends = RoundedCancel
    adds = frozenset({"orders"})
    has_own_id = False

    @abstractmethod
    def picked(self, arguments: CancelArguments, resting: Sequence[RestingOrder]) -> Sequence[RestingOrder]:
        """The orders to cancel, among the symbol's resting orders."""

    def wanted(self, settings: Settings) -> bool:
        return settings.confirm_protective_cancels

    async def asks(self, call: Call, given: Any) -> bool:
        """True also if the orders cannot be read: any of them may be protective."""
        arguments = CancelArguments.of(self.rounded(call, given))
        try:
            resting = await call.exchange.on(arguments.venue).open_orders(arguments.symbol)
        except BrokerError:
            return True
        return any(order.protective for order in self.picked(arguments, resting))

    async def assess(
        self, context: AgentContext, arguments: Arguments, *, itself: Intent | None
    ) -> Assessment:
        asked = CancelArguments.of(arguments)
        market, symbol = asked.venue, asked.symbol
        resting, position = await asyncio.gather(
            context.exchange.on(market).open_orders(symbol), _position(context, market, symbol)
        )
        to_cancel = self.picked(asked, resting)
        if not to_cancel:
            raise BrokerError(Code.NOTHING_TO_CANCEL, "The orders to cancel are no longer open.")
        protection_left = [order for order in resting if order.protective and order not in to_cancel]
        base = context.exchange.on(market).rules(symbol).base
        return Assessment(
            arguments=asked.model_copy(
                update={"orders": tuple(_resting_arguments(order) for order in to_cancel)}
            ),
            market=market,
            side=None,
            price=None,
            reference_price=None,
            tolerance_pct=None,
            worst_price=None,
            value_usdt=Decimal(0),
            is_exit=True,  # a resting order may prevent the closing of a position
            card=_card(market, base, to_cancel, protection_left, position),
        )

    def changed(self, terms: Terms, now: Assessment) -> Why | None:
        if CancelArguments.of(terms.arguments).orders == CancelArguments.of(now.arguments).orders:
            return None
        return Why(Reason.ORDERS_CHANGED, "The open orders differ from those on the card")

    def namespace(self, terms: Terms) -> str:
        return NAMESPACE

    async def submit(self, exchange: Exchange, terms: Terms, client_order_id: str, timestamp_ms: int) -> Sent:
        """Send one DELETE per order, in turn. Stop at the first one without a clear success."""
        arguments = CancelArguments.of(terms.arguments)
        first, *others = arguments.orders
        sent = await _cancel(exchange, arguments, first, timestamp_ms)
        for order in others:
            if sent.verdict is not Verdict.PLACED:
                break
            sent = await _cancel(exchange, arguments, order, timestamp_ms)
            if sent.verdict is not Verdict.PLACED:
                return replace(sent, verdict=Verdict.UNKNOWN)  # at least one order is certainly cancelled
        return sent

    async def look_up(self, exchange: Exchange, terms: Terms, client_order_id: str) -> Found | None:
        statuses = await _statuses(exchange, terms.arguments)
        return None if _OPEN in statuses else _found(statuses)

    async def not_found(self, exchange: Exchange, terms: Terms) -> Found:
        return _found(await _statuses(exchange, terms.arguments))

    async def figures_now(self, context: Context, intent: Intent) -> list[Figure]:
        asked = CancelArguments.of(intent.arguments)
        market, symbol = asked.venue, asked.symbol
        venue = context.exchange.on(market)
        price, position, statuses = await asyncio.gather(
            venue.last_price(symbol),
            _position(context, market, symbol),
            _statuses(context.exchange, intent.arguments),
        )
        rules = venue.rules(symbol)
        rest = statuses.count(_OPEN)
        tone = Tone.PLAIN if rest == len(statuses) else Tone.WARN
        figures = [
            Figure(label="Last price now", value=f"{grouped(price)} {rules.quote}"),
            Figure(label="Still open", value=f"{rest} of {len(statuses)}", tone=tone),
        ]
        if market == "futures":
            words = card.position_words(position, rules.base)
            figures.append(Figure(label="Position now", value=words))
        return figures


class ConfirmedCancelOrderInput(CancelOrderInput, HighInput):
    """The arguments of `binance_cancel_order`, and those of every HIGH tool."""


class ConfirmedCancelOrder(ConfirmedCancel):
    name = CANCEL_ONE
    title = "Ask to cancel a protective order"
    description = "Asks a trader to cancel a protective order."
    input = ConfirmedCancelOrderInput
    output = CancelAnswer

    def rounded(self, context: Context, arguments: CancelOrderInput) -> CancelArguments:
        return CancelArguments(
            symbol=context.exchange.on(arguments.market).symbol(arguments.symbol),
            market=Market(arguments.market),
            order_id=arguments.orderId,
            conditional=arguments.conditional,
        )

    def picked(self, arguments: CancelArguments, resting: Sequence[RestingOrder]) -> Sequence[RestingOrder]:
        wanted = (arguments.order_id, arguments.conditional)
        return [order for order in resting if (order.id, order.conditional) == wanted]

    def result(self, intent: Intent) -> CancelResult:
        asked = CancelArguments.of(intent.arguments)
        cancelled = CancelledOrder(id=asked.order_id or "", symbol=asked.symbol, status="CANCELLED")
        return CancelResult(success=True, cancelledOrder=cancelled)


class ConfirmedCancelAllInput(CancelAllInput, HighInput):
    """The arguments of `binance_cancel_all_orders`, and those of every HIGH tool."""


class ConfirmedCancelAll(ConfirmedCancel):
    name = CANCEL_ALL
    title = "Ask to cancel protective orders"
    description = "Asks a trader to cancel all orders of a symbol, including protective ones."
    input = ConfirmedCancelAllInput
    output = CancelAllAnswer

    def rounded(self, context: Context, arguments: CancelAllInput) -> CancelArguments:
        symbol = context.exchange.on(arguments.market).symbol(arguments.symbol)
        return CancelArguments(symbol=symbol, market=Market(arguments.market))

    def picked(self, arguments: CancelArguments, resting: Sequence[RestingOrder]) -> Sequence[RestingOrder]:
        return sorted(resting, key=lambda order: (order.conditional, int(order.id)))

    def result(self, intent: Intent) -> CancelAllResult | None:
        """None if only some orders were cancelled; the outcome then says how many."""
        if intent.reason_code is Reason.PARTLY_DONE:
            return None
        return CancelAllResult(success=True, cancelledCount=len(CancelArguments.of(intent.arguments).orders))


async def _cancel(
    exchange: Exchange, arguments: CancelArguments, order: RestingArguments, timestamp_ms: int
) -> Sent:
    return await exchange.on(arguments.venue).cancel_once(
        arguments.symbol, order.id, conditional=order.conditional, timestamp_ms=timestamp_ms
    )


async def _position(context: Context, market: str, symbol: str) -> Position | None:
    if market == "spot":
        return None
    positions = await context.exchange.futures.positions(symbol)
    return positions[0] if positions else None


def _resting_arguments(order: RestingOrder) -> RestingArguments:
    return RestingArguments(
        id=order.id,
        conditional=order.conditional,
        side=order.side,
        type=order.type,
        price=order.price,
        stop_price=order.stop_price,
        remaining=order.remaining,
        reduce_only=order.reduce_only,
    )


# The outcome


async def _statuses(exchange: Exchange, arguments: Arguments) -> list[str]:
    asked = CancelArguments.of(arguments)
    venue = exchange.on(asked.venue)
    states = [
        await venue.find(asked.symbol, order.id, conditional=order.conditional) for order in asked.orders
    ]
    return [_status(state) for state in states]


def _status(order: OrderState | None) -> str:
    """The order was open when the cancel was sent. Binance deletes old orders that end without a fill."""
    if order is None:
        return "cancelled"
    if order.executed_as is not None and order.status != "filled":
        return "triggered"
    return _OPEN if order.status in ("open", "partly_filled") else order.status


def _found(statuses: Sequence[str]) -> Found:
    """The outcome, once the DELETEs that were sent can no longer take effect."""
    others = [word for word in statuses if word != "cancelled"]
    if not others:
        return Found()
    if len(statuses) == 1:
        note = f"the order {_VERBS.get(others[0], 'was')} {others[0]}"
        return Found(done=False, why=Why(Reason.NOTHING_TO_CANCEL, note))
    counts = [f"{others.count(word)} {word}" for word in dict.fromkeys(others)]
    cancelled = len(statuses) - len(others)
    note = f"{cancelled} of {len(statuses)} orders are cancelled, {', '.join(counts)}"
    return Found(
        done=cancelled > 0, why=Why(Reason.PARTLY_DONE if cancelled else Reason.NOTHING_TO_CANCEL, note)
    )


# The card


def _card(
    market: str,
    base: str,
    to_cancel: Sequence[RestingOrder],
    protection_left: Sequence[RestingOrder],
    position: Position | None,
) -> Card:
    one = len(to_cancel) == 1
    act = f"CANCEL {_describe(to_cancel[0], base)}" if one else f"CANCEL {len(to_cancel)} orders"
    listed = "" if one else f" ({_listed(to_cancel, base)})"
    figures = [
        *(
            Figure(label=f"Order {order.id}", value=_describe(order, base))
            for order in to_cancel[:MOST_NAMED]
        ),
        Figure(
            label="Protection left",
            value=_listed(protection_left, base) if protection_left else "none",
            tone=Tone.PLAIN if protection_left else Tone.WARN,
        ),
    ]
    if market == "futures":
        figures.append(Figure(label="Position", value=card.position_words(position, base)))
    return Card(
        act=act,
        sentence=f"{act}{listed}: {_effect(market, base, protection_left, position)}",
        symbol=to_cancel[0].symbol,
        figures=figures,
        checks=[],
    )


def _effect(
    market: str, base: str, protection_left: Sequence[RestingOrder], position: Position | None
) -> str:
    if market == "futures" and position is None:
        return "there is no position"
    held = f"your {base}" if position is None else f"your {position.side.lower()}"
    return f"{held} loses {'some of ' if protection_left else ''}its protection"


def _listed(orders: Sequence[RestingOrder], base: str) -> str:
    named = [_describe(order, base) for order in orders[:MOST_NAMED]]
    more = [f"{len(orders) - MOST_NAMED} more"] if len(orders) > MOST_NAMED else []
    return ", ".join([*named, *more])


def _describe(order: RestingOrder, base: str) -> str:
    if order.stop_price is None:
        return resting_words(order)
    what = f"{grouped(order.remaining)} {base}" if order.remaining else "the whole position"
    return f"{resting_words(order)} of {what}"


TOOLS: Final = (ConfirmedCancelOrder(), ConfirmedCancelAll())
