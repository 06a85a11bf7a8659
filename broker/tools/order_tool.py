"""The base class of HIGH tools that send an order."""

from __future__ import annotations

from ..exchange import Exchange, Sent
from ..intents import Terms
from ..orders.request import order_of
from .high import Found, HighTool


class OrderTool(HighTool):
    def namespace(self, terms: Terms) -> str:
        order = order_of(terms.arguments)
        return "futures_algo" if order.conditional else str(order.market)

    async def submit(self, exchange: Exchange, terms: Terms, client_order_id: str, timestamp_ms: int) -> Sent:
        order = order_of(terms.arguments)
        return await exchange.on(order.market).submit(
            order, client_order_id=client_order_id, timestamp_ms=timestamp_ms
        )

    async def look_up(self, exchange: Exchange, terms: Terms, client_order_id: str) -> Found | None:
        order = order_of(terms.arguments)
        venue = exchange.on(order.market)
        state = await venue.look_up(order.symbol, client_order_id, conditional=order.conditional)
        return None if state is None else Found(order=state)
