"""Cancelling orders: MEDIUM risk, runs at once, audited with the agent and the orders."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from pydantic import Field, model_validator
from sqlalchemy import Connection

from ..errors import BrokerError, Code, invalid
from ..events import EventKind
from ..exchange import RestingOrder
from ..logs import get_logger
from ..orders.quote import SOON_SECONDS, attempt
from .cancel_events import PROTECTIVE
from .declaration import Call, Input, MarketName, Risk, Symbol, Tool
from .results import CancelAllResult, CancelledOrder, CancelResult

log = get_logger(__name__)


T = TypeVar("T")

CANCEL_ONE: Final = "binance_cancel_order"
CANCEL_ALL: Final = "binance_cancel_all_orders"

UNLESS_CONFIRMED: Final = (
    "If the operator has turned it on, cancelling a protective order (a stop, a take-profit, a "
    "reduce-only order) needs a trader's approval: then the answer says status=pending and nothing was "
    "cancelled yet. A request that waits for a trader is not an order: withdraw it with intent_cancel."
)

PERHAPS_DONE: Final = frozenset({Code.BINANCE_TIMEOUT, Code.BINANCE_UNAVAILABLE, Code.BINANCE_REFUSED})
"""Errors after which an order may be gone anyway: a DELETE that is sent again gets "no such order"."""

_RUNNING: set[asyncio.Task[Any]] = set()


class CancelOrderInput(Input):
    symbol: Symbol
    orderId: Annotated[
        str, Field(pattern=r"^[0-9]{1,20}$", description="Its id from binance_get_open_orders.")
    ]
    market: MarketName = "spot"
    conditional: Annotated[
        bool, Field(description="From binance_get_open_orders; it is true only for futures.")
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
    """Records a cancel in the audit log.

    `orders`: the ids to cancel. `known`: those that were open before; None if that could not be read, and
    then each may be protective.
    """

    call: Call
    tool: str
    market: str
    symbol: str
    orders: Sequence[str]
    known: Sequence[RestingOrder] | None

    async def asked(self) -> None:
        """Record the cancel before it is sent, and check again that the agent may do it.

        Raises STORE_UNAVAILABLE, UNAUTHORIZED, TOOL_NOT_ALLOWED, SYMBOL_NOT_ALLOWED.
        """
        store = self.call.store

        def transaction(connection: Connection) -> None:
            store.agents.named(connection, self.call.agent.name).require(self.tool, self.symbol)
            store.record(connection, EventKind.ORDERS_CANCEL_ASKED, self._actor, **self._data(self.orders))

        await store.database.write(transaction)

    async def answered(self, cancelled: Sequence[str]) -> Sequence[str]:
        """Record the result and return the cancelled ids: those in Binance's answer and those no longer open.

        A DELETE that was sent again after a lost connection finds no orders, so its answer names none.
        """
        unnamed = [order for order in self.orders if order not in cancelled]
        gone, unread = await self._gone(unnamed) if unnamed else ([], False)
        await self._record(EventKind.ORDERS_CANCELLED, [*cancelled, *gone])
        if still := [order for order in unnamed if order not in gone]:
            await self._record(
                EventKind.ORDERS_CANCEL_UNCLEAR if unread else EventKind.ORDERS_CANCEL_FAILED, still
            )
        return [*cancelled, *gone]

    async def failed(self, error: BrokerError) -> BrokerError:
        """Record the failure. Returns the error for the agent, with a next step if the result is unknown."""
        if error.code not in PERHAPS_DONE:
            await self._record(EventKind.ORDERS_CANCEL_FAILED, self.orders, error)
            return error
        gone, unread = await self._gone(self.orders)
        if gone:
            await self._record(EventKind.ORDERS_CANCELLED, gone)
        still = [order for order in self.orders if order not in gone]
        if still or not gone:
            certain = self.known == [] or (error.code is Code.BINANCE_REFUSED and not unread)
            await self._record(
                EventKind.ORDERS_CANCEL_FAILED if certain else EventKind.ORDERS_CANCEL_UNCLEAR, still, error
            )
        arguments = {"symbol": self.symbol, "market": self.market}
        error.next_step = {
            "say": "It may be cancelled anyway. Check what is still open before you cancel again.",
            "tool": "binance_get_open_orders",
            "arguments": arguments,
        }
        return error

    async def _gone(self, orders: Sequence[str]) -> tuple[list[str], bool]:
        """The orders that were open before and no longer are, and whether that could not be read."""
        open_orders = self.call.exchange.on(self.market).open_orders(self.symbol)
        now = await attempt(open_orders, seconds=SOON_SECONDS)
        if self.known is None or isinstance(now, BrokerError):
            return [], True
        open_keys = {_key(order) for order in now}
        gone = [order.id for order in self.known if order.id in orders and _key(order) not in open_keys]
        return gone, False

    async def _record(self, kind: EventKind, orders: Sequence[str], error: BrokerError | None = None) -> None:
        """Record it. If the database fails, log it instead: the agent still gets Binance's answer."""
        data = self._data(orders)
        if error is not None:
            data["error"] = str(error.code)
        try:
            await self.call.store.audit(kind, self._actor, **data)
        except BrokerError as store_error:
            log.error("cancel: its outcome is not recorded", kind=kind, error=store_error.message, **data)

    @property
    def _actor(self) -> str:
        return f"agent:{self.call.agent.name}"

    def _data(self, orders: Sequence[str]) -> dict[str, Any]:
        data: dict[str, Any] = {"market": self.market, "symbol": self.symbol, "orders": list(orders)}
        if self.known is None:
            return {**data, PROTECTIVE: True, "unread": True}
        protects = any(one.protective for one in self.known if one.id in orders)
        return {**data, PROTECTIVE: True} if protects else data


async def _cancel_order(call: Call, arguments: CancelOrderInput) -> CancelResult:
    return await _run_to_end(_cancel_one(call, arguments))


async def _cancel_all(call: Call, arguments: CancelAllInput) -> CancelAllResult:
    return await _run_to_end(_cancel_each(call, arguments))


async def _run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end even if the client disconnects, so that the outcome is recorded."""
    task = asyncio.create_task(work)
    _RUNNING.add(task)
    task.add_done_callback(_discard)
    return await asyncio.shield(task)


def _discard(task: asyncio.Task[Any]) -> None:
    _RUNNING.discard(task)
    if not task.cancelled():
        task.exception()  # mark it as retrieved: the caller may be gone


async def _cancel_one(call: Call, arguments: CancelOrderInput) -> CancelResult:
    venue, order_id = call.exchange.on(arguments.market), arguments.orderId
    symbol = venue.symbol(arguments.symbol)
    wanted = (order_id, arguments.conditional)
    resting = await _resting(call, arguments.market, symbol)
    cancelling = Cancelling(
        call=call,
        tool=CANCEL_ONE,
        market=arguments.market,
        symbol=symbol,
        orders=[order_id],
        known=None if resting is None else [order for order in resting if _key(order) == wanted],
    )
    if arguments.conditional and not cancelling.known:
        await _require_symbol(call, symbol, order_id)
    await cancelling.asked()
    try:
        await venue.cancel(symbol, order_id, conditional=arguments.conditional)
    except BrokerError as error:
        raise await cancelling.failed(error) from None
    await cancelling.answered([order_id])
    return CancelResult(
        success=True, cancelledOrder=CancelledOrder(id=order_id, symbol=symbol, status="CANCELLED")
    )


async def _require_symbol(call: Call, symbol: str, order_id: str) -> None:
    """Check that the conditional order belongs to the symbol: Binance cancels it by its id alone.

    Raises NOTHING_TO_CANCEL, and the errors of reads.
    """
    if await call.exchange.futures.find(symbol, order_id, conditional=True) is None:
        raise BrokerError(
            Code.NOTHING_TO_CANCEL,
            f"{symbol} has no conditional order with this id. Nothing was cancelled.",
            details={"symbol": symbol, "orderId": order_id},
        )


async def _cancel_each(call: Call, arguments: CancelAllInput) -> CancelAllResult:
    venue = call.exchange.on(arguments.market)
    symbol = venue.symbol(arguments.symbol)
    known = await _resting(call, arguments.market, symbol)
    cancelling = Cancelling(
        call=call,
        tool=CANCEL_ALL,
        market=arguments.market,
        symbol=symbol,
        orders=[order.id for order in known or ()],
        known=known,
    )
    await cancelling.asked()
    try:
        cancelled = await venue.cancel_all(symbol)
    except BrokerError as error:
        raise await cancelling.failed(error) from None
    return CancelAllResult(success=True, cancelledCount=len(await cancelling.answered(cancelled)))


def _key(order: RestingOrder) -> tuple[str, bool]:
    """Conditional orders have their own ids, which may equal those of other orders."""
    return order.id, order.conditional


async def _resting(call: Call, market: str, symbol: str) -> Sequence[RestingOrder] | None:
    """The open orders, for the audit log. If they cannot be read, the cancel goes on: returns None."""
    try:
        return await call.exchange.on(market).open_orders(symbol)
    except BrokerError as error:
        log.warning("cancel: open orders could not be read before it", symbol=symbol, error=error.message)
        return None


TOOLS = (
    Tool(
        name=CANCEL_ONE,
        title="Cancel an order",
        description="Cancels one open order AT ONCE, without a trader's approval. Take orderId, market and "
        "conditional from binance_get_open_orders. The cancel is recorded. "
        f"{UNLESS_CONFIRMED}",
        risk=Risk.MEDIUM,
        input=CancelOrderInput,
        output=CancelResult,
        run=_cancel_order,
        reads_only=False,
    ),
    Tool(
        name=CANCEL_ALL,
        title="Cancel all orders of a symbol",
        description="Cancels ALL open orders of one symbol on one market AT ONCE, including stops that "
        f"protect a position, without a trader's approval. The cancel is recorded. {UNLESS_CONFIRMED}",
        risk=Risk.MEDIUM,
        input=CancelAllInput,
        output=CancelAllResult,
        run=_cancel_all,
        reads_only=False,
    ),
)
