"""The tables of the futures exchange, in the same file as spot's."""

from collections.abc import Collection

from ..market.market import Market, Pin, Setting
from ..market.orders import OPEN
from ..market.store import Store, Window
from .income import Income
from .orders import Algo, AlgoStatus, Order, Trade
from .positions import Position, Wallet

_WAITING_OR_WORKING = (AlgoStatus.NEW, AlgoStatus.TRIGGERED)


class FuturesStore:
    def __init__(self, store: Store) -> None:
        self.transaction = store.transaction
        self.orders = store.table(
            "futures_orders", Order, [("client_id",), ("symbol", "created"), ("status",)]
        )
        self.trades = store.table("futures_trades", Trade, [("order_id",), ("symbol", "time")])
        self.algos = store.table("futures_algos", Algo, [("client_id",), ("symbol", "created"), ("status",)])
        self.positions = store.table("futures_positions", Position)
        self.wallets = store.table("futures_wallets", Wallet)
        self.incomes = store.table("futures_incomes", Income, [("time",)])
        self._store = store

    def open_orders(self) -> list[Order]:
        return self.orders.where(f"status IN ({_marks(OPEN)}) ORDER BY id", *sorted(OPEN))

    def live_algos(self) -> list[Algo]:
        """Return conditional orders that wait, or whose order is open."""
        states = _WAITING_OR_WORKING
        return self.algos.where(f"status IN ({_marks(states)}) ORDER BY id", *states)

    def orders_in(self, symbol: str, window: Window) -> list[Order]:
        where, values = window.query(symbol, "created")
        return sorted(self.orders.where(where, *values), key=lambda order: order.id)

    def algos_in(self, symbol: str, window: Window) -> list[Algo]:
        where, values = window.query(symbol, "created")
        return sorted(self.algos.where(where, *values), key=lambda algo: algo.id)

    def trades_in(self, symbol: str, window: Window) -> list[Trade]:
        where, values = window.query(symbol, "time")
        return sorted(self.trades.where(where, *values), key=lambda trade: trade.id)

    def order(self, symbol: str, order_id: int | None, client_id: str | None) -> Order | None:
        """Return the newest order that matches the given ids."""
        where = "symbol = ? AND id = coalesce(?, id) AND client_id = coalesce(?, client_id)"
        found = self.orders.where(f"{where} ORDER BY id DESC LIMIT 1", symbol, order_id, client_id)
        return found[0] if found else None

    def algo(self, algo_id: int | None, client_id: str | None) -> Algo | None:
        where = "id = coalesce(?, id) AND client_id = coalesce(?, client_id)"
        found = self.algos.where(f"{where} ORDER BY id DESC LIMIT 1", algo_id, client_id)
        return found[0] if found else None

    def income(
        self, symbol: str | None, kind: str | None, start: int | None, end: int | None, limit: int
    ) -> list[Income]:
        """Return entries oldest first: those from `start`, or else the newest."""
        where = (
            "symbol = coalesce(?, symbol) AND type = coalesce(?, type)"
            " AND time >= coalesce(?, time) AND time <= coalesce(?, time)"
        )
        direction = "DESC" if start is None else "ASC"
        query = f"{where} ORDER BY id {direction} LIMIT ?"
        return sorted(self.incomes.where(query, symbol, kind, start, end, limit), key=lambda entry: entry.id)

    def setting(self, symbol: str) -> Setting:
        return self._store.setting(_named(symbol))

    def pins(self, symbol: str) -> list[Pin]:
        return self._store.pins(_named(symbol))

    def write_market(self, market: Market) -> None:
        name = _named(market.symbol.name)
        self._store.write_setting(name, market.setting)
        self._store.write_pins(name, market.pins)


def _named(symbol: str) -> str:
    return f"futures:{symbol}"


def _marks(values: Collection[str]) -> str:
    return ", ".join("?" * len(values))
