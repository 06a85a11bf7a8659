"""Sends futures orders, conditional orders and leverage changes, each once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import ccxt

from ..intents import RECV_WINDOW_MS
from ..money import plain
from . import futures_parsing as answers
from .models import Market, OrderRequest, OrderState, Sent
from .orders import Orders, timing
from .outcome import BadAnswer
from .parsing import Raw
from .wire import Asked

CONDITIONAL_TYPES: Final[Mapping[tuple[str, bool], str]] = {
    # (our type, whether it has a price): Binance's
    ("stop_loss", False): "STOP_MARKET",
    ("stop_loss", True): "STOP",
    ("take_profit", False): "TAKE_PROFIT_MARKET",
    ("take_profit", True): "TAKE_PROFIT",
}


class FuturesOrders(Orders):
    market = Market.FUTURES

    async def set_leverage(self, symbol: str, leverage: int, timestamp_ms: int) -> Sent:
        """Send the POST once. PLACED only if the answer confirms symbol and leverage."""
        fields = {"symbol": symbol, "leverage": str(leverage), **timing(timestamp_ms)}

        async def post() -> None:
            answer = await self._client.set_leverage(
                leverage, symbol, {"timestamp": timestamp_ms, "recvWindow": RECV_WINDOW_MS}
            )
            if (answer["symbol"], int(answer["leverage"])) != (symbol, leverage):
                raise BadAnswer("the answer has another symbol or leverage")

        return await self._send(Asked(f"{self._address}/leverage", fields), post)

    def _expected_request(self, order: OrderRequest, client_order_id: str, timestamp_ms: int) -> Asked:
        fields = {
            "symbol": order.symbol,
            "side": order.side.upper(),
            "quantity": plain(order.amount),
            "newOrderRespType": "RESULT",
            **timing(timestamp_ms),
        }
        if order.price is not None:
            fields["price"] = plain(order.price)
        if order.reduce_only:
            fields["reduceOnly"] = "true"
        if order.stop_price is None:
            fields |= {"type": order.type.upper(), "newClientOrderId": client_order_id}
            if order.price is not None:
                fields["timeInForce"] = "GTC"
            return Asked(self._order_url(False), fields)
        fields |= {
            "type": CONDITIONAL_TYPES.get((order.type, order.price is not None), order.type.upper()),
            "triggerPrice": plain(order.stop_price),
            "clientAlgoId": client_order_id,
            "algoType": "CONDITIONAL",
        }
        return Asked(self._order_url(True), fields)

    def _parse_order(self, info: Raw, order: OrderRequest) -> OrderState:
        return answers.algo_order(info) if order.conditional else answers.order(info)

    async def _query_order(self, symbol: str, key: Mapping[str, str], conditional: bool) -> OrderState:
        if not conditional:
            return answers.order(await self._client.fapiprivate_get_order({"symbol": symbol, **key}))
        info = await self._client.fapiprivate_get_algoorder(key)
        algo, placed_id = answers.algo_order(info), answers.actual_order_id(info)
        if placed_id is None:
            return algo
        try:
            placed = await self._client.fapiprivate_get_order({"symbol": symbol, "orderId": placed_id})
        except ccxt.OrderNotFound:
            return algo  # the conditional order exists; its placed order is only not visible yet
        return answers.triggered(algo, answers.order(placed))

    async def _delete(self, fields: Mapping[str, str], conditional: bool) -> Raw:
        client = self._client
        delete = client.fapiprivate_delete_algoorder if conditional else client.fapiprivate_delete_order
        answer: Raw = await delete(fields)
        return answer

    def _order_url(self, conditional: bool) -> str:
        return f"{self._address}/{'algoOrder' if conditional else 'order'}"

    @property
    def _address(self) -> str:
        return str(self._client.urls["api"]["fapiPrivate"])
