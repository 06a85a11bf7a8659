"""binance_create_order: HIGH risk, parked until a trader decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ..cards import Figure
from ..errors import invalid
from ..exchange import Market
from ..intents import Intent
from ..money import floor_to, percent, plain, round_price, signed_percent
from ..reasons import Why
from ..settings import Mode, Settings
from ..orders import futures_quote, card, checks, quote, spot_quote
from .intent_answer import OrderAnswer
from .declaration import A_NUMBER, Context, Look, MarketName, Positive, Symbol
from ..orders.futures_quote import FuturesQuote
from .high import NEVER_BY_ITSELF, Assessment, HighInput, leverage_changed
from .order_tool import OrderTool
from ..orders.request import order_of
from ..orders.records import contract_order
from ..orders.quote import Quote
from .results import OrderResult, PlacedOrder, RoundedOrder


class CreateOrderInput(HighInput):
    symbol: Symbol
    side: Annotated[Literal["buy", "sell"], Field(description="What to do with the base asset.")]
    type: Annotated[
        Literal["market", "limit", "stop_loss", "take_profit"],
        Field(
            description="market: at once, at the best prices there are. limit: at price or better, else it "
            "rests. stop_loss and take_profit: wait for stopPrice, then trade at market, or, with price, as "
            "a limit order."
        ),
    ] = "market"
    amount: Annotated[Positive, Field(description=f"In the base asset, never in USDT. {A_NUMBER}")]
    price: Annotated[
        Positive | None,
        Field(
            description="The limit, in the quote asset: needed for type limit, refused for type market, and "
            f"for the others what makes them limit orders. {A_NUMBER}"
        ),
    ] = None
    stopPrice: Annotated[
        Positive | None,
        Field(
            description="At which last price (on futures as well) a stop_loss or take_profit triggers, in "
            f"the quote asset; only for these two. {A_NUMBER}"
        ),
    ] = None
    market: MarketName = "spot"
    reduceOnly: Annotated[
        bool | None,
        Field(
            description="Futures only: true can only close a position, never open or turn one. Left out: "
            "true for stop_loss and take_profit, false for market and limit."
        ),
    ] = None

    @model_validator(mode="after")
    def _prices_go_with_the_type(self) -> CreateOrderInput:
        waits = self.type in ("stop_loss", "take_profit")
        if self.type == "limit" and self.price is None:
            raise invalid("price", "a limit order needs a price")
        if self.type == "market" and self.price is not None:
            raise invalid("price", "a market order carries no price; leave it out, or ask for type limit")
        if waits and self.stopPrice is None:
            raise invalid("stopPrice", f"a {self.type} order needs the price at which it triggers")
        if not waits and self.stopPrice is not None:
            raise invalid(
                "stopPrice", f"a {self.type} order has no trigger; ask for stop_loss or take_profit"
            )
        if self.reduceOnly is not None and self.market == "spot":
            raise invalid("reduceOnly", "is for market futures only")
        return self

    @property
    def reduces(self) -> bool:
        return self.stopPrice is not None if self.reduceOnly is None else self.reduceOnly


class CreateOrder(OrderTool):
    name = "binance_create_order"
    title = "Ask for an order"
    description = (
        "Asks a trader to place ONE order, on spot (the default) or on USDT-margined perpetuals "
        "(market=futures). amount is in the base asset (BTC of BTCUSDT), never in USDT: divide by the price "
        "first. amount is rounded down to the symbol's step, prices to its tick; rounded tells what would be "
        f"sent. {NEVER_BY_ITSELF}"
    )
    input = CreateOrderInput
    output = OrderAnswer
    sends = RoundedOrder

    def rounded(self, context: Context, arguments: CreateOrderInput) -> Mapping[str, Any]:
        venue = context.exchange.on(arguments.market)
        symbol = venue.symbol(arguments.symbol)
        rules = venue.rules(symbol)
        amount = floor_to(arguments.amount, rules.step)
        if not amount:
            step = plain(rules.step)
            raise invalid("amount", f"rounds down to nothing at the step {step}", step=step)
        text: dict[str, Any] = {
            "symbol": symbol,
            "side": arguments.side,
            "type": arguments.type,
            "amount": plain(amount),
            "market": arguments.market,
        }
        for name, price in (("price", arguments.price), ("stopPrice", arguments.stopPrice)):
            if price is not None:
                text[name] = plain(round_price(price, rules.tick, arguments.side))
        if arguments.market == "futures":
            text["reduceOnly"] = arguments.reduces
        return text

    def may_leave(self, context: Context, rounded: Mapping[str, Any]) -> bool:
        order = order_of(rounded)
        if order.market is Market.FUTURES:
            return order.reduce_only
        rules = context.exchange.spot.rules(order.symbol)
        return spot_quote.may_exit(order, rules, context.settings.cash)

    async def assess(
        self,
        context: Context,
        arguments: Mapping[str, Any],
        *,
        itself: Intent | None = None,
        looks: Sequence[Look] = (),
    ) -> Assessment:
        order, settings, now = order_of(arguments), context.settings, context.clock()
        quote = await _read(context, arguments, itself)
        if itself is None:
            checks.obey_the_exchange(quote, context)
        checks.require_waiting(quote)
        tolerance = _tolerance(quote, settings)
        worst = quote.worst_for(quote, tolerance)
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
            is_exit=quote.is_exit,
            previous=_leverage(quote),
            card=card.draw(
                quote,
                checks.checks(quote, context),
                worst=worst,
                live=settings.mode is Mode.LIVE,
                looked=card.looked(itself, looks, order.market, order.symbol, now),
            ),
        )

    def changed(self, terms: Mapping[str, Any], now: Assessment) -> Why | None:
        """Also when the leverage that its card showed is no longer set."""
        return leverage_changed(terms, now) or super().changed(terms, now)

    def result(self, intent: Intent) -> OrderResult | None:
        if intent.order is None:
            return None
        return OrderResult(success=True, order=PlacedOrder.model_validate(contract_order(intent.order)))

    async def figures_now(self, context: Context, intent: Intent) -> list[Figure]:
        order = order_of(intent.arguments)
        venue = context.exchange.on(order.market)
        unit, asked_at = venue.rules(order.symbol).quote, _reference(intent)
        if order.stop_price is not None:
            last = await venue.last_price(order.symbol)
            away = signed_percent(percent(order.stop_price - last, last))
            return [
                card.now("Last price now", last, asked_at, unit),
                Figure(label="Trigger beside it", value=away),
            ]
        book = await venue.book(order.symbol)
        best = quote.best_of(book, order.side)
        if order.price is not None:
            return [
                card.now("Market now", best, asked_at, unit),
                Figure(label="Limit beside it", value=signed_percent(percent(order.price - best, best))),
            ]
        average = book.walk(order.side, order.amount).average
        return [card.now("Book average now", average or best, asked_at, unit)]


async def _read(context: Context, arguments: Mapping[str, Any], itself: Intent | None) -> Quote:
    order = order_of(arguments)
    if order.market == "spot":
        return await spot_quote.read(context, order, itself)
    quote = await futures_quote.read(context, order, itself)
    if order.reduce_only:
        futures_quote.reducible(quote.position, order.symbol, order.side)
    return quote


def _leverage(quote: Quote) -> str | None:
    """What a futures entry is asked for with."""
    if not isinstance(quote, FuturesQuote) or quote.is_exit or quote.leverage is None:
        return None
    return str(quote.leverage)


def _tolerance(quote: Quote, settings: Settings) -> Decimal | None:
    """Only a market order has one. An exit's is off unless it is set."""
    if quote.order.type != "market":
        return None
    return settings.exit_price_tolerance_pct if quote.is_exit else settings.price_tolerance_pct


def _reference(intent: Intent) -> Decimal | None:
    reference = intent.terms["referencePrice"]
    return None if reference is None else Decimal(reference)
