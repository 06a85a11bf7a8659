"""What an order gets, and what that does to position and wallet."""

from decimal import Decimal

import pytest

from broker.paper.http.errors import Refusal
from broker.paper.futures import FuturesExchange
from broker.paper.futures.changed import AccountChanged, AccountEvent, Execution, OrderChanged
from broker.paper.market.orders import Side, Status
from broker.paper.market.store import Window

from .support import BTC, balance, new_order, position

ALL = Window(1000)


def test_a_market_order_walks_the_book_and_pays_the_takers_fee(futures: FuturesExchange) -> None:
    order = futures.place(new_order(quantity="1.5"))
    assert (order.status, order.executed) == (Status.FILLED, Decimal("1.5"))
    trades = futures.trades(BTC, ALL)
    assert [(trade.price, trade.quantity) for trade in trades] == [
        (Decimal("60000.1"), Decimal(1)),
        (Decimal("60000.6"), Decimal("0.5")),
    ]
    assert sum(trade.commission for trade in trades) == Decimal("90000.4") * Decimal("0.0005")
    assert balance(futures) == 100_000 - Decimal("45.0002")
    held = position(futures)
    assert (held.amount, held.cost) == (Decimal("1.5"), Decimal("90000.4"))


def test_profit_is_realised_in_proportion_and_the_entry_price_stays(futures: FuturesExchange) -> None:
    futures.place(new_order(quantity="1"))
    futures.pin(BTC, Decimal(61_000))
    futures.place(new_order("SELL", quantity="0.4", client_id="part"))
    assert position(futures).entry_price == Decimal("60000.1")
    part = futures.trades(BTC, ALL)[-1]
    assert part.realized == (Decimal("60999.9") - Decimal("60000.1")) * Decimal("0.4")
    futures.place(new_order("SELL", quantity="0.6", client_id="rest"))
    held = position(futures)
    assert held.amount == held.cost == held.entry_price == 0
    assert held.realized == Decimal("999.8")


def test_an_order_larger_than_the_position_turns_it(futures: FuturesExchange) -> None:
    futures.place(new_order(quantity="0.5"))
    futures.pin(BTC, Decimal(59_000))
    futures.place(new_order("SELL", quantity="0.8", client_id="turn"))
    held = position(futures)
    assert (held.amount, held.entry_price) == (Decimal("-0.3"), Decimal("58999.9"))
    assert held.realized == (Decimal("58999.9") - Decimal("60000.1")) * Decimal("0.5")


def test_a_limit_that_crosses_takes_and_the_rest_waits(futures: FuturesExchange) -> None:
    order = futures.place(new_order("BUY", "LIMIT", "1.4", "60000.10"))
    assert (order.status, order.executed) == (Status.PARTIALLY_FILLED, Decimal(1))
    assert futures.open_orders(BTC) == [order]


def test_a_resting_limit_fills_as_far_as_the_book_allows_and_pays_the_makers_fee(
    futures: FuturesExchange,
) -> None:
    order = futures.place(new_order("SELL", "LIMIT", "1.5", "60500"))
    futures.set_level_size(BTC, Decimal("0.9"))
    futures.pin(BTC, Decimal(60_500))
    assert (order.status, order.executed) == (Status.PARTIALLY_FILLED, Decimal("0.9"))
    [trade] = futures.trades(BTC, ALL)
    assert (trade.price, trade.is_maker) == (Decimal(60_500), True)
    assert trade.commission == Decimal(60_500) * Decimal("0.9") * Decimal("0.0002")
    futures.pin(BTC, Decimal(60_600))
    assert futures.order(BTC, order.id, None).status is Status.FILLED


@pytest.mark.parametrize(("force", "price", "code"), [("FOK", "60000.10", -5021), ("GTX", "60000.10", -5022)])
def test_orders_that_the_book_refuses_leave_no_trace(
    futures: FuturesExchange, force: str, price: str, code: int
) -> None:
    with pytest.raises(Refusal) as refused:
        futures.place(new_order("BUY", "LIMIT", "1.4", price, force=force))
    assert refused.value.code == code
    assert futures.every_order() == []
    assert futures.trades(BTC, ALL) == []


def test_what_an_ioc_does_not_get_expires(futures: FuturesExchange) -> None:
    order = futures.place(new_order("BUY", "LIMIT", "1.4", "60000.10", force="IOC"))
    assert (order.status, order.executed) == (Status.EXPIRED, Decimal(1))


def test_a_market_order_that_empties_the_book_expires_with_what_it_got(futures: FuturesExchange) -> None:
    futures.set_level_size(BTC, Decimal("0.001"))
    order = futures.place(new_order(quantity="2"))
    assert (order.status, order.executed) == (Status.EXPIRED, Decimal(1)), "a book has a thousand levels"


def test_without_a_counterparty_a_market_order_is_refused(futures: FuturesExchange) -> None:
    futures.set_level_size(BTC, Decimal(0))
    with pytest.raises(Refusal, match="-4131"):
        futures.place(new_order())


class TestReduceOnly:
    @pytest.mark.parametrize("side", ["BUY", "SELL"])
    def test_it_never_opens(self, futures: FuturesExchange, side: str) -> None:
        with pytest.raises(Refusal, match="-2022"):
            futures.place(new_order(side, reduce_only=True))

    def test_it_does_not_add(self, futures: FuturesExchange) -> None:
        futures.place(new_order())
        with pytest.raises(Refusal, match="-2022"):
            futures.place(new_order("BUY", reduce_only=True, client_id="more"))

    def test_it_is_cut_to_the_position(self, futures: FuturesExchange) -> None:
        futures.place(new_order(quantity="0.1"))
        order = futures.place(new_order("SELL", quantity="0.7", reduce_only=True, client_id="close"))
        assert (order.status, order.executed) == (Status.FILLED, Decimal("0.1"))
        assert position(futures).amount == 0

    def test_a_resting_one_expires_with_the_position(self, futures: FuturesExchange) -> None:
        futures.place(new_order(quantity="0.1"))
        rests = futures.place(new_order("SELL", "LIMIT", "0.1", "61000", reduce_only=True, client_id="rests"))
        futures.place(new_order("SELL", quantity="0.1", client_id="close"))
        assert rests.status is Status.EXPIRED
        assert futures.open_orders() == []

    def test_a_resting_one_takes_no_more_than_is_left(self, futures: FuturesExchange) -> None:
        futures.place(new_order(quantity="0.3"))
        rests = futures.place(new_order("SELL", "LIMIT", "0.3", "61000", reduce_only=True, client_id="rests"))
        futures.place(new_order("SELL", quantity="0.2", client_id="part"))
        futures.pin(BTC, Decimal(61_000))
        assert (rests.executed, rests.status) == (Decimal("0.1"), Status.EXPIRED)
        assert position(futures).amount == 0

    def test_it_may_be_smaller_than_the_least_notional(self, futures: FuturesExchange) -> None:
        futures.place(new_order(quantity="0.1"))
        order = futures.place(new_order("SELL", quantity="0.001", reduce_only=True, client_id="bit"))
        assert order.status is Status.FILLED


def test_listeners_hear_of_an_order_after_it_is_written(futures: FuturesExchange) -> None:
    heard: list[object] = []
    written: set[int] = set()

    def hear(change: object) -> None:
        heard.append(change)
        written.add(len(futures.every_order()))

    stop = futures.changes.listen(hear)
    futures.place(new_order(quantity="0.1"))
    stop()
    futures.place(new_order(quantity="0.1", client_id="unheard"))
    assert written == {1}
    new, traded, account = heard
    assert isinstance(new, OrderChanged)
    assert (new.reason, new.order.status) == (Execution.NEW, Status.NEW)
    assert isinstance(traded, OrderChanged) and traded.trade
    assert (traded.reason, traded.order.status, traded.trade.quantity) == (
        Execution.TRADE,
        Status.FILLED,
        Decimal("0.1"),
    )
    assert isinstance(account, AccountChanged)
    assert account.reason is AccountEvent.ORDER
    assert account.positions[0].position.amount == Decimal("0.1")
    assert account.balances[0].wallet == 100_000 - traded.trade.commission


def test_the_best_priced_order_is_filled_first(futures: FuturesExchange) -> None:
    worse = futures.place(new_order("BUY", "LIMIT", "0.8", "59000", client_id="worse"))
    better = futures.place(new_order("BUY", "LIMIT", "0.8", "59100", client_id="better"))
    futures.pin(BTC, Decimal(59_000))
    assert (better.executed, worse.executed) == (Decimal("0.8"), Decimal("0.2")), "a level has 1 BTC"
    first, second = futures.trades(BTC, ALL)
    assert (first.order_id, second.order_id) == (better.id, worse.id)
    assert first.side is Side.BUY
