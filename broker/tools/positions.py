"""Open futures positions: MEDIUM risk, runs at once."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ..exchange import Market, Position
from .declaration import Call, Input, Number, Output, Risk, Symbol, Tool


class PositionsInput(Input):
    symbol: Annotated[Symbol | None, Field(description="Default: all symbols.")] = None


class OpenPosition(Output):
    symbol: str
    side: Literal["LONG", "SHORT"]
    size: Number
    entryPrice: Number
    markPrice: Number
    unrealizedPnL: Number
    leverage: int
    liquidationPrice: Number | None
    marginType: Literal["cross", "isolated"]


class Positions(Output):
    positions: list[OpenPosition]
    count: int


async def _positions(call: Call, arguments: PositionsInput) -> Positions:
    venue = call.exchange.futures
    symbol = None if arguments.symbol is None else venue.symbol(arguments.symbol)
    positions = [_position(position) for position in await venue.positions(symbol)]
    return Positions(positions=positions, count=len(positions))


def _position(position: Position) -> OpenPosition:
    return OpenPosition(
        symbol=position.symbol,
        side=position.side,
        size=position.size,
        entryPrice=position.entry_price,
        markPrice=position.mark_price,
        unrealizedPnL=position.unrealized,
        leverage=position.leverage,
        liquidationPrice=position.liquidation_price,
        marginType=position.margin_type,
    )


TOOLS = (
    Tool(
        name="binance_get_futures_positions",
        title="Futures positions",
        description="Open futures positions, of one symbol or all. size is in the base asset and never "
        "negative: side says LONG or SHORT. unrealizedPnL is in USDT. For spot holdings use "
        "binance_get_account.",
        risk=Risk.MEDIUM,
        input=PositionsInput,
        output=Positions,
        run=_positions,
        market=Market.FUTURES,
    ),
)
