"""Whatever is done, value is conserved, and what is locked is what the open orders may still spend."""

from collections import defaultdict
from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from broker.paper import Exchange
from broker.paper.http.errors import Refusal
from broker.paper.spot.new_order import NewOrder
from broker.paper.market.orders import Order, Side, TimeInForce
from broker.paper.market.store import Store, Window

from .support import BTC, Clock, new_order

START = {"USDT": Decimal(20_000), "BTC": Decimal("0.3")}
PRICES = st.integers(5_950, 6_050).map(lambda tens: f"{tens}0")
QUANTITIES = st.integers(100, 20_000).map(lambda steps: str(steps * Decimal("0.00001")))
SIDES = st.sampled_from(list(Side))
PLACE = st.one_of(
    st.builds(
        new_order, SIDES, st.just("LIMIT"), QUANTITIES, PRICES, force=st.sampled_from(list(TimeInForce))
    ),
    st.builds(new_order, SIDES, st.just("LIMIT_MAKER"), QUANTITIES, PRICES),
    st.builds(new_order, SIDES, st.just("MARKET"), QUANTITIES),
    st.builds(new_order, SIDES, st.just("MARKET"), st.none(), quote=st.integers(10, 9_000).map(str)),
    st.builds(new_order, SIDES, st.sampled_from(["STOP_LOSS", "TAKE_PROFIT"]), QUANTITIES, stop=PRICES),
    st.builds(new_order, SIDES, st.just("STOP_LOSS_LIMIT"), QUANTITIES, PRICES, stop=PRICES),
)
STEPS = st.lists(
    st.one_of(
        PLACE,
        st.tuples(st.just("price"), PRICES.map(Decimal)),
        st.tuples(st.just("cancel"), st.integers(0, 5)),
        st.tuples(st.just("size"), st.sampled_from([Decimal("0.003"), Decimal("0.1"), None])),
    ),
    max_size=30,
)


@settings(max_examples=100, deadline=None)
@given(STEPS)
def test_value_is_conserved_and_locks_match_the_open_orders(steps: list[object]) -> None:
    store = Store(None)
    exchange = Exchange(store, seed=3, clock=Clock(), balances=START)
    exchange.pin(BTC, Decimal(60_000))
    for number, step in enumerate(steps):
        _do(exchange, step, f"id-{number}")
        _check(exchange)
    _check(Exchange(store, seed=3, clock=Clock(), balances=START))
    store.close()


def _do(exchange: Exchange, step: object, client_id: str) -> None:
    try:
        match step:
            case ("price", Decimal() as price):
                exchange.pin(BTC, price)
            case ("size", (Decimal() | None) as size):
                exchange.set_level_size(BTC, size)
            case ("cancel", int(number)):
                open_orders = exchange.open_orders()
                exchange.cancel(BTC, open_orders[number].id if number < len(open_orders) else 0, None)
            case NewOrder():
                exchange.place(replace(step, client_id=client_id))
    except Refusal:
        pass


def _check(exchange: Exchange) -> None:
    expected: dict[str, Decimal] = defaultdict(Decimal, START)
    filled: dict[int, Decimal] = defaultdict(Decimal)
    for trade in exchange.trades(BTC, Window(10_000)):
        sign = 1 if trade.side is Side.BUY else -1
        expected["BTC"] += sign * trade.quantity
        expected["USDT"] -= sign * trade.price * trade.quantity
        expected[trade.commission_asset] -= trade.commission
        filled[trade.order_id] += trade.quantity
    for asset, total in expected.items():
        held = exchange.account.balance(asset)
        assert held.free >= 0
        assert held.free + held.locked == total
        assert held.locked == sum(_may_spend(order, asset) for order in exchange.open_orders())
    for order in exchange.every_order():
        assert order.executed == filled[order.id] <= order.quantity
        assert order.is_open or order.locked == 0


def _may_spend(order: Order, asset: str) -> Decimal:
    left = order.quantity - order.executed
    if order.side is Side.SELL:
        return left if asset == "BTC" else Decimal(0)
    return left * (order.price or order.stop_price) if asset == "USDT" else Decimal(0)
