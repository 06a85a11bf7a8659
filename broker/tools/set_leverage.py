"""binance_set_leverage: HIGH risk, waits for a trader's approval."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Annotated

from pydantic import Field

from ..agents import Limits
from ..arguments import Arguments, LeverageArguments
from ..cards import Figure, Tone
from ..errors import BrokerError, Code, invalid
from ..exchange import Exchange, Sent
from ..intents import Intent, Terms
from ..money import grouped
from ..orders import leverage, open_intents
from ..orders.context import AgentContext, Context
from ..reasons import Why, uncertain
from .declaration import WHOLE, Symbol
from .high import NEVER_BY_ITSELF, Assessment, Found, HighInput, HighTool, leverage_changed
from .intent_answer import LeverageAnswer
from .results import LeverageResult, RoundedLeverage

NAMESPACE = "leverage"


class SetLeverageInput(HighInput):
    symbol: Symbol
    leverage: Annotated[
        int, Field(ge=1, le=125, description="5 means 5×. The operator's limit may be lower."), WHOLE
    ]


class SetLeverage(HighTool):
    name = "binance_set_leverage"
    title = "Ask to change the leverage"
    description = (
        "Asks a trader to set the leverage of one futures symbol. This also applies to an open position. It "
        f"places no order. {NEVER_BY_ITSELF}"
    )
    input = SetLeverageInput
    output = LeverageAnswer
    sends = RoundedLeverage
    has_own_id = False
    found_is_final = False

    def rounded(self, context: Context, arguments: SetLeverageInput) -> LeverageArguments:
        symbol = context.exchange.futures.symbol(arguments.symbol)
        return LeverageArguments(symbol=symbol, leverage=arguments.leverage)

    async def assess(
        self, context: AgentContext, arguments: Arguments, *, itself: Intent | None
    ) -> Assessment:
        symbol, target = _symbol_and_leverage(arguments)
        limits = context.limits
        _require_within(target, limits)
        other_intents = await open_intents.read(context, "futures", itself)
        if other_intents.entering(symbol):
            raise BrokerError(
                Code.BINANCE_UNAVAILABLE,
                f"An order in {symbol} is being sent, or its outcome is not known yet. Its card showed the "
                "current leverage",
            )
        change = await leverage.read(context, symbol, target)
        if change.now.leverage == target:
            raise invalid("leverage", f"is already {target}×")
        checks = leverage.checks(change, other_intents.changing(symbol), limits)
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
            card=leverage.draw(change, checks),
            previous=str(change.now.leverage),
        )

    def changed(self, terms: Terms, now: Assessment) -> Why | None:
        return leverage_changed(terms, now)

    def namespace(self, terms: Terms) -> str:
        return NAMESPACE

    async def submit(self, exchange: Exchange, terms: Terms, client_order_id: str, timestamp_ms: int) -> Sent:
        """Set the leverage. There is no client order id: Binance only knows the current setting."""
        symbol, target = _symbol_and_leverage(terms.arguments)
        return await exchange.futures.set_leverage(symbol, target, timestamp_ms=timestamp_ms)

    async def look_up(self, exchange: Exchange, terms: Terms, client_order_id: str) -> Found | None:
        symbol, target = _symbol_and_leverage(terms.arguments)
        now = await exchange.futures.leverage(symbol)
        return Found(order=None) if now.leverage == target else None

    async def not_found(self, exchange: Exchange, terms: Terms) -> Found:
        """Uncertain: it may have been set and then changed by someone else."""
        symbol, target = _symbol_and_leverage(terms.arguments)
        now = await exchange.futures.leverage(symbol)
        note = f"the leverage is {now.leverage}× now, not the {target}× asked for"
        return Found(done=False, why=uncertain(note))

    def result(self, intent: Intent) -> LeverageResult:
        symbol, target = _symbol_and_leverage(intent.arguments)
        previous = int(intent.terms.previous or 0)
        return LeverageResult(
            success=True,
            symbol=symbol,
            leverage=target,
            previousLeverage=previous,
            message=f"Leverage of {symbol} set from {previous}× to {target}×",
        )

    async def figures_now(self, context: Context, intent: Intent) -> list[Figure]:
        venue, symbol = context.exchange.futures, intent.arguments.symbol
        now, price = await asyncio.gather(venue.leverage(symbol), venue.last_price(symbol))
        unchanged = str(now.leverage) == intent.terms.previous
        return [
            Figure(
                label="Leverage now", value=f"{now.leverage}×", tone=Tone.PLAIN if unchanged else Tone.WARN
            ),
            Figure(label="Last price now", value=f"{grouped(price)} {venue.rules(symbol).quote}"),
        ]


def _require_within(target: int, limits: Limits) -> None:
    if target > limits.leverage:
        limit_name = "your own" if limits.own_leverage else "MAX_LEVERAGE"
        raise BrokerError(
            Code.LEVERAGE_TOO_HIGH,
            f"leverage: {target}× is above the limit of {limits.leverage}× ({limit_name})",
            details={"field": "leverage", "leverage": target, "limit": limits.leverage},
        )


def _symbol_and_leverage(arguments: Arguments) -> tuple[str, int]:
    asked = LeverageArguments.of(arguments)
    return asked.symbol, asked.leverage
