"""binance_create_order: HIGH risk, waits for a trader's approval."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from ..arguments import Arguments, OrderArguments
from ..cards import Figure
from ..errors import invalid
from ..exchange import Market
from ..intents import Intent, Terms
from ..money import floor_to, percent, plain, round_price, signed_percent
from ..orders import card, checks, futures_quote, spot_quote
from ..orders.context import AgentContext, Context
from ..orders.futures_quote import FuturesQuote
from ..orders.quote import Quote, best_of, worst_for
from ..orders.records import contract_order
from ..orders.request import order_of
from ..reasons import Why
from ..settings import Mode, Settings
from .declaration import A_NUMBER, MarketName, Positive, Symbol
from .high import NEVER_BY_ITSELF, Assessment, HighInput, leverage_changed
from .intent_answer import OrderAnswer
from .order_tool import OrderTool
from .results import OrderResult, PlacedOrder, RoundedOrder


class CreateOrderInput(HighInput):
    symbol: Symbol
    side: Annotated[Literal["buy", "sell"], Field(description="What to do with the base asset.")]
    type: Annotated[
        Literal["market", "limit", "stop_loss", "take_profit"],
        Field(
            description="market: at once, at the best available prices. limit: at price or better; what is "
            "not filled stays open. stop_loss and take_profit: wait for stopPrice, then trade at market, or "
            "as a limit order if price is given."
        ),
    ] = "market"
    amount: Annotated[Positive, Field(description=f"In the base asset, never in USDT. {A_NUMBER}")]
    price: Annotated[
        Positive | None,
        Field(
            description="The limit price, in the quote asset. Required for limit, refused for market. It "
            f"makes a stop_loss or take_profit a limit order. {A_NUMBER}"
        ),
    ] = None
    stopPrice: Annotated[
        Positive | None,
        Field(
            description="The last price (also on futures) at which a stop_loss or take_profit triggers, in "
            f"the quote asset. Only for these two types. {A_NUMBER}"
        ),
    ] = None
    market: MarketName = "spot"
    reduceOnly: Annotated[
        bool | None,
        Field(
            description="Futures only. true: can only reduce or close a position, never open or reverse one. "
            "Default: true for stop_loss and take_profit, false for market and limit."
        ),
    ] = None

    @model_validator(mode="after")
    def _prices_go_with_the_type(self) -> CreateOrderInput:
        conditional = self.type in ("stop_loss", "take_profit")
        if self.type == "limit" and self.price is None:
            raise invalid("price", "a limit order needs a price")
        if self.type == "market" and self.price is not None:
            raise invalid("price", "a market order has no price; leave it out, or use type limit")
        if conditional and self.stopPrice is None:
            raise invalid("stopPrice", f"a {self.type} order needs a trigger price")
        if not conditional and self.stopPrice is not None:
            raise invalid(
                "stopPrice", f"a {self.type} order has no trigger; use type stop_loss or take_profit"
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
        "first. amount is rounded down to the symbol's step, prices to its tick; rounded is what would be "
        f"sent. {NEVER_BY_ITSELF}"
    )
    input = CreateOrderInput
    output = OrderAnswer
    sends = RoundedOrder

    def rounded(self, context: Context, arguments: CreateOrderInput) -> OrderArguments:
        venue = context.exchange.on(arguments.market)
        symbol = venue.symbol(arguments.symbol)
        rules = venue.rules(symbol)
        amount = floor_to(arguments.amount, rules.step)
        if not amount:
            step = plain(rules.step)
            raise invalid("amount", f"is less than one step ({step})", step=step)
        optional: dict[str, Any] = {}
        for name, price in (("price", arguments.price), ("stop_price", arguments.stopPrice)):
            if price is not None:
                optional[name] = round_price(price, rules.tick, arguments.side)
        if arguments.market == "futures":
            optional["reduce_only"] = arguments.reduces
        return OrderArguments(
            symbol=symbol,
            side=arguments.side,
            type=arguments.type,
            amount=amount,
            market=Market(arguments.market),
            **optional,
        )

    def may_leave(self, context: Context, rounded: Arguments) -> bool:
        order = order_of(rounded)
        if order.market is Market.FUTURES:
            return order.reduce_only
        rules = context.exchange.spot.rules(order.symbol)
        return spot_quote.may_exit(order, rules, context.settings.cash)

    async def assess(
        self, context: AgentContext, arguments: Arguments, *, itself: Intent | None
    ) -> Assessment:
        order, settings = order_of(arguments), context.settings
        quote = await _read(context, arguments, itself)
        if itself is None:
            checks.obey_the_exchange(quote, context)
        checks.require_waiting(quote)
        tolerance = _tolerance(quote, settings)
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
            is_exit=quote.is_exit,
            previous=_leverage(quote),
            card=card.draw(
                quote,
                checks.checks(quote, context),
                worst=worst,
                live=settings.mode is Mode.LIVE,
            ),
        )

    def changed(self, terms: Terms, now: Assessment) -> Why | None:
        """Adds the leverage to the checks of the base class."""
        return leverage_changed(terms, now) or super().changed(terms, now)

    def result(self, intent: Intent) -> OrderResult | None:
        if intent.order is None:
            return None
        return OrderResult(success=True, order=PlacedOrder.model_validate(contract_order(intent.order)))

    async def figures_now(self, context: Context, intent: Intent) -> list[Figure]:
        order = order_of(intent.arguments)
        venue = context.exchange.on(order.market)
        unit, asked_at = venue.rules(order.symbol).quote, intent.terms.reference_price
        if order.stop_price is not None:
            last = await venue.last_price(order.symbol)
            away = signed_percent(percent(order.stop_price - last, last))
            return [
                card.now("Last price now", last, asked_at, unit),
                Figure(label="Trigger vs last price", value=away),
            ]
        book = await venue.book(order.symbol)
        best = best_of(book, order.side)
        if order.price is not None:
            return [
                card.now("Market now", best, asked_at, unit),
                Figure(label="Limit vs market", value=signed_percent(percent(order.price - best, best))),
            ]
        average = book.walk(order.side, order.amount).average
        return [card.now("Book average now", average or best, asked_at, unit)]


async def _read(context: AgentContext, arguments: Arguments, itself: Intent | None) -> Quote:
    order = order_of(arguments)
    if order.market == "spot":
        return await spot_quote.read(context, order, itself)
    quote = await futures_quote.read(context, order, itself)
    if order.reduce_only:
        futures_quote.reducible(quote.position, order.symbol, order.side)
    return quote


def _leverage(quote: Quote) -> str | None:
    """The leverage set now, for a futures entry; None for other orders."""
    if not isinstance(quote, FuturesQuote) or quote.is_exit or quote.leverage is None:
        return None
    return str(quote.leverage)


def _tolerance(quote: Quote, settings: Settings) -> Decimal | None:
    """The price tolerance in percent; None for any price. Only market orders have one."""
    if quote.order.type != "market":
        return None
    return settings.exit_price_tolerance_pct if quote.is_exit else settings.price_tolerance_pct
