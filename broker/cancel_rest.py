"""A trader cancels what is left of a placed order: his own act, audited before and after."""

from __future__ import annotations

from sqlalchemy import Connection

from .errors import BrokerError, Code
from .intents import Intent, client_order_id
from .store import Standing, trusted
from .tools import HIGH, Context


async def cancel_rest(context: Context, intent: Intent, trader: str, standing: Standing = trusted) -> None:
    """Raises NOTHING_TO_CANCEL, STORE_UNAVAILABLE, NotSignedIn before anything was sent, and as a read does.

    Cancelling twice is harmless: Binance then answers that there is no such open order.
    """
    order = intent.order
    if order is None or intent.order_is_final:
        raise BrokerError(Code.NOTHING_TO_CANCEL, "Nothing is left of this order that could be cancelled.")
    actor, symbol = f"trader:{trader}", order["symbol"]
    order_id, conditional = await _to_cancel(context, intent, str(order["id"]), symbol)
    told = {"symbol": symbol, "orders": [order_id]}

    def ask(connection: Connection) -> None:
        standing(connection)
        context.store.record(connection, "order:cancel-asked", actor, intent_id=intent.id, **told)

    await context.store.database.write(ask)
    try:
        await context.exchange.on(intent.market).cancel(symbol, order_id, conditional=conditional)
    except BrokerError as error:
        await context.store.audit(
            "order:cancel-failed", actor, intent_id=intent.id, **told, error=str(error.code)
        )
        raise
    await context.store.audit("order:cancelled", actor, intent_id=intent.id, **told)


async def _to_cancel(context: Context, intent: Intent, order_id: str, symbol: str) -> tuple[str, bool]:
    """The id of what rests, and whether it is a conditional order: one that was triggered has placed another
    order, and is itself no longer there to cancel.
    """
    if HIGH[intent.tool].namespace(intent.terms) != "futures_algo":
        return order_id, False
    now = await context.exchange.futures.look_up(symbol, client_order_id(intent.id), conditional=True)
    executed_as = None if now is None else now.executed_as
    return (order_id, True) if executed_as is None else (executed_as, False)
