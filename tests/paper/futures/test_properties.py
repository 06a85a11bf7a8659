"""Whatever is done, value is conserved, the position is what was filled, and nothing reduces into opening."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.paper.http.errors import Refusal
from broker.paper.futures import FuturesExchange
from broker.paper.futures.changed import Execution, OrderChanged
from broker.paper.futures.income import IncomeType
from broker.paper.futures.new_algo import NewAlgo
from broker.paper.futures.new_order import NewOrder
from broker.paper.futures.positions import MarginType
from broker.paper.market.orders import Side
from broker.paper.market.store import Store, Window

from ..support import Clock
from .support import BTC, new_algo, new_order, position

ALL = Window(10_000)
START = Decimal(5_000)
PRICES = st.integers(580, 620).map(lambda hundreds: f"{hundreds}00")
QUANTITIES = st.integers(2, 900).map(lambda steps: str(steps * Decimal("0.001")))
SIDES = st.sampled_from(["BUY", "SELL"])
STEPS = st.lists(
    st.one_of(
        st.builds(new_order, SIDES, st.just("MARKET"), QUANTITIES, reduce_only=st.booleans()),
        st.builds(
            new_order,
            SIDES,
            st.just("LIMIT"),
            QUANTITIES,
            PRICES,
            reduce_only=st.booleans(),
            force=st.sampled_from(["GTC", "IOC", "FOK", "GTX"]),
        ),
        st.builds(
            new_algo,
            SIDES,
            st.sampled_from(["STOP_MARKET", "TAKE_PROFIT_MARKET"]),
            QUANTITIES,
            PRICES,
            reduce_only=st.booleans(),
        ),
        st.builds(new_algo, SIDES, trigger=PRICES, close=st.just(True)),
        st.tuples(st.just("price"), PRICES.map(Decimal)),
        st.tuples(st.just("size"), st.sampled_from([Decimal("0.05"), Decimal(1), None])),
        st.tuples(st.just("leverage"), st.sampled_from([1, 10, 20, 50, 125])),
        st.tuples(st.just("margin"), st.sampled_from(list(MarginType))),
        st.tuples(st.just("hours"), st.integers(1, 20)),
        st.tuples(st.just("cancel"), st.integers(0, 3)),
    ),
    max_size=30,
)


@settings(max_examples=120, deadline=None)
@given(STEPS)
def test_value_is_conserved(steps: list[object]) -> None:
    store, clock = Store(None), Clock()

    def opened() -> FuturesExchange:
        return FuturesExchange(store, seed=3, clock=lambda: int(clock().timestamp() * 1000), deposit=START)

    exchange = opened()
    exchange.pin(BTC, Decimal(60_000))
    watcher = _Watcher(exchange)
    for number, step in enumerate(steps):
        _do(exchange, clock, step, f"id-{number}")
        _check(exchange)
        watcher.check()
    _check(opened())
    store.close()


def _do(exchange: FuturesExchange, clock: Clock, step: object, client_id: str) -> None:
    try:
        match step:
            case ("price", Decimal() as price):
                exchange.pin(BTC, price)
            case ("size", (Decimal() | None) as size):
                exchange.set_level_size(BTC, size)
            case ("leverage", int(leverage)):
                exchange.set_leverage(BTC, leverage)
            case ("margin", MarginType() as margin_type):
                exchange.set_margin_type(BTC, margin_type)
            case ("hours", int(hours)):
                clock.now += timedelta(hours=hours)
            case ("cancel", int(number)):
                orders = exchange.open_orders()
                exchange.cancel(BTC, orders[number].id if number < len(orders) else 0, None)
            case NewOrder():
                _place(exchange, replace(step, client_id=client_id))
            case NewAlgo():
                exchange.algos.place(replace(step, client_id=client_id))
    except Refusal:
        pass


def _place(exchange: FuturesExchange, new: NewOrder) -> None:
    """An order that was accepted leaves no less than nothing free, if it was so before."""
    before, amount = exchange.summary().free, position(exchange).amount
    exchange.place(new)
    adds = abs(position(exchange).amount) > abs(amount)
    if adds and before >= 0:
        assert exchange.summary().free >= 0


def _check(exchange: FuturesExchange) -> None:
    trades = exchange.trades(BTC, ALL)
    entries = exchange.income(None, None, None, None, 10_000)
    held, summary = position(exchange), exchange.summary()
    other = sum(e.amount for e in entries if e.type in (IncomeType.FUNDING_FEE, IncomeType.INSURANCE_CLEAR))
    realized = sum((trade.realized for trade in trades), Decimal(0))
    fees = sum((trade.commission for trade in trades), Decimal(0))
    assert summary.wallet.balance == START + realized - fees + other
    assert summary.wallet.balance == sum(entry.amount for entry in entries)
    signs = {Side.BUY: 1, Side.SELL: -1}
    assert held.amount == sum(signs[trade.side] * trade.quantity for trade in trades)
    flow = sum(-signs[trade.side] * trade.cost for trade in trades)
    assert flow + held.cost == realized == held.realized, "what came in is realised, or still in the position"
    assert summary.available >= 0
    assert summary.wallet.balance >= 0
    assert 0 <= held.isolated_wallet or held.is_isolated
    assert held.amount or not held.isolated_wallet
    for order in exchange.every_order():
        filled = sum(trade.quantity for trade in trades if trade.order_id == order.id)
        assert order.executed == filled <= order.quantity
    assert not [o for o in exchange.open_orders() if o.reduce_only and not held.reducible(o.side)]


class _Watcher:
    """Follows the position by what listeners are told, and looks at every reduce-only fill."""

    def __init__(self, exchange: FuturesExchange) -> None:
        self._exchange = exchange
        self._amount = Decimal(0)
        exchange.changes.listen(self._hear)

    def check(self) -> None:
        assert position(self._exchange).amount == self._amount

    def _hear(self, change: object) -> None:
        if isinstance(change, OrderChanged) and change.trade:
            signed = change.trade.quantity * (1 if change.trade.side is Side.BUY else -1)
            after = self._amount + signed
            if change.order.reduce_only:
                assert abs(after) < abs(self._amount) and after * self._amount >= 0
            self._amount = after
            assert change.reason in (Execution.TRADE, Execution.CALCULATED)
