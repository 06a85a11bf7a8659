"""A book kept by snapshot and changes is the exchange's, whenever the snapshot was taken."""

from decimal import Decimal

from hypothesis import example, given, settings
from hypothesis import strategies as st

from broker.paper import Exchange
from broker.paper.market.orders import Side
from broker.paper.market.prices import slot_of
from broker.paper.market.store import Store
from broker.paper.streams.depth import BookChange, DepthChanges
from broker.paper.streams.feeds import Payload

from ..support import BTC, Clock, new_order

Book = dict[Side, dict[Decimal, Decimal]]


def book_of(exchange: Exchange) -> Book:
    book = exchange.market(BTC).book(exchange.now)
    return {side: {level.price: level.quantity for level in book.levels(side)} for side in Side}


class Keeper:
    """Does what web-socket-streams.md says under "How to manage a local order book correctly"."""

    def __init__(self, snapshot: Book, last_update_id: int) -> None:
        self.book = snapshot
        self._last = last_update_id

    def apply(self, change: BookChange) -> None:
        if change.last <= self._last:
            return
        assert change.before <= self._last
        for side, quantities in ((Side.BUY, change.bids), (Side.SELL, change.asks)):
            for price, quantity in quantities.items():
                if quantity:
                    self.book[side][price] = quantity
                else:
                    self.book[side].pop(price, None)
        self._last = change.last


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(0, 1_200)),
        st.tuples(st.just("take"), st.sampled_from(["0.001", "0.2", "1"])),
        st.tuples(st.just("pin"), st.sampled_from([None, 60_000, 60_010])),
        st.tuples(st.just("snapshot"), st.none()),
        st.tuples(st.just("event"), st.none()),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=60)
@example([("pin", None), ("snapshot", None), ("take", "0.2"), ("event", None)])
@example([("pin", 60_000), ("snapshot", None), ("take", "1"), ("event", None), ("wait", 250)])
@example([("snapshot", None), ("take", "1"), ("wait", 250), ("event", None), ("wait", 900), ("event", None)])
@given(STEPS)
def test_a_kept_book_is_the_exchange_s(steps: list[tuple[str, object]]) -> None:
    clock, store, told = Clock(), Store(None), list[BookChange]()
    exchange = Exchange(store, seed=7, clock=clock, balances={"USDT": Decimal(10**9)})

    def keep(change: BookChange, _: int) -> Payload:
        told.append(change)
        return {}

    changes = DepthChanges(lambda: exchange.market(BTC), exchange.now, keep)
    keepers: list[Keeper] = []

    def tell() -> None:
        changes(exchange.now)
        while told:
            change = told.pop()
            for keeper in keepers:
                keeper.apply(change)

    for what, value in steps:
        match what:
            case "wait":
                clock.advance(seconds=int(str(value)) / 1000)
            case "take":
                exchange.place(new_order(kind="MARKET", quantity=str(value)))
            case "pin":
                clock.advance(seconds=0.25)  # no two prices are laid down in one slot
                exchange.pin(BTC, None if value is None else Decimal(str(value)))
            case "snapshot":
                keepers.append(Keeper(book_of(exchange), slot_of(exchange.now)))
            case "event":
                tell()
    for _ in range(2):
        clock.advance(seconds=0.25)
        tell()
    expected = book_of(exchange)
    store.close()
    for keeper in keepers:
        assert keeper.book == expected


def test_there_is_at_most_one_change_in_a_slot_and_none_is_left_out(exchange: Exchange, clock: Clock) -> None:
    ids: list[tuple[int, int]] = []

    def keep(change: BookChange, _: int) -> Payload:
        ids.append((change.before, change.last))
        return {}

    began = slot_of(exchange.now)
    changes = DepthChanges(lambda: exchange.market(BTC), exchange.now, keep)
    for milliseconds in (0, 100, 150, 100, 700, 250):
        clock.advance(seconds=milliseconds / 1000)
        changes(exchange.now)
    assert ids == [(began, began + 1), (began + 1, began + 4), (began + 4, began + 5)]
