"""The futures exchange: its markets, positions and orders. No HTTP.

It writes each change to the store before it answers. A change that cannot be written is undone. Before each
request it pays due funding, fills orders at the current prices, and liquidates positions.
"""

import secrets
from collections.abc import Callable, Iterable
from decimal import Decimal

from ..http.errors import invalid_symbol, unknown_order
from ..market.market import Market
from ..market.orders import Side
from ..market.store import Store, Window
from .admission import Admission
from .algos import Algos
from .changed import AccountEvent, Execution
from .conditional import Conditional
from .contracts import USDT_M, Contract
from .errors import no_such_order
from .funding import Funding
from .income import Income, IncomeType
from .ledger import Ledger
from .liquidation import Liquidation
from .listen_keys import ListenKeys
from .margin import Summary
from .matching import Matching
from .new_order import NewOrder
from .orders import Order, Trade
from .positions import MarginType, Position
from .store import FuturesStore
from .terms import Terms

DEPOSIT = Decimal(100_000)


def _random_id() -> str:
    return secrets.token_urlsafe(16)


class FuturesExchange:
    """Times are UTC milliseconds. It refuses with a Refusal, which has Binance's code and message."""

    def __init__(
        self,
        store: Store,
        *,
        seed: int,
        clock: Callable[[], int],
        deposit: Decimal = DEPOSIT,
        contracts: Iterable[Contract] = USDT_M,
        new_id: Callable[[], str] = _random_id,
    ) -> None:
        """A new store starts with `deposit`. `new_id` creates a client order id if none is sent."""
        self.contracts = {contract.name: contract for contract in contracts}
        self.new_id = new_id
        self.seed = seed
        self._clock = clock
        self._store = FuturesStore(store)
        self._ledger = Ledger(self._store, self._markets, clock)
        self._matching = Matching(self._ledger)
        self._conditional = Conditional(self._ledger, self._matching)
        self._liquidation = Liquidation(self._ledger, self._matching)
        self._admission = Admission(self._ledger)
        self.algos = Algos(self._ledger, self._conditional, self._admission, self.match)
        self._funding = Funding(self._ledger, seed)
        self._terms = Terms(self._ledger)
        self.changes = self._ledger.changes
        self.listen_keys = ListenKeys(clock, new_id)
        if self._ledger.is_new:
            self.transfer(deposit)

    def _markets(self) -> dict[str, Market]:
        return {
            name: Market(contract, self.seed, self._store.pins(name), self._store.setting(name))
            for name, contract in self.contracts.items()
        }

    # The market

    @property
    def now(self) -> int:
        return self._clock()

    @property
    def dual_side(self) -> bool:
        """Whether the account is in hedge mode. This exchange then refuses orders."""
        return self._ledger.dual_side

    @dual_side.setter
    def dual_side(self, dual: bool) -> None:
        self._ledger.dual_side = dual

    def market(self, symbol: str) -> Market:
        if symbol not in self.contracts:
            raise invalid_symbol()
        return self._ledger.markets[symbol]

    # Orders

    def place(self, new: NewOrder) -> Order:
        self.match()
        self._admission.check(new)
        order = new.order(self._ledger.now)
        with self._ledger.change():
            self._matching.submit(order)
        return order

    def cancel(self, symbol: str, order_id: int | None, client_id: str | None) -> Order:
        order = self.open_order(symbol, order_id, client_id)
        if order is None:
            raise unknown_order()
        with self._ledger.change():
            self._matching.end(order, Execution.CANCELED)
        return order

    def cancel_all(self, symbol: str) -> list[Order]:
        orders = self.open_orders(symbol)
        with self._ledger.change():
            for order in orders:
                self._matching.end(order, Execution.CANCELED)
        return orders

    def order(self, symbol: str, order_id: int | None, client_id: str | None) -> Order:
        self.match()
        order = self._store.order(symbol, order_id, client_id)
        if order is None:
            raise no_such_order()
        return order

    def open_order(self, symbol: str, order_id: int | None, client_id: str | None) -> Order | None:
        by = (order for order in self.open_orders(symbol) if order_id in (None, order.id))
        return next((order for order in by if client_id in (None, order.client_id)), None)

    def open_orders(self, symbol: str | None = None) -> list[Order]:
        self.match()
        return [order for order in self._ledger.orders.values() if symbol in (None, order.symbol)]

    def orders(self, symbol: str, window: Window) -> list[Order]:
        self.match()
        return self._store.orders_in(symbol, window)

    def every_order(self) -> list[Order]:
        self.match()
        return self._store.orders.where("true ORDER BY id")

    def trades(self, symbol: str, window: Window) -> list[Trade]:
        self.match()
        return self._store.trades_in(symbol, window)

    # The account

    def summary(self) -> Summary:
        self.match()
        return self._ledger.summary()

    def income(
        self, symbol: str | None, kind: str | None, start: int | None, end: int | None, limit: int
    ) -> list[Income]:
        self.match()
        return self._store.income(symbol, kind, start, end, limit)

    def set_leverage(self, symbol: str, leverage: int) -> Position:
        self.market(symbol)
        self.match()
        return self._terms.set_leverage(symbol, leverage)

    def set_margin_type(self, symbol: str, margin_type: MarginType) -> None:
        self.market(symbol)
        self.match()
        self._terms.set_margin_type(symbol, margin_type)

    def match(self) -> None:
        """Bring funding, orders and liquidations up to the current time."""
        ledger = self._ledger
        ledger.tick()
        with ledger.change():
            self._funding.pay_due()
            self._conditional.advance_all(self.new_id)
            for order in sorted(ledger.orders.values(), key=_priority):
                if order.is_open:
                    self._matching.advance(order)
            self._liquidation.run()

    # For the control API

    def pin(self, symbol: str, price: Decimal | None) -> None:
        """Hold a market's last and mark price. None releases them."""
        market = self.market(symbol)
        self._ledger.tick()
        with self._ledger.change():
            market.hold(price, self._ledger.now)
            self._ledger.put_market(symbol)
        self.match()

    def set_level_size(self, symbol: str, size: Decimal | None) -> None:
        """Set the quantity of every level of a market's book. None: random quantities."""
        market = self.market(symbol)
        self._ledger.tick()
        with self._ledger.change():
            market.set_level_size(size)
            self._ledger.put_market(symbol)

    def transfer(self, amount: Decimal) -> None:
        """Transfer into the wallet, or out of it if the amount is negative."""
        self._ledger.tick()
        with self._ledger.change():
            self._ledger.touch_wallet()
            self._ledger.earn(IncomeType.TRANSFER, amount)
            self._ledger.record_account(AccountEvent.DEPOSIT, change=amount)

    def set_free(self, amount: Decimal) -> None:
        """Transfer funds in or out so that `amount` is free."""
        self.transfer(amount - self.summary().free)


def _priority(order: Order) -> tuple[Decimal, int]:
    return (-order.price if order.side is Side.BUY else order.price), order.id
