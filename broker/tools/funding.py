"""Funding rates of perpetuals: LOW risk, runs at once."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from ..exchange import Market
from .declaration import Call, Input, Number, Output, Risk, Symbol, Tool

HOURS_A_YEAR: Final = 365 * 24


class FundingInput(Input):
    symbol: Symbol


class FundingRate(Output):
    symbol: str
    fundingRate: Annotated[Number, Field(description="A fraction per interval; longs pay when positive.")]
    fundingTimestamp: Annotated[int, Field(description="When funding was last settled.")]
    nextFundingTime: int
    intervalHours: int
    annualized: Annotated[Number, Field(description="Percent a year, without compounding.")]


async def _funding(call: Call, arguments: FundingInput) -> FundingRate:
    funding = await call.exchange.futures.funding(arguments.symbol)
    return FundingRate(
        symbol=funding.symbol,
        fundingRate=funding.rate,
        fundingTimestamp=funding.last_time_ms,
        nextFundingTime=funding.next_time_ms,
        intervalHours=funding.interval_hours,
        annualized=round(funding.rate * 100 * HOURS_A_YEAR / funding.interval_hours, 6),
    )


TOOLS = (
    Tool(
        name="binance_get_funding_rate",
        title="Funding rate",
        description="What longs pay shorts on one USDT-margined perpetual, and when. fundingRate is a "
        "fraction per interval (0.0001 is 0.01 %); if negative, shorts pay longs. annualized is in "
        "percent.",
        risk=Risk.LOW,
        input=FundingInput,
        output=FundingRate,
        run=_funding,
        market=Market.FUTURES,
    ),
)
