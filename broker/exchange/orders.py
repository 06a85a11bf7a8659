"""Submitting an order once, and looking it up."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from ..errors import BrokerError
from ..logs import redact
from ..money import plain
from .calls import Calls
from .failures import not_configured
from .markets import Markets
from .models import Fill, Market, OrderRequest, OrderState, OrderStatus, Sent, Verdict
from .outcome import BadAnswer, WireFacts, judge
from .weight import ALL_WEIGHT_PCT
from .wire import MAX_MESSAGE, Asked, recording

RECV_WINDOW_MS: Final = 5000

NO_SUCH_ORDER: Final = -2013

STATUSES: Final[Mapping[str, OrderStatus]] = {
    "NEW": "open",
    "PENDING_NEW": "open",
    "PENDING_CANCEL": "open",
    "PARTIALLY_FILLED": "partly_filled",
    "FILLED": "filled",
    "CANCELED": "cancelled",
    "EXPIRED": "expired",
    "EXPIRED_IN_MATCH": "expired",
    "REJECTED": "rejected",
}


class Orders:
    """The executor's own client: it neither throttles nor retries."""

    def __init__(self, client: Any, calls: Calls, markets: Markets, *, configured: bool) -> None:
        self._client = client
        self._calls = calls
        self._markets = markets
        self._configured = configured

    async def submit(self, order: OrderRequest, client_order_id: str, timestamp_ms: int) -> Sent:
        """The one POST. Never raises for what Binance or the network does; a cancelled task does raise."""
        asked = self._asked(order, client_order_id, timestamp_ms)
        state: OrderState | None = None
        failure: Exception | None = None
        with recording(asked) as facts:
            try:
                self._require_ready()
                state = _ours(await self._post(order, client_order_id, timestamp_ms), order, client_order_id)
            except Exception as error:
                failure = error
        verdict = judge(facts, failure, Market.SPOT)
        return Sent(
            verdict=verdict,
            order=state if verdict is Verdict.PLACED else None,
            http=facts.http,
            code=facts.code,
            message=facts.msg,
            retry_after_seconds=facts.retry_after,
            reason=_reason(verdict, facts, failure),
        )

    async def look_up(self, symbol: str, client_order_id: str) -> OrderState | None:
        """None when Binance knows no such order now (-2013), which may lag. Raises BrokerError otherwise."""
        self._require_ready()
        market = self._markets.symbol(symbol)

        async def call() -> OrderState:
            answer = await self._client.fetch_order("", market, {"clientOrderId": client_order_id})
            state = parse(answer["info"])
            if (state.client_order_id, state.symbol) != (client_order_id, market):
                raise BadAnswer("the answer is about another order")
            return state

        try:
            return await self._calls.make(call, weight_pct=ALL_WEIGHT_PCT)
        except BrokerError as error:
            if error.details.get("binanceCode") == NO_SUCH_ORDER:
                return None
            raise

    def _require_ready(self) -> None:
        if not self._configured:
            raise not_configured()
        self._markets.require()

    async def _post(self, order: OrderRequest, client_order_id: str, timestamp_ms: int) -> Mapping[str, Any]:
        answer = await self._client.create_order(
            order.symbol,
            order.type,
            order.side,
            plain(order.amount),
            None if order.price is None else plain(order.price),
            {"clientOrderId": client_order_id, "timestamp": timestamp_ms, "recvWindow": RECV_WINDOW_MS},
        )
        info: Mapping[str, Any] = answer["info"]
        return info

    def _asked(self, order: OrderRequest, client_order_id: str, timestamp_ms: int) -> Asked:
        fields = {
            "symbol": order.symbol,
            "side": order.side.upper(),
            "type": order.type.upper(),
            "quantity": plain(order.amount),
            "newClientOrderId": client_order_id,
            "newOrderRespType": "FULL",
            "timestamp": str(timestamp_ms),
            "recvWindow": str(RECV_WINDOW_MS),
        }
        if order.price is not None:
            fields |= {"price": plain(order.price), "timeInForce": "GTC"}
        return Asked(f"{self._client.urls['api']['private']}/order", fields)


def parse(info: Mapping[str, Any]) -> OrderState:
    """Binance's own JSON of one order. Raises KeyError or ValueError or the like when it is not one."""
    filled, cost = Decimal(info["executedQty"]), Decimal(info["cummulativeQuoteQty"])
    fills = tuple(_fill(fill) for fill in info.get("fills", ()))
    return OrderState(
        id=str(info["orderId"]),
        client_order_id=info["clientOrderId"],
        symbol=info["symbol"],
        side="buy" if info["side"] == "BUY" else "sell",
        type=info["type"].lower(),
        price=Decimal(info["price"]) or None,
        average=cost / filled if filled else None,
        amount=Decimal(info["origQty"]),
        filled=filled,
        cost=cost,
        fees=_fees(fills),
        status=STATUSES[info["status"]],
        timestamp_ms=int(info["time"] if "time" in info else info["transactTime"]),
        fills=fills,
    )


def _fill(fill: Mapping[str, Any]) -> Fill:
    return Fill(
        price=Decimal(fill["price"]),
        amount=Decimal(fill["qty"]),
        fee=Decimal(fill["commission"]),
        fee_asset=fill["commissionAsset"],
        trade_id=str(fill["tradeId"]),
    )


def _fees(fills: tuple[Fill, ...]) -> tuple[tuple[str, Decimal], ...]:
    sums: dict[str, Decimal] = {}
    for fill in fills:
        sums[fill.fee_asset] = sums.get(fill.fee_asset, Decimal(0)) + fill.fee
    return tuple(sums.items())


def _ours(info: Mapping[str, Any], order: OrderRequest, client_order_id: str) -> OrderState:
    state = parse(info)
    if (state.client_order_id, state.symbol, state.side) != (client_order_id, order.symbol, order.side):
        raise BadAnswer("the answer is about another order")
    return state


def _reason(verdict: Verdict, facts: WireFacts, failure: Exception | None) -> str:
    """In our words; an error of ccxt's own is told only when it cannot hold a signed address."""
    if verdict is Verdict.PLACED:
        return "placed"
    if not facts.sent:
        return redact(str(failure))[:MAX_MESSAGE]
    if not facts.connected:
        return "no connection to Binance"
    if facts.http is None:
        return "sent, no answer"
    if facts.code is None:
        return f"sent, no clear answer (HTTP {facts.http})"
    return f"Binance answered {facts.code}: {facts.msg}"[:MAX_MESSAGE]
