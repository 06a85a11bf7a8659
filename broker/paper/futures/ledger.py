"""The state of the futures account in memory, and its changes that are not written to the store yet."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal

from ..http.errors import Refusal
from ..market.amounts import ZERO
from ..market.changes import Changes
from ..market.market import Market
from .changed import (
    AccountChanged,
    AccountEvent,
    AlgoChanged,
    BalanceChanged,
    Execution,
    OrderChanged,
    PositionChanged,
)
from .contracts import Contract
from .income import Income, IncomeType
from .margin import Exposure, Summary, exposure
from .orders import Algo, AlgoStatus, Order, Trade
from .positions import Position, Wallet
from .store import FuturesStore

MARGIN_ASSET = "USDT"
FIRST_ALGO_ID = 1_000_000
"""Far from the ids of plain orders, so that a mix-up of the two is noticed."""


class Ledger:
    def __init__(
        self, store: FuturesStore, markets: Callable[[], dict[str, Market]], clock: Callable[[], int]
    ) -> None:
        """`markets` loads the markets from the store."""
        self.changes = Changes()
        self.dual_side = False
        """Hedge mode. Only the control API can set it; it is not stored."""
        self.store = store
        self._read_markets = markets
        self._clock = clock
        self.tick()
        self._load()

    def tick(self) -> None:
        """Set `now` (UTC milliseconds). Time advances only here, so that one request sees one price."""
        self.now = self._clock()

    def _load(self) -> None:
        store = self.store
        self.markets = self._read_markets()
        kept = {position.symbol: position for position in store.positions.where("true")}
        self.positions = {name: kept.get(name) or Position(name) for name in self.markets}
        self.orders = {order.id: order for order in store.open_orders()}
        self.algos = {algo.id: algo for algo in store.live_algos()}
        wallets = store.wallets.where("asset = ?", MARGIN_ASSET)
        self.is_new = not wallets
        self.wallet = wallets[0] if wallets else Wallet(MARGIN_ASSET, ZERO, self.now, self.now)
        self._last_order_id = store.orders.last_key()
        self._last_algo_id = max(FIRST_ALGO_ID, store.algos.last_key())
        self._last_trade_id = store.trades.last_key()
        self._last_income_id = store.incomes.last_key()
        self._forget()

    def _forget(self) -> None:
        self._changed_orders: dict[int, Order] = {}
        self._changed_algos: dict[int, Algo] = {}
        self._changed_positions: set[str] = set()
        self._changed_markets: set[str] = set()
        self._wallet_changed = False
        self.trades: list[Trade] = []
        self._incomes: list[Income] = []
        self._pending: list[object] = []

    # Reading

    def mark(self, symbol: str) -> Decimal:
        return self.markets[symbol].price(self.now)

    def contract(self, symbol: str) -> Contract:
        contract = self.markets[symbol].symbol
        assert isinstance(contract, Contract)  # noqa: S101 - the markets are made of contracts
        return contract

    def orders_of(self, symbol: str) -> list[Order]:
        return [order for order in self.orders.values() if order.symbol == symbol]

    def exposure(self, symbol: str) -> Exposure:
        """Return a copy, which later changes do not affect. So does `summary`."""
        position, orders = replace(self.positions[symbol]), self.orders_of(symbol)
        return exposure(self.contract(symbol), position, self.mark(symbol), orders)

    def summary(self) -> Summary:
        return Summary(replace(self.wallet), tuple(self.exposure(symbol) for symbol in self.positions))

    # Changes, made inside `change`

    @contextmanager
    def change(self) -> Iterator[None]:
        """Write all changes of the block in one transaction, then publish them. Undo them if that fails."""
        try:
            yield
            self._write()
        except BaseException as error:
            if not isinstance(error, Refusal) or self._is_dirty:
                self._load()
            raise
        pending = self._pending
        self._forget()
        for change in pending:
            self.changes.publish(change)

    def next_order_id(self) -> int:
        self._last_order_id += 1
        return self._last_order_id

    def next_algo_id(self) -> int:
        self._last_algo_id += 1
        return self._last_algo_id

    def next_trade_id(self) -> int:
        self._last_trade_id += 1
        return self._last_trade_id

    def put_order(
        self, order: Order, reason: Execution, trade: Trade | None = None, expiry_reason: int = 0
    ) -> None:
        self._changed_orders[order.id] = order
        if order.is_open:
            self.orders[order.id] = order
        else:
            self.orders.pop(order.id, None)
        if trade:
            self.trades.append(trade)
        self.record(OrderChanged(replace(order), reason, self.now, trade, expiry_reason))
        self._follow(order)

    def put_algo(self, algo: Algo, order: Order | None = None) -> None:
        self._changed_algos[algo.id] = algo
        if algo.status in (AlgoStatus.NEW, AlgoStatus.TRIGGERING, AlgoStatus.TRIGGERED):
            self.algos[algo.id] = algo
        else:
            self.algos.pop(algo.id, None)
        self.record(AlgoChanged(replace(algo), self.now, replace(order) if order else None))

    def put_position(self, position: Position) -> None:
        position.updated = self.now
        self._changed_positions.add(position.symbol)

    def put_market(self, symbol: str) -> None:
        self._changed_markets.add(symbol)

    def earn(self, kind: IncomeType, amount: Decimal, symbol: str = "", trade_id: int = 0) -> None:
        """Add to the wallet, or take from it, with an income entry."""
        if amount:
            self._last_income_id += 1
            self._incomes.append(Income(self._last_income_id, symbol, kind, amount, self.now, trade_id))
            self.wallet.balance += amount
            self.touch_wallet()

    def touch_wallet(self) -> None:
        self.wallet.updated = self.now
        self._wallet_changed = True

    def record(self, change: object) -> None:
        self._pending.append(change)

    def record_account(
        self, reason: AccountEvent, symbols: Iterable[str] = (), change: Decimal = ZERO
    ) -> None:
        """Record a change of the account. `change` is the amount without profit and commission."""
        balance = BalanceChanged(MARGIN_ASSET, self.wallet.balance, self.summary().cross_wallet, change)
        positions = tuple(
            PositionChanged(replace(self.positions[symbol]), self.mark(symbol)) for symbol in symbols
        )
        self.record(AccountChanged(reason, (balance,), positions, self.now))

    def _follow(self, order: Order) -> None:
        """Finish a conditional order when the order that it placed has ended."""
        algo = self.algos.get(order.algo_id)
        if algo and algo.status is AlgoStatus.TRIGGERED and not order.is_open:
            algo.status, algo.updated = AlgoStatus.FINISHED, self.now
            self.put_algo(algo, order)

    @property
    def _is_dirty(self) -> bool:
        return bool(
            self._changed_orders
            or self._changed_algos
            or self._changed_positions
            or self._changed_markets
            or self._wallet_changed
        )

    def _write(self) -> None:
        if not self._is_dirty:
            return
        with self.store.transaction():
            self.store.orders.write(self._changed_orders.values())
            self.store.algos.write(self._changed_algos.values())
            self.store.trades.write(self.trades)
            self.store.incomes.write(self._incomes)
            self.store.positions.write(self.positions[symbol] for symbol in self._changed_positions)
            self.store.wallets.write([self.wallet] if self._wallet_changed else [])
            for symbol in self._changed_markets:
                self.store.write_market(self.markets[symbol])
