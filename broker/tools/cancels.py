"""Cancelling: MEDIUM risk, passes straight through, audited with the agent and the orders."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

from ..errors import BrokerError, Code
from ..logs import get_logger
from .account import Market
from .declaration import Call, Input, Output, Risk, Symbol, Tool

log = get_logger(__name__)


T = TypeVar("T")

_UNDER_WAY: set[asyncio.Task[Any]] = set()


class CancelOrderInput(Input):
    symbol: Symbol
    orderId: Annotated[str, Field(pattern=r"^[0-9]{1,20}$", description="Binance's id of the order.")]
    market: Market = "spot"
    conditional: Annotated[
        Literal[False], Field(description="Conditional orders come with a later release.")
    ] = False


class CancelledOrder(Output):
    id: str
    symbol: str
    status: Literal["CANCELLED"]


class CancelOrder(Output):
    success: Literal[True]
    cancelledOrder: CancelledOrder


class CancelAllInput(Input):
    symbol: Symbol
    market: Market = "spot"


class CancelAll(Output):
    success: Literal[True]
    cancelledCount: int


async def _cancel_order(call: Call, arguments: CancelOrderInput) -> CancelOrder:
    return await _to_the_end(_cancel_one(call, call.exchange.spot.symbol(arguments.symbol), arguments))


async def _cancel_all(call: Call, arguments: CancelAllInput) -> CancelAll:
    return await _to_the_end(_cancel_each(call, call.exchange.spot.symbol(arguments.symbol)))


async def _to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Its outcome is recorded, also when the client that asked is gone by then."""
    task = asyncio.create_task(work)
    _UNDER_WAY.add(task)
    task.add_done_callback(_ended_alone)
    return await asyncio.shield(task)


def _ended_alone(task: asyncio.Task[Any]) -> None:
    _UNDER_WAY.discard(task)
    if not task.cancelled():
        task.exception()  # nobody may be left to hear of it


async def _cancel_one(call: Call, symbol: str, arguments: CancelOrderInput) -> CancelOrder:
    await _asked(call, symbol, [arguments.orderId])
    try:
        await call.exchange.spot.cancel(symbol, arguments.orderId)
    except BrokerError as error:
        await _ended(call, symbol, [arguments.orderId], error)
        raise _unclear(error, symbol) from None
    await _ended(call, symbol, [arguments.orderId])
    return CancelOrder(
        success=True,
        cancelledOrder=CancelledOrder(id=arguments.orderId, symbol=symbol, status="CANCELLED"),
    )


async def _cancel_each(call: Call, symbol: str) -> CancelAll:
    await _asked(call, symbol, [])
    try:
        cancelled = await call.exchange.spot.cancel_all(symbol)
    except BrokerError as error:
        await _ended(call, symbol, [], error)
        raise _unclear(error, symbol) from None
    await _ended(call, symbol, [str(raw["id"]) for raw in cancelled])
    return CancelAll(success=True, cancelledCount=len(cancelled))


async def _asked(call: Call, symbol: str, orders: list[str]) -> None:
    """Before the request: what cannot be recorded is not sent. Raises STORE_UNAVAILABLE."""
    await call.store.audit("orders:cancel-asked", f"agent:{call.agent}", symbol=symbol, orders=orders)


async def _ended(call: Call, symbol: str, orders: list[str], error: BrokerError | None = None) -> None:
    """The agent is told what Binance said, also when the database fails just now."""
    data: dict[str, Any] = {"symbol": symbol, "orders": orders}
    if error is not None:
        data["error"] = str(error.code)
    kind = "orders:cancelled" if error is None else "orders:cancel-failed"
    try:
        await call.store.audit(kind, f"agent:{call.agent}", **data)
    except BrokerError as trouble:
        log.error("cancel: its outcome is not recorded", kind=kind, error=trouble.message, **data)


def _unclear(error: BrokerError, symbol: str) -> BrokerError:
    """After a time-out nobody knows: the agent is told how to find out."""
    if error.code in (Code.BINANCE_TIMEOUT, Code.BINANCE_UNAVAILABLE):
        error.next_step = {"tool": "binance_get_open_orders", "arguments": {"symbol": symbol}}
    return error


TOOLS = (
    Tool(
        name="binance_cancel_order",
        title="Cancel an order",
        description="Cancels one resting order at once, without a trader's approval. It is recorded.",
        risk=Risk.MEDIUM,
        input=CancelOrderInput,
        output=CancelOrder,
        run=_cancel_order,
        reads_only=False,
    ),
    Tool(
        name="binance_cancel_all_orders",
        title="Cancel all orders of a symbol",
        description="Cancels all resting orders of one symbol at once, without a trader's approval. "
        "It is recorded.",
        risk=Risk.MEDIUM,
        input=CancelAllInput,
        output=CancelAll,
        run=_cancel_all,
        reads_only=False,
    ),
)
