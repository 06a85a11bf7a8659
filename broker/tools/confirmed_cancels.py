"""Cancels that take a protection away, where a trader wants to be asked first (CONFIRM_PROTECTIVE_CANCELS).

What is approved are the orders that the card lists: each is cancelled by its id, once, and nothing else is.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any, Final

from ..cards import Card, Figure, Tone
from ..errors import BrokerError, Code
from ..exchange import Exchange, OrderState, Position, RestingOrder, Sent, Verdict
from ..intents import Intent
from ..money import grouped, plain
from ..reasons import Reason, Why
from ..settings import Settings
from ..orders import card
from .intent_answer import CancelAllAnswer, CancelAnswer
from .cancels import CANCEL_ALL, CANCEL_ONE, CancelAllInput, CancelOrderInput
from .declaration import Call, Context, Look
from .high import Assessment, Found, HighInput, StandIn
from ..orders.wording import resting_words
from .results import CancelAllResult, CancelledOrder, CancelResult, RoundedCancel

NAMESPACE: Final = "cancel"
_OPEN: Final = "still open"
_VERBS: Final = {_OPEN: "is", "expired": "has"}
MOST_NAMED: Final = 5

Arguments = Mapping[str, Any]


class ConfirmedCancel(StandIn):
    sends = RoundedCancel
    adds = frozenset({"orders"})
    has_own_id = False

    @abstractmethod
    def picked(self, arguments: Arguments, resting: Sequence[RestingOrder]) -> Sequence[RestingOrder]:
        """Of a symbol's resting orders those that are to go."""

    def wanted(self, settings: Settings) -> bool:
        return settings.confirm_protective_cancels

    async def asks(self, call: Call, given: Any) -> bool:
        """Also when the orders cannot be read: any may be a protection."""
        arguments = self.rounded(call, given)
        try:
            resting = await call.exchange.on(arguments["market"]).open_orders(arguments["symbol"])
        except BrokerError:
            return True
        return any(order.protective for order in self.picked(arguments, resting))

    async def assess(
        self,
        context: Context,
        arguments: Arguments,
        *,
        itself: Intent | None = None,
        looks: Sequence[Look] = (),
    ) -> Assessment:
        market, symbol = arguments["market"], arguments["symbol"]
        resting, position = await asyncio.gather(
            context.exchange.on(market).open_orders(symbol), _position(context, market, symbol)
        )
        going = self.picked(arguments, resting)
        if not going:
            raise BrokerError(Code.NOTHING_TO_CANCEL, "Nothing of it is open any more.")
        staying = [order for order in resting if order.protective and order not in going]
        looked = card.looked(itself, looks, market, symbol, context.clock())
        base = context.exchange.on(market).rules(symbol).base
        return Assessment(
            arguments={**arguments, "orders": [_told(order) for order in going]},
            market=market,
            side=None,
            price=None,
            reference_price=None,
            tolerance_pct=None,
            worst_price=None,
            value_usdt=Decimal(0),
            is_exit=True,  # what rests may be what keeps a position from being closed
            card=_card(market, base, going, staying, position, looked),
        )

    def changed(self, terms: Arguments, now: Assessment) -> Why | None:
        if terms["arguments"]["orders"] == now.arguments["orders"]:
            return None
        return Why(Reason.ORDERS_CHANGED, "What rests is no longer what was shown")

    def namespace(self, terms: Arguments) -> str:
        return NAMESPACE

    async def submit(
        self, exchange: Exchange, terms: Arguments, client_order_id: str, timestamp_ms: int
    ) -> Sent:
        """One DELETE for each order, in turn; once one is not clearly done, no other is sent."""
        arguments = terms["arguments"]
        first, *others = arguments["orders"]
        sent = await _cancel(exchange, arguments, first, timestamp_ms)
        for order in others:
            if sent.verdict is not Verdict.PLACED:
                break
            sent = await _cancel(exchange, arguments, order, timestamp_ms)
            if sent.verdict is not Verdict.PLACED:
                return replace(sent, verdict=Verdict.UNKNOWN)  # an earlier one is gone for certain
        return sent

    async def look_up(self, exchange: Exchange, terms: Arguments, client_order_id: str) -> Found | None:
        became = await _became(exchange, terms["arguments"])
        return None if _OPEN in became else _found(became)

    async def not_found(self, exchange: Exchange, terms: Arguments) -> Found:
        return _found(await _became(exchange, terms["arguments"]))

    async def figures_now(self, context: Context, intent: Intent) -> list[Figure]:
        market, symbol = intent.arguments["market"], intent.arguments["symbol"]
        venue = context.exchange.on(market)
        price, position, became = await asyncio.gather(
            venue.last_price(symbol),
            _position(context, market, symbol),
            _became(context.exchange, intent.arguments),
        )
        rules = venue.rules(symbol)
        rest = became.count(_OPEN)
        tone = Tone.PLAIN if rest == len(became) else Tone.WARN
        shown = [
            Figure(label="Last price now", value=f"{grouped(price)} {rules.quote}"),
            Figure(label="Still open", value=f"{rest} of {len(became)}", tone=tone),
        ]
        if market == "futures":
            words = card.position_words(position, rules.base)
            shown.append(Figure(label="Position now", value=words))
        return shown


class ConfirmedCancelOrderInput(CancelOrderInput, HighInput):
    """Agents give what `binance_cancel_order` takes; a key may come beside it."""


class ConfirmedCancelOrder(ConfirmedCancel):
    name = CANCEL_ONE
    title = "Ask to cancel a protective order"
    description = "Asks a trader to cancel an order that protects."
    input = ConfirmedCancelOrderInput
    output = CancelAnswer

    def rounded(self, context: Context, arguments: CancelOrderInput) -> Arguments:
        return {
            "symbol": context.exchange.on(arguments.market).symbol(arguments.symbol),
            "market": arguments.market,
            "orderId": arguments.orderId,
            "conditional": arguments.conditional,
        }

    def picked(self, arguments: Arguments, resting: Sequence[RestingOrder]) -> Sequence[RestingOrder]:
        wanted = (arguments["orderId"], arguments["conditional"])
        return [order for order in resting if (order.id, order.conditional) == wanted]

    def result(self, intent: Intent) -> CancelResult:
        arguments = intent.arguments
        cancelled = CancelledOrder(id=arguments["orderId"], symbol=arguments["symbol"], status="CANCELLED")
        return CancelResult(success=True, cancelledOrder=cancelled)


class ConfirmedCancelAllInput(CancelAllInput, HighInput):
    """As above."""


class ConfirmedCancelAll(ConfirmedCancel):
    name = CANCEL_ALL
    title = "Ask to cancel orders that protect"
    description = "Asks a trader to cancel all orders of a symbol, protective ones among them."
    input = ConfirmedCancelAllInput
    output = CancelAllAnswer

    def rounded(self, context: Context, arguments: CancelAllInput) -> Arguments:
        symbol = context.exchange.on(arguments.market).symbol(arguments.symbol)
        return {"symbol": symbol, "market": arguments.market}

    def picked(self, arguments: Arguments, resting: Sequence[RestingOrder]) -> Sequence[RestingOrder]:
        return sorted(resting, key=lambda order: (order.conditional, int(order.id)))

    def result(self, intent: Intent) -> CancelAllResult | None:
        """None where only some were cancelled: how many, the outcome says."""
        if intent.reason_code is Reason.PARTLY_DONE:
            return None
        return CancelAllResult(success=True, cancelledCount=len(intent.arguments["orders"]))


async def _cancel(exchange: Exchange, arguments: Arguments, order: Arguments, timestamp_ms: int) -> Sent:
    return await exchange.on(arguments["market"]).cancel_once(
        arguments["symbol"], order["id"], conditional=order["conditional"], timestamp_ms=timestamp_ms
    )


async def _position(context: Context, market: str, symbol: str) -> Position | None:
    if market == "spot":
        return None
    positions = await context.exchange.futures.positions(symbol)
    return positions[0] if positions else None


def _told(order: RestingOrder) -> dict[str, Any]:
    return {
        "id": order.id,
        "conditional": order.conditional,
        "side": order.side,
        "type": order.type,
        "price": None if order.price is None else plain(order.price),
        "stopPrice": None if order.stop_price is None else plain(order.stop_price),
        "remaining": plain(order.remaining),
        "reduceOnly": order.reduce_only,
    }


# What became of the orders


async def _became(exchange: Exchange, arguments: Arguments) -> list[str]:
    venue = exchange.on(arguments["market"])
    states = [
        await venue.find(arguments["symbol"], order["id"], conditional=order["conditional"])
        for order in arguments["orders"]
    ]
    return [_became_of(state) for state in states]


def _became_of(order: OrderState | None) -> str:
    """It rested when it was sent for. Binance forgets old orders as soon as they end without a fill."""
    if order is None:
        return "cancelled"
    if order.executed_as is not None and order.status != "filled":
        return "triggered"
    return _OPEN if order.status in ("open", "partly_filled") else order.status


def _found(became: Sequence[str]) -> Found:
    """What is still open is no longer reached by what was sent."""
    others = [word for word in became if word != "cancelled"]
    if not others:
        return Found()
    if len(became) == 1:
        note = f"the order {_VERBS.get(others[0], 'was')} {others[0]}"
        return Found(done=False, why=Why(Reason.NOTHING_TO_CANCEL, note))
    told = [f"{others.count(word)} {word}" for word in dict.fromkeys(others)]
    gone = len(became) - len(others)
    note = f"{gone} of {len(became)} orders are cancelled, {', '.join(told)}"
    return Found(done=gone > 0, why=Why(Reason.PARTLY_DONE if gone else Reason.NOTHING_TO_CANCEL, note))


# The card


def _card(
    market: str,
    base: str,
    going: Sequence[RestingOrder],
    staying: Sequence[RestingOrder],
    position: Position | None,
    looked: Figure | None,
) -> Card:
    one = len(going) == 1
    act = f"CANCEL {_words(going[0], base)}" if one else f"CANCEL {len(going)} orders"
    listed = "" if one else f" ({_listed(going, base)})"
    shown = [
        *(Figure(label=f"Order {order.id}", value=_words(order, base)) for order in going[:MOST_NAMED]),
        Figure(
            label="Protection that stays",
            value=_listed(staying, base) if staying else "none",
            tone=Tone.PLAIN if staying else Tone.WARN,
        ),
    ]
    if market == "futures":
        shown.append(Figure(label="Position", value=card.position_words(position, base)))
    return Card(
        act=act,
        sentence=f"{act}{listed}: {_loses(market, base, staying, position)}",
        symbol=going[0].symbol,
        figures=[*shown, *([] if looked is None else [looked])],
        checks=[],
    )


def _loses(market: str, base: str, staying: Sequence[RestingOrder], position: Position | None) -> str:
    if market == "futures" and position is None:
        return "there is no position"
    held = f"your {base}" if position is None else f"your {position.side.lower()}"
    return f"{held} loses {'some of ' if staying else ''}its protection"


def _listed(orders: Sequence[RestingOrder], base: str) -> str:
    named = [_words(order, base) for order in orders[:MOST_NAMED]]
    more = [f"{len(orders) - MOST_NAMED} more"] if len(orders) > MOST_NAMED else []
    return ", ".join([*named, *more])


def _words(order: RestingOrder, base: str) -> str:
    if order.stop_price is None:
        return resting_words(order)
    what = f"{grouped(order.remaining)} {base}" if order.remaining else "the whole position"
    return f"{resting_words(order)} of {what}"


TOOLS: Final = (ConfirmedCancelOrder(), ConfirmedCancelAll())
