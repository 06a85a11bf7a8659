"""Cancelling: MEDIUM risk, passes straight through, audited with the agent and the orders."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar

from pydantic import Field, model_validator
from sqlalchemy import Connection

from ..errors import BrokerError, Code, invalid
from ..exchange import RestingOrder
from ..logs import get_logger
from .cancel_events import CANCELLED, FAILED, PROTECTIVE, UNCLEAR
from .declaration import Call, Input, MarketName, Risk, Symbol, Tool
from ..orders.quote import SOON_SECONDS, attempt
from .results import CancelAllResult, CancelledOrder, CancelResult

log = get_logger(__name__)


T = TypeVar("T")

CANCEL_ONE: Final = "binance_cancel_order"
CANCEL_ALL: Final = "binance_cancel_all_orders"

UNLESS_CONFIRMED: Final = (
    "Where the operator wants to be asked first, a cancel that takes a protection away (a stop, a "
    "take-profit, a reduce-only order) waits for a trader instead: then the answer says status=pending and "
    "nothing was cancelled yet. A request that waits for a trader is no order: withdraw it with "
    "intent_cancel."
)

PERHAPS_DONE: Final = frozenset({Code.BINANCE_TIMEOUT, Code.BINANCE_UNAVAILABLE, Code.BINANCE_REFUSED})
"""Errors after which an order may be gone all the same; "no such order" answers a DELETE sent anew."""

_UNDER_WAY: set[asyncio.Task[Any]] = set()


class CancelOrderInput(Input):
    symbol: Symbol
    orderId: Annotated[str, Field(pattern=r"^[0-9]{1,20}$", description="Its id in binance_get_open_orders.")]
    market: MarketName = "spot"
    conditional: Annotated[
        bool, Field(description="As binance_get_open_orders told; only on futures it can be true.")
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
    """What is about to go; for the record. `known` are those of `orders` that were seen to rest before it,
    None where that could not be read: then each may be a protection.
    """

    call: Call
    tool: str
    market: str
    symbol: str
    orders: Sequence[str]
    known: Sequence[RestingOrder] | None

    async def asked(self) -> None:
        """Before the request: what cannot be recorded is not sent, nor what its agent may no longer do.

        Raises STORE_UNAVAILABLE, UNAUTHORIZED, TOOL_NOT_ALLOWED, SYMBOL_NOT_ALLOWED.
        """
        store = self.call.store

        def transaction(connection: Connection) -> None:
            store.agents.named(connection, self.call.agent.name).require(self.tool, self.symbol)
            store.record(connection, "orders:cancel-asked", self._actor, **self._data(self.orders))

        await store.database.write(transaction)

    async def answered(self, cancelled: Sequence[str]) -> Sequence[str]:
        """What is gone: what Binance named, and what rested before and no longer does.

        A DELETE that goes out anew over a broken connection finds nothing any more, and names nothing.
        """
        silent = [order for order in self.orders if order not in cancelled]
        gone, unread = await self._gone(silent) if silent else ([], False)
        await self._record(CANCELLED, [*cancelled, *gone])
        if still := [order for order in silent if order not in gone]:
            await self._record(UNCLEAR if unread else FAILED, still)
        return [*cancelled, *gone]

    async def failed(self, error: BrokerError) -> BrokerError:
        """What the agent is told: where nobody knows what became of it, how to find out."""
        if error.code not in PERHAPS_DONE:
            await self._record(FAILED, self.orders, error)
            return error
        gone, unread = await self._gone(self.orders)
        if gone:
            await self._record(CANCELLED, gone)
        still = [order for order in self.orders if order not in gone]
        if still or not gone:
            certain = self.known == [] or (error.code is Code.BINANCE_REFUSED and not unread)
            await self._record(FAILED if certain else UNCLEAR, still, error)
        arguments = {"symbol": self.symbol, "market": self.market}
        error.next_step = {
            "say": "It may be cancelled all the same. See what is still open before you cancel again.",
            "tool": "binance_get_open_orders",
            "arguments": arguments,
        }
        return error

    async def _gone(self, orders: Sequence[str]) -> tuple[list[str], bool]:
        """Those that rested before and no longer do, and whether that could not be read."""
        open_orders = self.call.exchange.on(self.market).open_orders(self.symbol)
        now = await attempt(open_orders, seconds=SOON_SECONDS)
        if self.known is None or isinstance(now, BrokerError):
            return [], True
        rest = {_key(order) for order in now}
        return [one.id for one in self.known if one.id in orders and _key(one) not in rest], False

    async def _record(self, kind: str, orders: Sequence[str], error: BrokerError | None = None) -> None:
        """The agent is told what Binance said, also when the database fails just now."""
        data = self._data(orders)
        if error is not None:
            data["error"] = str(error.code)
        try:
            await self.call.store.audit(kind, self._actor, **data)
        except BrokerError as trouble:
            log.error("cancel: its outcome is not recorded", kind=kind, error=trouble.message, **data)

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
        await _require_of(call, symbol, order_id)
    await cancelling.asked()
    try:
        await venue.cancel(symbol, order_id, conditional=arguments.conditional)
    except BrokerError as error:
        raise await cancelling.failed(error) from None
    await cancelling.answered([order_id])
    return CancelResult(
        success=True, cancelledOrder=CancelledOrder(id=order_id, symbol=symbol, status="CANCELLED")
    )


async def _require_of(call: Call, symbol: str, order_id: str) -> None:
    """Binance cancels a conditional order by its id alone, whatever symbol the agent named and may trade.

    Raises NOTHING_TO_CANCEL, and as a read does.
    """
    if await call.exchange.futures.find(symbol, order_id, conditional=True) is None:
        raise BrokerError(
            Code.NOTHING_TO_CANCEL,
            f"{symbol} has no conditional order of that id. Nothing was cancelled.",
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
    """Conditional orders have ids of their own."""
    return order.id, order.conditional


async def _resting(call: Call, market: str, symbol: str) -> Sequence[RestingOrder] | None:
    """Read for the record alone: where it cannot be, cancelling goes on."""
    try:
        return await call.exchange.on(market).open_orders(symbol)
    except BrokerError as error:
        log.warning("cancel: open orders could not be read before it", symbol=symbol, error=error.message)
        return None


TOOLS = (
    Tool(
        name=CANCEL_ONE,
        title="Cancel an order",
        description="Cancels one order that rests at Binance AT ONCE, without a trader's approval. orderId, "
        "market and conditional are those that binance_get_open_orders told. It is recorded. "
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
        description="Cancels ALL orders that rest in one symbol on one market AT ONCE, stops that protect a "
        f"position among them, without a trader's approval. It is recorded. {UNLESS_CONFIRMED}",
        risk=Risk.MEDIUM,
        input=CancelAllInput,
        output=CancelAllResult,
        run=_cancel_all,
        reads_only=False,
    ),
)
