"""The spot endpoints that need a key: the account and its orders."""

from typing import Any

from ..http.endpoints import Endpoint, Endpoints
from ..http.errors import Refusal, mandatory, one_of
from ..http.params import CLIENT_ID, SYMBOL, Params
from ..market.store import Window
from ..permissions import Permissions
from . import order_answers
from .exchange import Exchange
from .new_order import PARAMETERS as ORDER_PARAMETERS
from .new_order import read

_LONGEST_RANGE_MS = 24 * 3_600_000


class SpotAccount:
    def __init__(self, exchange: Exchange, permissions: Permissions | None = None) -> None:
        """`permissions` of the key. By default it may trade, but not withdraw."""
        self._exchange = exchange
        self._permissions = permissions or Permissions()

    def endpoints(self) -> Endpoints:
        ids = ("symbol", "orderId", "origClientOrderId")
        cancel = (*ids, "newClientOrderId")
        ranges = ("symbol", "orderId", "startTime", "endTime", "limit")
        return {
            ("POST", "/api/v3/order"): Endpoint(self.place, 1, ORDER_PARAMETERS, True, counts_as_order=True),
            ("POST", "/api/v3/order/test"): Endpoint(self.test, 1, ORDER_PARAMETERS, True),
            ("GET", "/api/v3/order"): Endpoint(self.order, 4, ids, True),
            ("DELETE", "/api/v3/order"): Endpoint(self.cancel, 1, cancel, True),
            ("GET", "/api/v3/openOrders"): Endpoint(self.open_orders, _open_weight, ("symbol",), True),
            ("DELETE", "/api/v3/openOrders"): Endpoint(self.cancel_all, 1, ("symbol",), True),
            ("GET", "/api/v3/allOrders"): Endpoint(self.all_orders, 20, ranges, True),
            ("GET", "/api/v3/myTrades"): Endpoint(self.my_trades, _trades_weight, (*ranges, "fromId"), True),
            ("GET", "/api/v3/account"): Endpoint(self.account, 20, ("omitZeroBalances",), True),
            ("GET", "/sapi/v1/account/apiRestrictions"): Endpoint(self.api_restrictions, 1, (), True),
        }

    def place(self, params: Params) -> Any:
        new = read(params, self._symbol(params), self._exchange.new_id)
        order, trades = self._exchange.place(new)
        return order_answers.placed(order, trades, new.response)

    def test(self, params: Params) -> Any:
        """Check an order without sending it to the matching engine."""
        self._exchange.check(read(params, self._symbol(params), self._exchange.new_id))
        return {}

    def order(self, params: Params) -> Any:
        return order_answers.queried(self._exchange.order(*self._order_ids(params)))

    def cancel(self, params: Params) -> Any:
        cancel_id = params.text("newClientOrderId", CLIENT_ID) or self._exchange.new_id()
        order = self._exchange.cancel(*self._order_ids(params), cancel_id=cancel_id)
        return order_answers.canceled(order, cancel_id)

    def cancel_all(self, params: Params) -> Any:
        cancel_id = self._exchange.new_id()
        orders = self._exchange.cancel_all(self._symbol(params), cancel_id=cancel_id)
        return [order_answers.canceled(order, cancel_id) for order in orders]

    def open_orders(self, params: Params) -> Any:
        symbol = self._symbol(params) if "symbol" in params else None
        return [order_answers.queried(order) for order in self._exchange.open_orders(symbol)]

    def all_orders(self, params: Params) -> Any:
        start, end = _range(params)
        window = Window(params.limit(500, 1000), first_id=params.integer("orderId"), start=start, end=end)
        return [order_answers.queried(order) for order in self._exchange.orders(self._symbol(params), window)]

    def my_trades(self, params: Params) -> Any:
        start, end = _range(params)
        window = Window(
            params.limit(500, 1000),
            first_id=params.integer("fromId"),
            order_id=params.integer("orderId"),
            start=start,
            end=end,
        )
        return [
            order_answers.own_trade(trade) for trade in self._exchange.trades(self._symbol(params), window)
        ]

    def account(self, params: Params) -> Any:
        self._exchange.match()
        account = self._exchange.account
        balances = [account.balance(asset) for asset in self._exchange.assets]
        if params.flag("omitZeroBalances"):
            balances = [balance for balance in balances if balance.free or balance.locked]
        return order_answers.account(balances)

    def api_restrictions(self, _: Params) -> Any:
        return order_answers.api_restrictions(self._permissions)

    def _order_ids(self, params: Params) -> tuple[str, int | None, str | None]:
        symbol, order_id = self._symbol(params), params.integer("orderId")
        client_id = params.text("origClientOrderId", CLIENT_ID)
        if order_id is None and client_id is None:
            raise one_of("origClientOrderId", "orderId")
        return symbol, order_id, client_id

    def _symbol(self, params: Params) -> str:
        name = params.text("symbol", SYMBOL)
        if name is None:
            raise mandatory("symbol")
        return self._exchange.market(name).symbol.name


def _range(params: Params) -> tuple[int | None, int | None]:
    start, end = params.integer("startTime"), params.integer("endTime")
    if start is not None and end is not None and end - start > _LONGEST_RANGE_MS:
        raise Refusal(-1127, "More than 24 hours between startTime and endTime.")
    return start, end


def _open_weight(params: Params) -> int:
    return 6 if "symbol" in params else 80


def _trades_weight(params: Params) -> int:
    return 5 if "orderId" in params else 20
