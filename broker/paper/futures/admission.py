"""The checks of a new order: filters, position mode, duplicate client ids."""

from ..http.errors import Refusal
from . import filters
from .errors import duplicate_client_id, position_side_mismatch
from .ledger import Ledger
from .new_algo import NewAlgo
from .new_order import NewOrder
from .orders import Algo, OrderType


class Admission:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def check(self, new: NewOrder) -> None:
        if self._ledger.dual_side:
            raise position_side_mismatch()
        contract, mark = self._ledger.contract(new.symbol), self._ledger.mark(new.symbol)
        at_market = new.type is OrderType.MARKET
        filters.check_quantity(new.quantity, contract, at_market=at_market)
        if not at_market:
            filters.check_price(new.price, contract)
            filters.check_percent(new.side, new.price, mark, contract)
        if not new.reduce_only:
            filters.check_notional(new.quantity * (new.price or mark), contract)
        filters.check_count(self._ledger.orders_of(new.symbol))
        if any(order.client_id == new.client_id for order in self._ledger.orders.values()):
            raise duplicate_client_id()

    def check_algo(self, new: NewAlgo) -> None:
        if self._ledger.dual_side:
            raise position_side_mismatch()
        contract = self._ledger.contract(new.symbol)
        filters.check_price(new.trigger_price, contract)
        if not new.type.is_at_market:
            filters.check_price(new.price, contract)
        if not new.close_position:
            filters.check_quantity(new.quantity, contract, at_market=new.type.is_at_market)
        if not (new.close_position or new.reduce_only):
            filters.check_notional(new.quantity * (new.price or new.trigger_price), contract)
        waiting = [algo for algo in self._ledger.algos.values() if algo.is_waiting]
        filters.check_algo_count(algo for algo in waiting if algo.symbol == new.symbol)
        if any(algo.client_id == new.client_id for algo in waiting):
            raise duplicate_client_id()
        if any(_close_alike(algo, new) for algo in waiting):
            msg = "An open stop or take profit order with GTE and closePosition in the direction is existing."
            raise Refusal(-4130, msg)


def _close_alike(algo: Algo, new: NewAlgo) -> bool:
    same = (algo.symbol, algo.side, algo.type.is_stop) == (new.symbol, new.side, new.type.is_stop)
    return algo.close_position and new.close_position and same
