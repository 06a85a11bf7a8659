"""Cancelling: MEDIUM risk, passes straight through, audited with the agent and the orders."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from pydantic import Field, model_validator

from ..errors import BrokerError, Code, invalid
from ..exchange import RestingOrder
from ..logs import get_logger
from .declaration import Call, Input, MarketName, Risk, Symbol, Tool
from .results import CancelAllResult, CancelledOrder, CancelResult

log = get_logger(__name__)


T = TypeVar("T")

UNLESS_CONFIRMED: Final = (
    "Where the operator wants to be asked first, one that takes a protection away (a stop, a take-profit, a "
    "reduce-only order) waits for a trader instead: then the answer says status=pending."
)

_UNDER_WAY: set[asyncio.Task[Any]] = set()


class CancelOrderInput(Input):
    symbol: Symbol
    orderId: Annotated[str, Field(pattern=r"^[0-9]{1,20}$", description="Binance's id of the order.")]
    market: MarketName = "spot"
    conditional: Annotated[
        bool, Field(description="Whether it is one of futures' conditional orders, as open orders say.")
    ] = False

    @model_validator(mode="after")
    def _conditional_on_futures(self) -> CancelOrderInput:
        if self.conditional and self.market == "spot":
            raise invalid("conditional", "is for market futures only; spot stops are plain orders")
        return self


class CancelAllInput(Input):
    symbol: Symbol
    market: MarketName = "spot"


@dataclass(frozen=True, kw_only=True)
class Cancelling:
    """What is about to go, as far as it could be read; for the record."""

    call: Call
    market: str
    symbol: str
    orders: Sequence[str]
    protective: bool

    async def asked(self) -> None:
        """Before the request: what cannot be recorded is not sent. Raises STORE_UNAVAILABLE."""
        await self.call.store.audit("orders:cancel-asked", self._actor, **self._data(self.orders))

    async def ended(self, orders: Sequence[str], error: BrokerError | None = None) -> None:
        """The agent is told what Binance said, also when the database fails just now."""
        data = self._data(orders)
        if error is not None:
            data["error"] = str(error.code)
        kind = "orders:cancelled" if error is None else "orders:cancel-failed"
        try:
            await self.call.store.audit(kind, self._actor, **data)
        except BrokerError as trouble:
            log.error("cancel: its outcome is not recorded", kind=kind, error=trouble.message, **data)

    def unclear(self, error: BrokerError) -> BrokerError:
        """After a time-out nobody knows: the agent is told how to find out."""
        if error.code in (Code.BINANCE_TIMEOUT, Code.BINANCE_UNAVAILABLE):
            arguments = {"symbol": self.symbol, "market": self.market}
            error.next_step = {"tool": "binance_get_open_orders", "arguments": arguments}
        return error

    @property
    def _actor(self) -> str:
        return f"agent:{self.call.agent}"

    def _data(self, orders: Sequence[str]) -> dict[str, Any]:
        data: dict[str, Any] = {"market": self.market, "symbol": self.symbol, "orders": list(orders)}
        return {**data, "protective": True} if self.protective else data


async def _cancel_order(call: Call, arguments: CancelOrderInput) -> CancelResult:
    return await _to_the_end(_cancel_one(call, arguments))


async def _cancel_all(call: Call, arguments: CancelAllInput) -> CancelAllResult:
    return await _to_the_end(_cancel_each(call, arguments))


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


async def _cancel_one(call: Call, arguments: CancelOrderInput) -> CancelResult:
    venue, order_id = call.exchange.on(arguments.market), arguments.orderId
    symbol = venue.symbol(arguments.symbol)
    wanted = (order_id, arguments.conditional)
    known = [
        one for one in await _resting(call, arguments.market, symbol) if (one.id, one.conditional) == wanted
    ]
    cancelling = Cancelling(
        call=call,
        market=arguments.market,
        symbol=symbol,
        orders=[order_id],
        protective=any(order.protective for order in known),
    )
    await cancelling.asked()
    try:
        await venue.cancel(symbol, order_id, conditional=arguments.conditional)
    except BrokerError as error:
        await cancelling.ended([order_id], error)
        raise cancelling.unclear(error) from None
    await cancelling.ended([order_id])
    return CancelResult(
        success=True, cancelledOrder=CancelledOrder(id=order_id, symbol=symbol, status="CANCELLED")
    )


async def _cancel_each(call: Call, arguments: CancelAllInput) -> CancelAllResult:
    venue = call.exchange.on(arguments.market)
    symbol = venue.symbol(arguments.symbol)
    known = await _resting(call, arguments.market, symbol)
    cancelling = Cancelling(
        call=call,
        market=arguments.market,
        symbol=symbol,
        orders=[order.id for order in known],
        protective=any(order.protective for order in known),
    )
    await cancelling.asked()
    try:
        cancelled = await venue.cancel_all(symbol)
    except BrokerError as error:
        await cancelling.ended(cancelling.orders, error)
        raise cancelling.unclear(error) from None
    await cancelling.ended(cancelled)
    return CancelAllResult(success=True, cancelledCount=len(cancelled))


async def _resting(call: Call, market: str, symbol: str) -> Sequence[RestingOrder]:
    """Read for the record alone: where it cannot be, cancelling goes on."""
    try:
        return await call.exchange.on(market).open_orders(symbol)
    except BrokerError as error:
        log.warning("cancel: open orders could not be read before it", symbol=symbol, error=error.message)
        return ()


TOOLS = (
    Tool(
        name="binance_cancel_order",
        title="Cancel an order",
        description="Cancels one resting order at once, without a trader's approval. It is recorded. "
        f"{UNLESS_CONFIRMED}",
        risk=Risk.MEDIUM,
        input=CancelOrderInput,
        output=CancelResult,
        run=_cancel_order,
        reads_only=False,
    ),
    Tool(
        name="binance_cancel_all_orders",
        title="Cancel all orders of a symbol",
        description="Cancels all resting orders of one symbol at once, without a trader's approval. "
        f"It is recorded. {UNLESS_CONFIRMED}",
        risk=Risk.MEDIUM,
        input=CancelAllInput,
        output=CancelAllResult,
        run=_cancel_all,
        reads_only=False,
    ),
)
