"""binance_close_position: HIGH risk, waits for a trader's approval."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from ..arguments import Arguments, CloseArguments, OrderArguments
from ..cards import Card, Check, Figure, Tone
from ..exchange import Position, RestingOrder, Sent
from ..intents import Intent
from ..money import Side, about, cents, grouped, plain
from ..order_types import Market
from ..orders import card, checks, futures_quote
from ..orders.context import AgentContext, Context
from ..orders.futures_quote import FuturesQuote, reducible
from ..orders.quote import best_of, worst_for
from ..orders.records import net_profit, other_fees
from ..orders.request import order_of
from ..orders.wording import price_bound, resting_words
from .declaration import Symbol
from .high import NEVER_BY_ITSELF, Assessment, HighInput
from .intent_answer import CloseAnswer
from .order_tool import OrderTool
from .results import ClosedPosition, CloseResult, RoundedOrder

NOT_REDUCING: Final = -2022
"""Binance futures error code: "ReduceOnly Order is rejected"."""


class ClosePositionInput(HighInput):
    symbol: Symbol


class ClosePosition(OrderTool):
    name = "binance_close_position"
    title = "Ask to close a position"
    description = (
        "Asks a trader to close the WHOLE futures position in one symbol at market; it never opens the other "
        "side. To close a part, use binance_create_order with market=futures and reduceOnly=true. To sell "
        f"spot holdings, use binance_create_order. {NEVER_BY_ITSELF}"
    )
    input = ClosePositionInput
    output = CloseAnswer
    sends = RoundedOrder
    adds = frozenset({"side", "type", "amount", "market", "reduceOnly"})

    def rounded(self, context: Context, arguments: ClosePositionInput) -> CloseArguments:
        return CloseArguments(symbol=context.exchange.futures.symbol(arguments.symbol))

    def may_leave(self, context: Context, rounded: Arguments) -> bool:
        return True

    async def assess(
        self, context: AgentContext, arguments: Arguments, *, itself: Intent | None
    ) -> Assessment:
        settings = context.settings
        if isinstance(arguments, CloseArguments):
            arguments = await _whole(context, arguments.symbol)
        order = order_of(arguments)
        quote = await futures_quote.read(context, order, itself)
        position = reducible(quote.position, order.symbol, order.side)
        if itself is None:
            checks.obey_the_exchange(quote, context)
        tolerance = settings.exit_price_tolerance_pct
        worst = worst_for(quote, tolerance)
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
            card=_card(quote, position, checks.checks(quote, context), worst=worst),
            previous=plain(position.entry_price),
        )

    async def explain(self, context: Context, intent: Intent, sent: Sent) -> str | None:
        """Name the open reduce-only orders: they may already cover the whole position."""
        if sent.code != NOT_REDUCING:
            return None
        orders = await context.exchange.futures.open_orders(intent.arguments.symbol)
        reducing = [order for order in orders if order.reduce_only]
        if not reducing:
            return None
        message = (sent.message or sent.reason).removesuffix(".")
        return f"{message}: open reduce-only orders are in the way: {_listed(reducing, with_ids=True)}"

    def result(self, intent: Intent) -> CloseResult | None:
        order = intent.order
        if order is None:
            return None
        closed = {
            "symbol": intent.arguments.symbol,
            "closedSize": order.filled,
            "closedSide": _closed_side(intent.arguments),
            "entryPrice": intent.terms.previous,
            "exitPrice": order.average,
            "realizedPnL": net_profit(order),
            "orderId": order.id,
            **other_fees(order),
        }
        return CloseResult(success=True, closedPosition=ClosedPosition.model_validate(closed))

    async def figures_now(self, context: Context, intent: Intent) -> list[Figure]:
        order, venue = order_of(intent.arguments), context.exchange.futures
        book, positions = await asyncio.gather(venue.book(order.symbol), venue.positions(order.symbol))
        rules = venue.rules(order.symbol)
        price = book.walk(order.side, order.amount).average or best_of(book, order.side)
        asked_at = intent.terms.reference_price
        position = positions[0] if positions else None
        figures = [
            card.now("Book average now", price, asked_at, rules.quote),
            Figure(
                label="Position now",
                value=card.position_words(position, rules.base),
                tone=Tone.PLAIN if position else Tone.WARN,
            ),
        ]
        if position is not None:
            figures.append(_profit(position, min(order.amount, position.size), price))
        return figures


async def _whole(context: Context, symbol: str) -> OrderArguments:
    """The order that closes the whole position. Raises NO_POSITION, HEDGE_MODE_UNSUPPORTED."""
    venue = context.exchange.futures
    await venue.require_one_way()
    positions = await venue.positions(symbol)
    position = positions[0] if positions else None
    side: Side = "buy" if position is not None and position.side == "SHORT" else "sell"
    return OrderArguments(
        symbol=symbol,
        side=side,
        type="market",
        amount=reducible(position, symbol, side).size,
        market=Market.FUTURES,
        reduce_only=True,
    )


def _card(quote: FuturesQuote, position: Position, checks: Sequence[Check], *, worst: Decimal | None) -> Card:
    price = quote.average or quote.best
    figures = card.figures(quote)
    if price is not None:
        figures.append(_profit(position, min(quote.order.amount, position.size), price))
    act = f"CLOSE {position.side} {grouped(quote.order.amount)} {quote.rules.base}"
    return Card(
        act=act,
        sentence=_sentence(act, quote, position, price, worst),
        symbol=quote.rules.symbol,
        figures=figures,
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
        parts.append("open orders not known")
    elif staying := [order for order in quote.resting if order.conditional or not order.reduce_only]:
        parts.append(f"stays open: {_listed(staying)}")
    return ", ".join(parts)


def _warnings(quote: FuturesQuote) -> list[str]:
    reducing = [order for order in quote.resting or () if order.reduce_only and not order.conditional]
    if not reducing:
        return []
    return [f"Binance may refuse this because of open reduce-only orders: {_listed(reducing)}"]


def _gain(position: Position, amount: Decimal, price: Decimal) -> Decimal:
    gain = (price - position.entry_price) * amount
    return gain if position.side == "LONG" else -gain


def _profit(position: Position, amount: Decimal, price: Decimal) -> Figure:
    gain = _gain(position, amount, price)
    return Figure(
        label="P&L before fees",
        value=f"{_signed(gain)} USDT",
        tone=Tone.GOOD if gain >= 0 else Tone.BAD,
    )


def _signed(value: Decimal) -> str:
    amount = cents(abs(value))
    return amount if amount == "0.00" else f"{'−' if value < 0 else '+'}{amount}"


def _listed(orders: Sequence[RestingOrder], *, with_ids: bool = False) -> str:
    listed = [
        f"{resting_words(order)} (id {order.id})" if with_ids else resting_words(order)
        for order in orders[:3]
    ]
    more = [f"{len(orders) - 3} more"] if len(orders) > 3 else []
    return ", ".join([*listed, *more])


def _closed_side(arguments: Arguments) -> str:
    return "LONG" if OrderArguments.of(arguments).side == "sell" else "SHORT"
