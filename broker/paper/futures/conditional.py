"""Triggers conditional orders, and places the order that belongs to each."""

from collections.abc import Callable

from ..http.errors import Refusal
from .ledger import Ledger
from .matching import Matching
from .orders import Algo, AlgoStatus, Order, OrderType


class Conditional:
    def __init__(self, ledger: Ledger, matching: Matching) -> None:
        self._ledger = ledger
        self._matching = matching

    def advance_all(self, new_id: Callable[[], str]) -> None:
        """Trigger orders whose price is reached, oldest first. `new_id` creates ids for the placed orders."""
        for algo in sorted(self._ledger.algos.values(), key=lambda algo: algo.id):
            self._advance(algo, new_id)

    def _advance(self, algo: Algo, new_id: Callable[[], str]) -> None:
        ledger = self._ledger
        if not algo.is_waiting or not algo.triggers_at(ledger.mark(algo.symbol)):
            return
        algo.status, algo.triggered = AlgoStatus.TRIGGERING, ledger.now
        self._put(algo)
        order = self._order(algo, new_id())
        if algo.close_position and not order.quantity:
            algo.status = AlgoStatus.EXPIRED
            self._put(algo)
            return
        try:
            self._matching.submit(order)
        except Refusal as refusal:
            algo.status, algo.failure = AlgoStatus.REJECTED, refusal.msg
            self._put(algo)
            return
        algo.status, algo.order_id = AlgoStatus.TRIGGERED, order.id
        self._put(algo, order)
        if not order.is_open:
            algo.status = AlgoStatus.FINISHED
            self._put(algo, order)

    def cancel(self, algo: Algo) -> None:
        algo.status = AlgoStatus.CANCELED
        self._put(algo)

    def _put(self, algo: Algo, order: Order | None = None) -> None:
        algo.updated = self._ledger.now
        self._ledger.put_algo(algo, order)

    def _order(self, algo: Algo, client_id: str) -> Order:
        position = self._ledger.positions[algo.symbol]
        return Order(
            id=0,
            symbol=algo.symbol,
            client_id=client_id,
            side=algo.side,
            type=OrderType.MARKET if algo.type.is_at_market else OrderType.LIMIT,
            time_in_force=algo.time_in_force,
            quantity=position.reducible(algo.side) if algo.close_position else algo.quantity,
            price=algo.price,
            reduce_only=algo.reduce_only or algo.close_position,
            close_position=algo.close_position,
            created=self._ledger.now,
            updated=self._ledger.now,
            algo_id=algo.id,
        )
