"""A trader cancels the open rest of a placed order. Audited before and after the request to Binance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from .errors import BrokerError, Code
from .events import EventKind
from .intents import Intent, client_order_id
from .logs import get_logger
from .order_record import FINAL
from .orders.context import Context
from .orders.quote import SOON_SECONDS, attempt
from .store import Standing, standing_first
from .tools import HIGH
from .tools.cancels import PERHAPS_DONE

log = get_logger(__name__)


async def cancel_rest(context: Context, intent: Intent, trader: str, standing: Standing) -> None:
    """Cancels the order at Binance. Before that it may raise NOTHING_TO_CANCEL, STORE_UNAVAILABLE and
    NotSignedIn; then Binance's errors.

    A second cancel is harmless: Binance answers that there is no such open order.
    """
    order = intent.order
    if order is None or intent.order_is_final:
        raise BrokerError(Code.NOTHING_TO_CANCEL, "This order is no longer open; there is nothing to cancel.")
    order_id, conditional = await _open_order_id(context, intent, order.id, order.symbol)
    cancel = _Cancel(context, intent, f"trader:{trader}", order.symbol, order_id, conditional)
    await cancel.record_request(standing)
    try:
        await context.exchange.on(intent.market).cancel(order.symbol, order_id, conditional=conditional)
    except BrokerError as error:
        kind = await cancel.outcome_after(error)
        await cancel.record(kind, error=str(error.code))
        if kind is not EventKind.ORDER_CANCELLED:
            raise
    else:
        await cancel.record(EventKind.ORDER_CANCELLED)


@dataclass(frozen=True)
class _Cancel:
    context: Context
    intent: Intent
    actor: str
    symbol: str
    order_id: str
    conditional: bool

    async def record_request(self, standing: Standing) -> None:
        """Called before the cancel is sent. Raises STORE_UNAVAILABLE or NotSignedIn; then nothing is sent."""
        store = self.context.store

        def transaction(connection: Connection) -> None:
            store.record(
                connection, EventKind.ORDER_CANCEL_ASKED, self.actor, intent_id=self.intent.id, **self._data()
            )

        await store.database.write(standing_first(standing, transaction))

    async def outcome_after(self, error: BrokerError) -> EventKind:
        """What to record after an error. Asks Binance for the order: a DELETE may have been executed although
        its answer was lost, and a repeated DELETE then finds no open order.
        """
        if error.code not in PERHAPS_DONE:
            return EventKind.ORDER_CANCEL_FAILED
        find = self.context.exchange.on(self.intent.market).find(
            self.symbol, self.order_id, conditional=self.conditional
        )
        order = await attempt(find, seconds=SOON_SECONDS)
        if order is None or isinstance(order, BrokerError):
            return EventKind.ORDER_CANCEL_UNCLEAR
        if order.status == "cancelled":
            return EventKind.ORDER_CANCELLED
        ended = order.status in FINAL or order.executed_as is not None
        certain = ended or error.code is Code.BINANCE_REFUSED
        return EventKind.ORDER_CANCEL_FAILED if certain else EventKind.ORDER_CANCEL_UNCLEAR

    async def record(self, kind: EventKind, **more: Any) -> None:
        """Logs a database failure instead of raising it: the trader still gets Binance's answer."""
        data = {**self._data(), **more}
        try:
            await self.context.store.audit(kind, self.actor, intent_id=self.intent.id, **data)
        except BrokerError as error:
            log.error(
                "cancel: the outcome could not be recorded",
                kind=kind,
                intent=self.intent.id,
                error=error.message,
            )

    def _data(self) -> dict[str, Any]:
        return {"symbol": self.symbol, "orders": [self.order_id]}


async def _open_order_id(context: Context, intent: Intent, order_id: str, symbol: str) -> tuple[str, bool]:
    """The id of the order to cancel, and whether it is a conditional order. A conditional order that was
    triggered has placed another order; that one is cancelled.
    """
    if HIGH[intent.tool].namespace(intent.terms) != "futures_algo":
        return order_id, False
    order = await context.exchange.futures.look_up(symbol, client_order_id(intent.id), conditional=True)
    executed_as = None if order is None else order.executed_as
    return (order_id, True) if executed_as is None else (executed_as, False)
