"""A trader cancels what is left of a placed order: his own act, audited before and after."""

from __future__ import annotations

from .errors import BrokerError, Code
from .intents import Intent, State
from .tools import Context


async def cancel_rest(context: Context, intent: Intent, trader: str) -> None:
    """Raises NOTHING_TO_CANCEL, STORE_UNAVAILABLE before anything was sent, and as a read does.

    Cancelling twice is harmless: Binance then answers that there is no such open order.
    """
    order = intent.order
    if intent.state is not State.PLACED or order is None or intent.order_is_final:
        raise BrokerError(Code.NOTHING_TO_CANCEL, "Nothing is left of this order that could be cancelled.")
    actor = f"trader:{trader}"
    told = {"symbol": order["symbol"], "orders": [order["id"]]}
    await context.store.audit("order:cancel-asked", actor, intent_id=intent.id, **told)
    try:
        venue = context.exchange.on(intent.market)
        conditional = intent.namespace == "futures_algo"
        await venue.cancel(order["symbol"], order["id"], conditional=conditional)
    except BrokerError as error:
        await context.store.audit(
            "order:cancel-failed", actor, intent_id=intent.id, **told, error=str(error.code)
        )
        raise
    await context.store.audit("order:cancelled", actor, intent_id=intent.id, **told)
