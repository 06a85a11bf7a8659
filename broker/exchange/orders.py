"""Sends each order once, looks orders up, cancels them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar, Final

from ..errors import BrokerError
from ..intents import RECV_WINDOW_MS
from ..logs import redact
from ..money import plain
from ..untrusted import one_line
from . import spot_parsing
from .guarded_call import Calls
from .markets import Markets
from .models import Market, OrderRequest, OrderState, Sent, Verdict
from .outcome import BadAnswer, WireFacts, judge
from .parsing import Raw
from .read_errors import not_configured
from .wire import MAX_MESSAGE, Asked, recording

NO_SUCH_ORDER: Final = -2013

TRIGGERS: Final[Mapping[str, str]] = {"stop_loss": "stopLossPrice", "take_profit": "takeProfitPrice"}
"""ccxt's parameter for the trigger price; its name determines the order type."""


class Orders(ABC):
    """Uses the executor's client, which has no rate limiter and no retries."""

    market: ClassVar[Market]

    def __init__(self, client: Any, calls: Calls, markets: Markets, *, configured: bool) -> None:
        self._client = client
        self._calls = calls
        self._markets = markets
        self._configured = configured

    async def submit(self, order: OrderRequest, client_order_id: str, timestamp_ms: int) -> Sent:
        """Send the POST once. Binance and network errors never raise; cancelling the task does."""
        asked = self._expected_request(order, client_order_id, timestamp_ms)

        async def post() -> OrderState:
            state = self._parse_order(await self._post(order, client_order_id, timestamp_ms), order)
            answered = (state.client_order_id, state.symbol, state.side)
            if answered != (client_order_id, order.symbol, order.side):
                raise BadAnswer("the answer is about another order")
            return state

        return await self._send(asked, post)

    async def look_up(
        self, symbol: str, client_order_id: str, *, conditional: bool = False
    ) -> OrderState | None:
        """The order; None if Binance answers -2013 (no such order), which may lag. Raises BrokerError."""
        key = {"clientAlgoId" if conditional else "origClientOrderId": client_order_id}
        return await self._read(symbol, key, conditional, lambda it: it.client_order_id == client_order_id)

    async def find(self, symbol: str, order_id: str, *, conditional: bool = False) -> OrderState | None:
        """Like `look_up`, by Binance's order id. None if a conditional order has another symbol."""
        key = {_id_name(conditional): order_id}
        return await self._read(symbol, key, conditional, lambda it: it.id == order_id)

    async def cancel(
        self, symbol: str, order_id: str, timestamp_ms: int, *, conditional: bool = False
    ) -> Sent:
        """Send the DELETE once, like `submit`. PLACED means that the order is cancelled."""
        name = _id_name(conditional)
        of = {} if conditional else {"symbol": symbol}
        fields = {**of, name: order_id, **timing(timestamp_ms)}

        async def delete() -> None:
            if str((await self._delete(fields, conditional))[name]) != order_id:
                raise BadAnswer("the answer is about another order")

        return await self._send(Asked(self._order_url(conditional), fields, "DELETE"), delete)

    async def _read(
        self, symbol: str, key: Mapping[str, str], conditional: bool, matches: Callable[[OrderState], bool]
    ) -> OrderState | None:
        self._require_ready()
        market = self._markets.symbol(symbol)

        async def call() -> OrderState | None:
            state = await self._query_order(market, key, conditional)
            if matches(state) and state.symbol == market:
                return state
            if matches(state) and conditional and _id_name(conditional) in key:
                return None  # Binance ignores the symbol when asked by algoId
            raise BadAnswer("the answer is about another order")

        try:
            return await self._calls.make(call)
        except BrokerError as error:
            if error.details.get("binanceCode") == NO_SUCH_ORDER:
                return None
            raise

    @abstractmethod
    def _expected_request(self, order: OrderRequest, client_order_id: str, timestamp_ms: int) -> Asked: ...

    @abstractmethod
    def _parse_order(self, info: Raw, order: OrderRequest) -> OrderState: ...

    @abstractmethod
    async def _query_order(self, symbol: str, key: Mapping[str, str], conditional: bool) -> OrderState: ...

    @abstractmethod
    async def _delete(self, fields: Mapping[str, str], conditional: bool) -> Raw: ...

    @abstractmethod
    def _order_url(self, conditional: bool) -> str:
        """The URL for placing and cancelling orders, or conditional orders."""

    async def _send(self, asked: Asked, post: Callable[[], Awaitable[OrderState | None]]) -> Sent:
        state: OrderState | None = None
        failure: Exception | None = None
        with recording(asked) as facts:
            try:
                self._require_ready()
                state = await post()
            except Exception as error:
                failure = error
        self._calls.note_code(facts.code)
        rejected = state is not None and state.status == "rejected"
        verdict = judge(facts, failure, self.market, rejected=rejected)
        return Sent(
            verdict=verdict,
            order=state if verdict is Verdict.PLACED else None,
            http=facts.http,
            code=facts.code,
            message=facts.msg,
            retry_after_seconds=facts.retry_after,
            reason=_reason(verdict, facts, failure),
        )

    async def _post(self, order: OrderRequest, client_order_id: str, timestamp_ms: int) -> Raw:
        params: dict[str, Any] = {
            "clientOrderId": client_order_id,
            "timestamp": timestamp_ms,
            "recvWindow": RECV_WINDOW_MS,
        }
        kind: str = order.type
        if order.stop_price is not None and kind in TRIGGERS:
            params[TRIGGERS[kind]] = plain(order.stop_price)
            kind = "market" if order.price is None else "limit"
        if order.reduce_only:
            params["reduceOnly"] = True
        answer = await self._client.create_order(
            order.symbol,
            kind,
            order.side,
            plain(order.amount),
            None if order.price is None else plain(order.price),
            params,
        )
        info: Raw = answer["info"]
        return info

    def _require_ready(self) -> None:
        if not self._configured:
            raise not_configured()
        self._markets.require()


class SpotOrders(Orders):
    market = Market.SPOT

    def _expected_request(self, order: OrderRequest, client_order_id: str, timestamp_ms: int) -> Asked:
        limited = order.price is not None and order.type in TRIGGERS
        fields = {
            "symbol": order.symbol,
            "side": order.side.upper(),
            "type": order.type.upper() + ("_LIMIT" if limited else ""),
            "quantity": plain(order.amount),
            "newClientOrderId": client_order_id,
            "newOrderRespType": "FULL",
            **timing(timestamp_ms),
        }
        if order.stop_price is not None:
            fields["stopPrice"] = plain(order.stop_price)
        if order.price is not None:
            fields |= {"price": plain(order.price), "timeInForce": "GTC"}
        return Asked(self._order_url(False), fields)

    def _parse_order(self, info: Raw, order: OrderRequest) -> OrderState:
        return spot_parsing.order(info)

    async def _query_order(self, symbol: str, key: Mapping[str, str], conditional: bool) -> OrderState:
        return spot_parsing.order(await self._client.private_get_order({"symbol": symbol, **key}))

    async def _delete(self, fields: Mapping[str, str], conditional: bool) -> Raw:
        answer: Raw = await self._client.private_delete_order(fields)
        return answer

    def _order_url(self, conditional: bool) -> str:
        return f"{self._client.urls['api']['private']}/order"


def _id_name(conditional: bool) -> str:
    return "algoId" if conditional else "orderId"


def timing(timestamp_ms: int) -> dict[str, str]:
    return {"timestamp": str(timestamp_ms), "recvWindow": str(RECV_WINDOW_MS)}


def _reason(verdict: Verdict, facts: WireFacts, failure: Exception | None) -> str:
    """The broker's text. ccxt's text is used only if nothing was sent: later it may contain a signed URL."""
    if verdict is Verdict.PLACED:
        return "placed"
    if not facts.sent:
        return redact(one_line(str(failure)))[:MAX_MESSAGE]
    if not facts.connected:
        return "no connection to Binance"
    if facts.http is None:
        return "sent, no answer"
    if verdict is Verdict.REFUSED and facts.code is None:
        return "Binance rejected the order"
    if facts.code is None:
        return f"sent, no clear answer (HTTP {facts.http})"
    return f"Binance answered {facts.code}: {facts.msg}"[:MAX_MESSAGE]
