"""The spot exchange: its markets, the account and its orders. No HTTP.

It writes each change to the store before it answers. A change that cannot be written is undone.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from ..http.errors import Refusal, invalid_symbol, rejected, unknown_order
from ..market.amounts import ZERO
from ..market.changes import Changes
from ..market.market import Market
from ..market.orders import Order, Side, Status, Trade
from ..market.store import Store, Window
from ..market.symbols import SPOT, Symbol
from .account import Account, Balance
from .changed import BalancesChanged, Deposited, OrderChanged
from .filters import check
from .matching import Matching
from .new_order import NewOrder

DEPOSIT = {"USDT": Decimal(100_000)}
MILLISECOND = 1000


def _random_id() -> str:
    return secrets.token_urlsafe(16)


class Exchange:
    """Times are UTC milliseconds. It refuses with a Refusal, which has Binance's code and message."""

    def __init__(
        self,
        store: Store,
        *,
        seed: int,
        clock: Callable[[], datetime],
        balances: Mapping[str, Decimal] = DEPOSIT,
        symbols: Iterable[Symbol] = SPOT,
        new_id: Callable[[], str] = _random_id,
    ) -> None:
        """A new store starts with `balances`. `new_id` creates a client order id if none is sent."""
        self.symbols = {symbol.name: symbol for symbol in symbols}
        self.new_id = new_id
        self.offset_ms = 0
        self.changes = Changes()
        self._store = store
        self._seed = seed
        self._clock = clock
        self._load()
        if not self.account.balances:
            with self._change():
                for asset, amount in balances.items():
                    self.account.receive(asset, amount)

    def _load(self) -> None:
        store = self._store
        self._markets = {
            name: Market(symbol, self._seed, store.pins(name), store.setting(name))
            for name, symbol in self.symbols.items()
        }
        self.account = Account(store.balances())
        self._open = {order.id: order for order in store.open_orders()}
        self._last_order_id, last_trade_id = store.last_ids()
        self._matching = Matching(self.account, last_trade_id)
        self._changed: dict[int, Order] = {}
        self._entered: set[int] = set()
        self._cancel_ids: dict[int, str] = {}
        self._deposits: list[Deposited] = []

    # The market

    @property
    def now(self) -> int:
        return int(self._clock().timestamp() * MILLISECOND) + self.offset_ms

    @property
    def assets(self) -> list[str]:
        """Every asset that is traded or has a balance."""
        traded = [asset for symbol in self.symbols.values() for asset in (symbol.base, symbol.quote)]
        return list(dict.fromkeys([*traded, *self.account.balances]))

    def market(self, symbol: str) -> Market:
        if symbol not in self._markets:
            raise invalid_symbol()
        return self._markets[symbol]

    # Orders

    def place(self, new: NewOrder) -> tuple[Order, list[Trade]]:
        """The order with the trades it made at once."""
        self.match()
        self.check(new)
        now, market = self.now, self.market(new.symbol)
        order = self._numbered(new, now)
        with self._change():
            self._matching.submit(order, market, now)
            self._changed[order.id] = order
            self._entered.add(order.id)
            trades = list(self._matching.trades)
        self._last_order_id = order.id
        return order, trades

    def check(self, new: NewOrder) -> None:
        """Raise Refusal if a filter fails or an open order has the same client id."""
        market = self.market(new.symbol)
        check(new, market.symbol, market.average(self.now), self._open.values())
        if any(order.client_id == new.client_id for order in self._open.values()):
            raise rejected("Duplicate order sent.")

    def cancel(
        self, symbol: str, order_id: int | None, client_id: str | None, *, cancel_id: str = ""
    ) -> Order:
        """`cancel_id` is the client id of the cancel itself."""
        self.match()
        wanted = (symbol, order_id, client_id)
        order = next((order for order in self._open.values() if _is(order, *wanted)), None)
        if order is None:
            raise unknown_order()
        self._cancel([order], cancel_id or self.new_id())
        return order

    def cancel_all(self, symbol: str, *, cancel_id: str = "") -> list[Order]:
        self.match()
        orders = [order for order in self._open.values() if order.symbol == symbol]
        if not orders:
            raise unknown_order()
        self._cancel(orders, cancel_id or self.new_id())
        return orders

    def order(self, symbol: str, order_id: int | None, client_id: str | None) -> Order:
        self.match()
        order = self._store.order(symbol, order_id, client_id)
        if order is None:
            raise Refusal(-2013, "Order does not exist.")
        return order

    def open_orders(self, symbol: str | None = None) -> list[Order]:
        self.match()
        return [order for order in self._open.values() if symbol in (None, order.symbol)]

    def orders(self, symbol: str, window: Window) -> list[Order]:
        self.match()
        return self._store.orders(symbol, window)

    def every_order(self) -> list[Order]:
        self.match()
        return self._store.every_order()

    def trades(self, symbol: str, window: Window) -> list[Trade]:
        self.match()
        return self._store.trades(symbol, window)

    def match(self) -> None:
        """Fill and trigger orders at the current prices: best price first, then oldest first."""
        if not self._open:
            return
        now = self.now
        with self._change():
            for order in sorted(self._open.values(), key=_priority):
                waited = not order.is_working
                if self._matching.advance(order, self._markets[order.symbol], now):
                    self._changed[order.id] = order
                    if waited:
                        self._entered.add(order.id)

    # For the control API

    def pin(self, symbol: str, price: Decimal | None) -> None:
        """Hold a market's last price. None releases it."""
        market = self.market(symbol)
        with self._change(), self._store.transaction():
            market.hold(price, self.now)
            self._store.write_pins(symbol, market.pins)
            self._store.write_setting(symbol, market.setting)
        self.match()

    def set_level_size(self, symbol: str, size: Decimal | None) -> None:
        """Set the quantity of every level of a market's book. None: random quantities."""
        market = self.market(symbol)
        with self._change(), self._store.transaction():
            market.set_level_size(size)
            self._store.write_setting(symbol, market.setting)

    def set_free(self, asset: str, amount: Decimal) -> None:
        with self._change():
            difference = amount - self.account.balance(asset).free
            self.account.receive(asset, difference)
            self._deposits.append(Deposited(asset, difference, self.now))

    # Writing changes

    def _numbered(self, new: NewOrder, now: int) -> Order:
        return Order(
            id=self._last_order_id + 1,
            symbol=new.symbol,
            client_id=new.client_id,
            side=new.side,
            type=new.type,
            time_in_force=new.time_in_force,
            quantity=new.quantity or ZERO,
            quote_quantity=new.quote_quantity or ZERO,
            price=new.price or ZERO,
            stop_price=new.stop_price or ZERO,
            created=now,
            updated=now,
        )

    def _cancel(self, orders: list[Order], cancel_id: str) -> None:
        with self._change():
            for order in orders:
                self._matching.finish(order, Status.CANCELED, self._markets[order.symbol], self.now)
                self._changed[order.id] = order
                self._cancel_ids[order.id] = cancel_id

    @contextmanager
    def _change(self) -> Iterator[None]:
        try:
            yield
            if self._changed or self.account.touched:
                self._write()
        except Refusal:
            raise  # a refusal is raised before any change
        except BaseException:
            self._load()
            raise

    def _write(self) -> None:
        now, trades = self.now, self._matching.trades
        touched = [self.account.balances[asset] for asset in sorted(self.account.touched)]
        for balance in touched:
            balance.updated = now
        with self._store.transaction():
            self._store.write_orders(self._changed.values())
            self._store.write_trades(trades)
            self._store.write_balances(touched)
            for symbol in {trade.symbol for trade in trades}:
                market = self._markets[symbol]
                self._store.write_setting(symbol, market.keep(market.book(now)))
        pending = self._pending(touched)
        self._settle()
        for change in pending:
            self.changes.publish(change)

    def _pending(self, touched: list[Balance]) -> list[object]:
        """Return the changes in Binance's order: deposits, orders, then the resulting balances."""
        orders = [
            OrderChanged(
                order=replace(order),
                trades=tuple(trade for trade in self._matching.trades if trade.order_id == order.id),
                entered=order.id in self._entered,
                cancel_id=self._cancel_ids.get(order.id, ""),
            )
            for order in self._changed.values()
        ]
        balances = BalancesChanged(tuple(replace(balance) for balance in touched))
        return [*self._deposits, *orders, *([balances] if touched else [])]

    def _settle(self) -> None:
        for order in self._changed.values():
            self._open[order.id] = order
        self._open = {number: order for number, order in self._open.items() if order.is_open}
        self._changed.clear()
        self._entered.clear()
        self._cancel_ids.clear()
        self._deposits.clear()
        self._matching.trades.clear()
        self.account.touched.clear()


def _is(order: Order, symbol: str, order_id: int | None, client_id: str | None) -> bool:
    return order.symbol == symbol and order_id in (None, order.id) and client_id in (None, order.client_id)


def _priority(order: Order) -> tuple[Decimal, int]:
    return (-order.price if order.side is Side.BUY else order.price), order.id
