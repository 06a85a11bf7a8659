"""A trader cancels what is left of a placed order: his own act, audited before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from .errors import BrokerError, Code
from .intents import ORDER_FINAL, Intent, client_order_id
from .logs import get_logger
from .store import Standing, standing_first, trusted
from .tools import HIGH, Context
from .tools.cancels import PERHAPS_DONE
from .orders.quote import SOON_SECONDS, attempt

CANCELLED: Final = "order:cancelled"
FAILED: Final = "order:cancel-failed"
UNCLEAR: Final = "order:cancel-unclear"
"""It may be gone."""

log = get_logger(__name__)


async def cancel_rest(context: Context, intent: Intent, trader: str, standing: Standing = trusted) -> None:
    """Raises NOTHING_TO_CANCEL, STORE_UNAVAILABLE, NotSignedIn before anything was sent, and as a read does.

    Cancelling twice is harmless: Binance then answers that there is no such open order.
    """
    order = intent.order
    if order is None or intent.order_is_final:
        raise BrokerError(Code.NOTHING_TO_CANCEL, "Nothing is left of this order that could be cancelled.")
    order_id, conditional = await _to_cancel(context, intent, str(order["id"]), order["symbol"])
    cancelling = _Cancelling(context, intent, f"trader:{trader}", order["symbol"], order_id, conditional)
    await cancelling.asked(standing)
    try:
        await context.exchange.on(intent.market).cancel(order["symbol"], order_id, conditional=conditional)
    except BrokerError as error:
        kind = await cancelling.came_to(error)
        await cancelling.record(kind, error=str(error.code))
        if kind != CANCELLED:
            raise
    else:
        await cancelling.record(CANCELLED)


@dataclass(frozen=True)
class _Cancelling:
    context: Context
    intent: Intent
    actor: str
    symbol: str
    order_id: str
    conditional: bool

    async def asked(self, standing: Standing) -> None:
        """Before the request: what cannot be recorded is not sent. Raises STORE_UNAVAILABLE, NotSignedIn."""
        store = self.context.store

        def transaction(connection: Connection) -> None:
            store.record(
                connection, "order:cancel-asked", self.actor, intent_id=self.intent.id, **self._data()
            )

        await store.database.write(standing_first(standing, transaction))

    async def came_to(self, error: BrokerError) -> str:
        """After an error, by the order's own state: a DELETE whose answer is lost may have been carried out,
        and one that goes out anew over a broken connection finds nothing any more.
        """
        if error.code not in PERHAPS_DONE:
            return FAILED
        find = self.context.exchange.on(self.intent.market).find(
            self.symbol, self.order_id, conditional=self.conditional
        )
        now = await attempt(find, seconds=SOON_SECONDS)
        if now is None or isinstance(now, BrokerError):
            return UNCLEAR
        if now.status == "cancelled":
            return CANCELLED
        over = now.status in ORDER_FINAL or now.executed_as is not None
        return FAILED if over or error.code is Code.BINANCE_REFUSED else UNCLEAR

    async def record(self, kind: str, **more: Any) -> None:
        """The trader is told what Binance said, also when the database fails just now."""
        data = {**self._data(), **more}
        try:
            await self.context.store.audit(kind, self.actor, intent_id=self.intent.id, **data)
        except BrokerError as trouble:
            log.error(
                "cancel: its outcome is not recorded",
                kind=kind,
                intent=self.intent.id,
                error=trouble.message,
            )

    def _data(self) -> dict[str, Any]:
        return {"symbol": self.symbol, "orders": [self.order_id]}


async def _to_cancel(context: Context, intent: Intent, order_id: str, symbol: str) -> tuple[str, bool]:
    """The id of what rests, and whether it is a conditional order: one that was triggered has placed another
    order, and is itself no longer there to cancel.
    """
    if HIGH[intent.tool].namespace(intent.terms) != "futures_algo":
        return order_id, False
    now = await context.exchange.futures.look_up(symbol, client_order_id(intent.id), conditional=True)
    executed_as = None if now is None else now.executed_as
    return (order_id, True) if executed_as is None else (executed_as, False)
