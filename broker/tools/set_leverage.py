"""binance_set_leverage: HIGH risk, parked until a trader decides."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field

from ..agents import Limits
from ..cards import Figure, Tone
from ..errors import BrokerError, Code, invalid
from ..exchange import Exchange, Market, Sent
from ..intents import Intent
from ..money import grouped
from ..reasons import Why, uncertain
from ..orders import leverage, card, open_intents
from .intent_answer import LeverageAnswer
from .declaration import WHOLE, Context, Look, Symbol
from .high import NEVER_BY_ITSELF, Assessment, Found, HighInput, HighTool, leverage_changed
from .results import LeverageResult, RoundedLeverage

NAMESPACE = "leverage"


class SetLeverageInput(HighInput):
    symbol: Symbol
    leverage: Annotated[
        int, Field(ge=1, le=125, description="Times: 5 means 5×. The operator's limit may be lower."), WHOLE
    ]


class SetLeverage(HighTool):
    name = "binance_set_leverage"
    title = "Ask for another leverage"
    description = (
        "Asks a trader to set the leverage of one futures symbol, also for a position that is open in it. It "
        f"places no order. {NEVER_BY_ITSELF}"
    )
    input = SetLeverageInput
    output = LeverageAnswer
    sends = RoundedLeverage
    has_own_id = False
    found_is_final = False

    def rounded(self, context: Context, arguments: SetLeverageInput) -> Mapping[str, Any]:
        symbol = context.exchange.futures.symbol(arguments.symbol)
        return {"symbol": symbol, "leverage": arguments.leverage}

    async def assess(
        self,
        context: Context,
        arguments: Mapping[str, Any],
        *,
        itself: Intent | None = None,
        looks: Sequence[Look] = (),
    ) -> Assessment:
        symbol, target = arguments["symbol"], arguments["leverage"]
        limits = context.limits
        _require_within(target, limits)
        ours = await open_intents.read(context, "futures", itself)
        if ours.entering(symbol):
            raise BrokerError(
                Code.BINANCE_UNAVAILABLE,
                f"An order of {symbol} is being sent, or its outcome is not known yet: its card told the "
                "leverage that is set now",
            )
        change = await leverage.read(context, symbol, target)
        if change.now.leverage == target:
            raise invalid("leverage", f"is {target}× already")
        checks = leverage.checks(change, ours.changing(symbol), limits)
        looked = card.looked(itself, looks, Market.FUTURES, symbol, context.clock())
        return Assessment(
            arguments=arguments,
            market="futures",
            side=None,
            price=None,
            reference_price=None,
            tolerance_pct=None,
            worst_price=None,
            value_usdt=Decimal(0),
            is_exit=False,
            card=leverage.draw(change, checks, looked),
            previous=str(change.now.leverage),
        )

    def changed(self, terms: Mapping[str, Any], now: Assessment) -> Why | None:
        return leverage_changed(terms, now)

    def namespace(self, terms: Mapping[str, Any]) -> str:
        return NAMESPACE

    async def submit(
        self, exchange: Exchange, terms: Mapping[str, Any], client_order_id: str, timestamp_ms: int
    ) -> Sent:
        """It has no client order id: Binance knows only what is set."""
        symbol, target = terms["arguments"]["symbol"], terms["arguments"]["leverage"]
        return await exchange.futures.set_leverage(symbol, target, timestamp_ms=timestamp_ms)

    async def look_up(
        self, exchange: Exchange, terms: Mapping[str, Any], client_order_id: str
    ) -> Found | None:
        now = await exchange.futures.leverage(terms["arguments"]["symbol"])
        return Found(order=None) if now.leverage == terms["arguments"]["leverage"] else None

    async def not_found(self, exchange: Exchange, terms: Mapping[str, Any]) -> Found:
        """It may have been set, and then changed by somebody else."""
        now = await exchange.futures.leverage(terms["arguments"]["symbol"])
        target = terms["arguments"]["leverage"]
        because = f"the leverage is {now.leverage}× now, not the {target}× asked for"
        return Found(done=False, why=uncertain(because))

    def result(self, intent: Intent) -> LeverageResult:
        symbol, target = intent.arguments["symbol"], intent.arguments["leverage"]
        previous = int(intent.terms["previous"])
        return LeverageResult(
            success=True,
            symbol=symbol,
            leverage=target,
            previousLeverage=previous,
            message=f"Leverage of {symbol} set from {previous}× to {target}×",
        )

    async def figures_now(self, context: Context, intent: Intent) -> list[Figure]:
        venue, symbol = context.exchange.futures, intent.arguments["symbol"]
        now, price = await asyncio.gather(venue.leverage(symbol), venue.last_price(symbol))
        as_asked = str(now.leverage) == intent.terms["previous"]
        return [
            Figure(
                label="Leverage now", value=f"{now.leverage}×", tone=Tone.PLAIN if as_asked else Tone.WARN
            ),
            Figure(label="Last price now", value=f"{grouped(price)} {venue.rules(symbol).quote}"),
        ]


def _require_within(target: int, limits: Limits) -> None:
    if target > limits.leverage:
        whose = "your own" if limits.own_leverage else "MAX_LEVERAGE"
        raise BrokerError(
            Code.LEVERAGE_TOO_HIGH,
            f"leverage: {target}× is above the limit of {limits.leverage}× ({whose})",
            details={"field": "leverage", "leverage": target, "limit": limits.leverage},
        )
