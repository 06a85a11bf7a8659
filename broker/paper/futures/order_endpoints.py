"""The futures endpoints of orders, conditional orders, trades and income."""

from typing import Any

from ..http.endpoints import Endpoint, Endpoints
from ..http.errors import Refusal, one_of
from ..http.params import Params
from ..market.store import Window
from . import new_algo, new_order, order_answers
from .errors import no_such_order
from .exchange import FuturesExchange
from .income import IncomeType
from .market_endpoints import symbol_of
from .orders import Algo
from .reading import client_id

_WEEK_MS = 7 * 86_400_000
_CANCELED_ALL = {"code": 200, "msg": "The operation of cancel all open order is done."}


class OrderEndpoints:
    def __init__(self, exchange: FuturesExchange) -> None:
        self._exchange = exchange

    def endpoints(self) -> Endpoints:
        ids = ("symbol", "orderId", "origClientOrderId")
        algo_ids = ("symbol", "algoId", "clientAlgoId")
        ranges = ("symbol", "startTime", "endTime", "limit")
        one = ("symbol",)
        return {
            ("POST", "/fapi/v1/order"): Endpoint(
                self.place, 0, new_order.PARAMETERS, True, counts_as_order=True
            ),
            ("GET", "/fapi/v1/order"): Endpoint(self.order, 1, ids, True),
            ("DELETE", "/fapi/v1/order"): Endpoint(self.cancel, 1, ids, True),
            ("GET", "/fapi/v1/openOrder"): Endpoint(self.open_order, 1, ids, True),
            ("GET", "/fapi/v1/openOrders"): Endpoint(self.open_orders, _open_weight, one, True),
            ("DELETE", "/fapi/v1/allOpenOrders"): Endpoint(self.cancel_all, 1, one, True),
            ("GET", "/fapi/v1/allOrders"): Endpoint(self.all_orders, 5, ("orderId", *ranges), True),
            ("GET", "/fapi/v1/userTrades"): Endpoint(
                self.user_trades, 5, ("orderId", "fromId", *ranges), True
            ),
            ("GET", "/fapi/v1/income"): Endpoint(self.income, 30, ("incomeType", "page", *ranges), True),
            ("POST", "/fapi/v1/algoOrder"): Endpoint(
                self.place_algo, 0, new_algo.PARAMETERS, True, counts_as_order=True
            ),
            ("GET", "/fapi/v1/algoOrder"): Endpoint(self.algo, 1, algo_ids, True),
            ("DELETE", "/fapi/v1/algoOrder"): Endpoint(self.cancel_algo, 1, algo_ids, True),
            ("GET", "/fapi/v1/openAlgoOrders"): Endpoint(
                self.open_algos, _open_weight, ("algoType", "symbol", "algoId"), True
            ),
            ("DELETE", "/fapi/v1/algoOpenOrders"): Endpoint(self.cancel_all_algos, 1, one, True),
            ("GET", "/fapi/v1/allAlgoOrders"): Endpoint(self.all_algos, 5, ("algoId", "page", *ranges), True),
        }

    def place(self, params: Params) -> Any:
        new = new_order.read(params, self._symbol(params), self._exchange.new_id)
        order = self._exchange.place(new)
        is_ack = new.response is new_order.Response.ACK
        return order_answers.acknowledged(order) if is_ack else order_answers.placed(order)

    def order(self, params: Params) -> Any:
        return order_answers.queried(self._exchange.order(*self._order_ids(params)))

    def cancel(self, params: Params) -> Any:
        return order_answers.placed(self._exchange.cancel(*self._order_ids(params)))

    def open_order(self, params: Params) -> Any:
        order = self._exchange.open_order(*self._order_ids(params))
        if order is None:
            raise no_such_order()
        return order_answers.queried(order)

    def open_orders(self, params: Params) -> Any:
        return [
            order_answers.queried(order) for order in self._exchange.open_orders(self._any_symbol(params))
        ]

    def cancel_all(self, params: Params) -> Any:
        self._exchange.cancel_all(self._symbol(params))
        return _CANCELED_ALL

    def all_orders(self, params: Params) -> Any:
        orders = self._exchange.orders(self._symbol(params), _window(params, "orderId"))
        return [order_answers.queried(order) for order in orders]

    def user_trades(self, params: Params) -> Any:
        window = _window(params, "fromId", params.integer("orderId"))
        return [
            order_answers.own_trade(trade) for trade in self._exchange.trades(self._symbol(params), window)
        ]

    def income(self, params: Params) -> Any:
        start, end = _range(params)
        invalid = Refusal(-1130, "Data sent for parameter 'incomeType' is not valid.")
        kind = params.choice("incomeType", IncomeType, invalid)
        found = self._exchange.income(self._any_symbol(params), kind, start, end, params.limit(100, 1000))
        return [order_answers.income(entry) for entry in found]

    def place_algo(self, params: Params) -> Any:
        new = new_algo.read(params, self._symbol(params), self._exchange.new_id)
        return order_answers.placed_algo(self._exchange.algos.place(new))

    def algo(self, params: Params) -> Any:
        return self._queried(self._exchange.algos.find(*_algo_ids(params)))

    def cancel_algo(self, params: Params) -> Any:
        return order_answers.canceled_algo(self._exchange.algos.cancel(*_algo_ids(params)))

    def open_algos(self, params: Params) -> Any:
        algos = self._exchange.algos.waiting(self._any_symbol(params))
        wanted = params.integer("algoId")
        return [self._queried(algo) for algo in algos if wanted in (None, algo.id)]

    def cancel_all_algos(self, params: Params) -> Any:
        self._exchange.algos.cancel_all(self._symbol(params))
        return _CANCELED_ALL

    def all_algos(self, params: Params) -> Any:
        algos = self._exchange.algos.within(self._symbol(params), _window(params, "algoId"))
        return [self._queried(algo) for algo in algos]

    def _queried(self, algo: Algo) -> Any:
        order = self._exchange.order(algo.symbol, algo.order_id, None) if algo.order_id else None
        return order_answers.queried_algo(algo, order)

    def _order_ids(self, params: Params) -> tuple[str, int | None, str | None]:
        symbol, order_id = self._symbol(params), params.integer("orderId")
        sent = client_id(params, "origClientOrderId")
        if order_id is None and sent is None:
            raise one_of("origClientOrderId", "orderId")
        return symbol, order_id, sent

    def _symbol(self, params: Params) -> str:
        return self._exchange.market(symbol_of(params)).symbol.name

    def _any_symbol(self, params: Params) -> str | None:
        return self._symbol(params) if "symbol" in params else None


def _algo_ids(params: Params) -> tuple[int | None, str | None]:
    algo_id, sent = params.integer("algoId"), client_id(params, "clientAlgoId")
    if algo_id is None and sent is None:
        raise one_of("algoId", "clientAlgoId")
    return algo_id, sent


def _window(params: Params, first: str, order_id: int | None = None) -> Window:
    start, end = _range(params)
    return Window(
        params.limit(500, 1000),
        first_id=params.integer(first),
        order_id=order_id,
        start=start,
        end=end,
    )


def _range(params: Params) -> tuple[int | None, int | None]:
    start, end = params.integer("startTime"), params.integer("endTime")
    if start is not None and end is not None and end < start:
        raise Refusal(-1023, "Start time is greater than end time.")
    if start is not None and end is not None and end - start > _WEEK_MS:
        raise Refusal(-4165, "Maximum time interval is 7 days")
    return start, end


def _open_weight(params: Params) -> int:
    return 1 if "symbol" in params else 40
