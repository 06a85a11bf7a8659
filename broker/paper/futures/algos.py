"""Places, cancels and finds the account's conditional orders."""

from collections.abc import Callable

from ..http.errors import unknown_order
from ..market.store import Window
from .admission import Admission
from .conditional import Conditional
from .errors import no_such_order, would_trigger
from .ledger import Ledger
from .new_algo import NewAlgo
from .orders import Algo


class Algos:
    """Conditional orders have their own ids and client ids."""

    def __init__(
        self, ledger: Ledger, conditional: Conditional, admission: Admission, match: Callable[[], None]
    ) -> None:
        """`match` brings the exchange up to the current time."""
        self._ledger = ledger
        self._conditional = conditional
        self._admission = admission
        self._match = match

    def place(self, new: NewAlgo) -> Algo:
        self._match()
        ledger = self._ledger
        self._admission.check_algo(new)
        algo = new.algo(ledger.next_algo_id(), ledger.now)
        if algo.triggers_at(ledger.mark(new.symbol)):
            raise would_trigger()
        with ledger.change():
            ledger.put_algo(algo)
        return algo

    def cancel(self, algo_id: int | None, client_id: str | None) -> Algo:
        by = (algo for algo in self.waiting() if algo_id in (None, algo.id))
        algo = next((algo for algo in by if client_id in (None, algo.client_id)), None)
        if algo is None:
            raise unknown_order()
        self._cancel([algo])
        return algo

    def cancel_all(self, symbol: str) -> list[Algo]:
        algos = self.waiting(symbol)
        self._cancel(algos)
        return algos

    def find(self, algo_id: int | None, client_id: str | None) -> Algo:
        """Return the newest conditional order that matches the given ids. Raises Refusal if there is none."""
        self._match()
        algo = self._ledger.store.algo(algo_id, client_id)
        if algo is None:
            raise no_such_order()
        return algo

    def waiting(self, symbol: str | None = None) -> list[Algo]:
        """Return the conditional orders that are not triggered yet."""
        self._match()
        waiting = [algo for algo in self._ledger.algos.values() if algo.is_waiting]
        return [algo for algo in waiting if symbol in (None, algo.symbol)]

    def within(self, symbol: str, window: Window) -> list[Algo]:
        self._match()
        return self._ledger.store.algos_in(symbol, window)

    def every(self) -> list[Algo]:
        self._match()
        return self._ledger.store.algos.where("true ORDER BY id")

    def _cancel(self, algos: list[Algo]) -> None:
        with self._ledger.change():
            for algo in algos:
                self._conditional.cancel(algo)
