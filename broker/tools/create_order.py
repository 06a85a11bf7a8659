"""binance_create_order: HIGH risk, parked until a trader decides."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from pydantic import model_validator

from .. import risk
from ..cards import Figure
from ..errors import invalid
from ..exchange import Exchange, OrderRequest, Sent
from ..intents import Intent
from ..money import DOLLARS, floor_to, percent, plain, round_price, signed_percent
from ..settings import Mode, Settings
from ..store import queries
from . import filters, order_card, quotes
from .account import Market
from .answers import IntentAnswer
from .declaration import Context, Look, Positive, Symbol
from .high import Assessment, Found, HighInput, HighTool


class CreateOrderInput(HighInput):
    symbol: Symbol
    side: Literal["buy", "sell"]
    type: Literal["market", "limit"] = "market"
    amount: Positive
    price: Positive | None = None
    market: Market = "spot"

    @model_validator(mode="after")
    def _price_goes_with_the_type(self) -> CreateOrderInput:
        if self.type == "limit" and self.price is None:
            raise invalid("price", "a limit order needs a price")
        if self.type == "market" and self.price is not None:
            raise invalid("price", "a market order carries no price; leave it out, or ask for type limit")
        return self


class CreateOrder(HighTool):
    name = "binance_create_order"
    title = "Ask for an order"
    description = (
        "Asks a trader to place an order. It never executes by itself: the answer says status=pending "
        "with an approvalUrl. Tell the user, then call intent_wait. Amount is in the base asset. "
        "Do not call it again for the same action."
    )
    input = CreateOrderInput
    output = IntentAnswer

    def rounded(self, context: Context, arguments: CreateOrderInput) -> Mapping[str, Any]:
        symbol = context.exchange.spot.symbol(arguments.symbol)
        rules = context.exchange.spot.rules(symbol)
        text = {
            "symbol": symbol,
            "side": arguments.side,
            "type": arguments.type,
            "amount": plain(floor_to(arguments.amount, rules.step)),
        }
        if arguments.price is not None:
            text["price"] = plain(round_price(arguments.price, rules.tick, arguments.side))
        if text["amount"] == "0":
            step = plain(rules.step)
            raise invalid("amount", f"rounds down to nothing at the step {step}", step=step)
        return text

    async def assess(
        self,
        context: Context,
        arguments: Mapping[str, Any],
        *,
        itself: Intent | None = None,
        looks: Sequence[Look] = (),
    ) -> Assessment:
        order, settings, now = order_of(arguments), context.settings, context.clock()
        without = "" if itself is None else itself.id
        quote, used = await asyncio.gather(
            quotes.read(context.exchange, order),
            context.store.read(lambda connection: queries.daily_volume(connection, now, without=without)),
        )
        if itself is None:
            self._obey_the_exchange(quote, settings)
        checks = _checks(quote, used, settings)
        reference = quote.best if quote.average is None or order.price is not None else quote.average
        tolerance = _tolerance(quote, settings)
        worst = (
            None
            if tolerance is None
            else quotes.worst_price(reference, tolerance, quote.rules.tick, order.side)
        )
        return Assessment(
            arguments=arguments,
            market="spot",
            side=order.side,
            price=quote.average if order.type == "market" else None,
            reference_price=reference,
            tolerance_pct=tolerance,
            worst_price=worst,
            value_usdt=quote.value_usdt,
            is_exit=quote.is_exit,
            card=order_card.draw(quote, checks, worst=worst, live=settings.mode is Mode.LIVE),
        )

    def _obey_the_exchange(self, quote: quotes.Quote, settings: Settings) -> None:
        if quote.rate is not None and not quote.is_exit:
            filters.admits_any_order(quote.rules, settings.max_order_value_usdt, quote.rate)
        filters.obey(quote.order, quote.rules, quote.average_price)
        if quote.order.price is not None:
            risk.collar(quote.order.side, quote.order.price, quote.best, settings.limit_collar_pct)

    def namespace(self, terms: Mapping[str, Any]) -> str:
        return str(terms["market"])

    async def submit(
        self, exchange: Exchange, terms: Mapping[str, Any], client_order_id: str, timestamp_ms: int
    ) -> Sent:
        return await exchange.spot.submit(
            order_of(terms["arguments"]), client_order_id=client_order_id, timestamp_ms=timestamp_ms
        )

    async def look_up(
        self, exchange: Exchange, terms: Mapping[str, Any], client_order_id: str
    ) -> Found | None:
        order = await exchange.spot.look_up(terms["arguments"]["symbol"], client_order_id)
        return None if order is None else Found(order=order)

    def result(self, intent: Intent) -> dict[str, Any]:
        return {"success": True, "order": dict(intent.order or {})}

    async def figures_now(self, context: Context, intent: Intent) -> list[Figure]:
        order, venue = order_of(intent.arguments), context.exchange.spot
        book = await venue.book(order.symbol)
        best = quotes.best_of(book, order.side)
        unit = venue.rules(order.symbol).quote
        average = book.walk(order.side, order.amount).average
        if order.price is not None:
            away = percent(order.price - best, best)
            return [
                order_card.now("Market now", best, _reference(intent), unit),
                Figure(label="Limit beside it", value=signed_percent(away)),
            ]
        return [order_card.now("Book average now", average or best, _reference(intent), unit)]


def order_of(arguments: Mapping[str, str]) -> OrderRequest:
    """The order that rounded arguments mean: the same for checks, card and wire."""
    price = arguments.get("price")
    return OrderRequest(
        symbol=arguments["symbol"],
        side="buy" if arguments["side"] == "buy" else "sell",
        type="market" if arguments["type"] == "market" else "limit",
        amount=Decimal(arguments["amount"]),
        price=None if price is None else Decimal(price),
    )


def _checks(quote: quotes.Quote, used: Decimal, limits: Settings) -> list[risk.Check]:
    """`used` is the day's volume in USDT without this order."""
    checks = [
        _balance(quote),
        risk.order_value(quote.value_usdt, limits.max_order_value_usdt, is_exit=quote.is_exit),
        risk.daily_volume(used, quote.value_usdt, limits.max_daily_volume_usdt, is_exit=quote.is_exit),
    ]
    base = quote.rules.base
    if quote.order.side == "buy" and base not in DOLLARS:
        checks.append(risk.position(base, quote.position_usdt, quote.equity, limits.max_position_size_pct))
    return checks


def _balance(quote: quotes.Quote) -> risk.Check:
    """What the order takes: base for a sell; for a buy its value and the fee, in the quote asset."""
    if quote.order.side == "sell":
        return risk.balance(quote.rules.base, quote.order.amount, quote.base.free)
    needed = None if quote.value is None else quote.value * (1 + quote.account.taker_fee)
    return risk.balance(quote.rules.quote, needed, quote.quote.free)


def _tolerance(quote: quotes.Quote, settings: Settings) -> Decimal | None:
    """Only a market order has one. An exit's is off unless it is set."""
    if quote.order.type != "market":
        return None
    return settings.exit_price_tolerance_pct if quote.is_exit else settings.price_tolerance_pct


def _reference(intent: Intent) -> Decimal:
    return Decimal(intent.terms["referencePrice"])
