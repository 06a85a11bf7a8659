"""binance_close_position: HIGH risk, parked until a trader decides."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from ..cards import Card, Figure, Tone
from ..exchange import Position, RestingOrder, Sent
from ..intents import Intent
from ..money import Side, about, cents, grouped, plain
from ..risk import Check
from ..orders import futures_quote, card, checks, quote
from .intent_answer import CloseAnswer
from .declaration import Context, Look, Symbol
from ..orders.futures_quote import FuturesQuote, reducible
from .high import NEVER_BY_ITSELF, Assessment, HighInput
from .order_tool import OrderTool
from ..orders.wording import price_bound, resting_words
from ..orders.request import order_of
from ..orders.records import net_profit, other_fees
from .results import ClosedPosition, CloseResult, RoundedOrder

NOT_REDUCING: Final = -2022
"""Binance: "ReduceOnly Order is rejected"."""


class ClosePositionInput(HighInput):
    symbol: Symbol


class ClosePosition(OrderTool):
    name = "binance_close_position"
    title = "Ask to close a position"
    description = (
        "Asks a trader to close the WHOLE futures position in one symbol at market; it never opens the other "
        "side. To close a part, ask binance_create_order with market=futures and reduceOnly=true. Spot "
        f"holdings are sold with binance_create_order. {NEVER_BY_ITSELF}"
    )
    input = ClosePositionInput
    output = CloseAnswer
    sends = RoundedOrder
    adds = frozenset({"side", "type", "amount", "market", "reduceOnly"})

    def rounded(self, context: Context, arguments: ClosePositionInput) -> Mapping[str, Any]:
        return {"symbol": context.exchange.futures.symbol(arguments.symbol)}

    def may_leave(self, context: Context, rounded: Mapping[str, Any]) -> bool:
        return True

    async def assess(
        self,
        context: Context,
        arguments: Mapping[str, Any],
        *,
        itself: Intent | None = None,
        looks: Sequence[Look] = (),
    ) -> Assessment:
        settings, now = context.settings, context.clock()
        if "amount" not in arguments:
            arguments = await _whole(context, arguments["symbol"])
        order = order_of(arguments)
        quote = await futures_quote.read(context, order, itself)
        position = reducible(quote.position, order.symbol, order.side)
        if itself is None:
            checks.obey_the_exchange(quote, context)
        tolerance = settings.exit_price_tolerance_pct
        worst = quote.worst_for(quote, tolerance)
        looked = card.looked(itself, looks, order.market, order.symbol, now)
        return Assessment(
            arguments=arguments,
            market=str(order.market),
            side=order.side,
            price=quote.traded_at,
            priced_at_ms=quote.priced_at_ms,
            reference_price=quote.asked_at,
            tolerance_pct=tolerance,
            worst_price=worst,
            value_usdt=quote.value_usdt,
            is_exit=True,
            card=_card(quote, position, checks.checks(quote, context), worst=worst, looked=looked),
            previous=plain(position.entry_price),
        )

    async def explain(self, context: Context, intent: Intent, sent: Sent) -> str | None:
        """Resting reduce-only orders may stand for the whole position already: they are named."""
        if sent.code != NOT_REDUCING:
            return None
        orders = await context.exchange.futures.open_orders(intent.arguments["symbol"])
        reducing = [order for order in orders if order.reduce_only]
        if not reducing:
            return None
        said = (sent.message or sent.reason).removesuffix(".")
        return f"{said}: resting reduce-only orders stand against it: {_listed(reducing, with_ids=True)}"

    def result(self, intent: Intent) -> CloseResult | None:
        order = intent.order
        if order is None:
            return None
        closed = {
            "symbol": intent.arguments["symbol"],
            "closedSize": order["filled"],
            "closedSide": _side_closed_by(intent.arguments),
            "entryPrice": intent.terms["previous"],
            "exitPrice": order["average"],
            "realizedPnL": net_profit(order),
            "orderId": order["id"],
            **other_fees(order),
        }
        return CloseResult(success=True, closedPosition=ClosedPosition.model_validate(closed))

    async def figures_now(self, context: Context, intent: Intent) -> list[Figure]:
        order, venue = order_of(intent.arguments), context.exchange.futures
        book, positions = await asyncio.gather(venue.book(order.symbol), venue.positions(order.symbol))
        rules = venue.rules(order.symbol)
        price = book.walk(order.side, order.amount).average or quote.best_of(book, order.side)
        reference = intent.terms["referencePrice"]
        asked_at = None if reference is None else Decimal(reference)
        position = positions[0] if positions else None
        shown = [
            card.now("Book average now", price, asked_at, rules.quote),
            Figure(
                label="Position now",
                value=card.position_words(position, rules.base),
                tone=Tone.PLAIN if position else Tone.WARN,
            ),
        ]
        if position is not None:
            shown.append(_profit(position, min(order.amount, position.size), price))
        return shown


async def _whole(context: Context, symbol: str) -> Mapping[str, Any]:
    """The order that closes all of the position. Raises NO_POSITION, HEDGE_MODE_UNSUPPORTED."""
    venue = context.exchange.futures
    await venue.require_one_way()
    positions = await venue.positions(symbol)
    position = positions[0] if positions else None
    side: Side = "buy" if position is not None and position.side == "SHORT" else "sell"
    return {
        "symbol": symbol,
        "side": side,
        "type": "market",
        "amount": plain(reducible(position, symbol, side).size),
        "market": "futures",
        "reduceOnly": True,
    }


def _card(
    quote: FuturesQuote,
    position: Position,
    checks: Sequence[Check],
    *,
    worst: Decimal | None,
    looked: Figure | None,
) -> Card:
    price = quote.average or quote.best
    shown = card.figures(quote)
    if price is not None:
        shown.append(_profit(position, min(quote.order.amount, position.size), price))
    act = f"CLOSE {position.side} {grouped(quote.order.amount)} {quote.rules.base}"
    return Card(
        act=act,
        sentence=_sentence(act, quote, position, price, worst),
        symbol=quote.rules.symbol,
        figures=[*shown, *([] if looked is None else [looked])],
        checks=list(checks),
        warnings=_warnings(quote),
        second_tap=card.second_tap(checks),
    )


def _sentence(
    act: str, quote: FuturesQuote, position: Position, price: Decimal | None, worst: Decimal | None
) -> str:
    amount = quote.order.amount
    parts = [act + (" (all)" if amount >= position.size else f" of {grouped(position.size)}")]
    parts.append(f"entry {about(position.entry_price)}")
    if price is not None:
        parts.append(f"now {about(price)}")
        gain = _gain(position, min(amount, position.size), price)
        parts.append(f"≈ {_signed(gain)} USDT before fees")
    parts.append(price_bound(worst))
    if quote.resting is None:
        parts.append("open orders not read")
    elif stays := [order for order in quote.resting if order.conditional or not order.reduce_only]:
        parts.append(f"stays open: {_listed(stays)}")
    return ", ".join(parts)


def _warnings(quote: FuturesQuote) -> list[str]:
    reducing = [order for order in quote.resting or () if order.reduce_only and not order.conditional]
    if not reducing:
        return []
    return [f"Resting reduce-only orders may make Binance refuse it: {_listed(reducing)}"]


def _gain(position: Position, amount: Decimal, price: Decimal) -> Decimal:
    gain = (price - position.entry_price) * amount
    return gain if position.side == "LONG" else -gain


def _profit(position: Position, amount: Decimal, price: Decimal) -> Figure:
    gain = _gain(position, amount, price)
    return Figure(
        label="Profit before fees",
        value=f"{_signed(gain)} USDT",
        tone=Tone.GOOD if gain >= 0 else Tone.BAD,
    )


def _signed(value: Decimal) -> str:
    amount = cents(abs(value))
    return amount if amount == "0.00" else f"{'−' if value < 0 else '+'}{amount}"


def _listed(orders: Sequence[RestingOrder], *, with_ids: bool = False) -> str:
    shown = [
        f"{resting_words(order)} (id {order.id})" if with_ids else resting_words(order)
        for order in orders[:3]
    ]
    more = [f"{len(orders) - 3} more"] if len(orders) > 3 else []
    return ", ".join([*shown, *more])


def _side_closed_by(arguments: Mapping[str, Any]) -> str:
    return "LONG" if arguments["side"] == "sell" else "SHORT"
