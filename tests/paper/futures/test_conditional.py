"""Conditional orders: when they trigger, and what becomes of them."""

from decimal import Decimal

import pytest

from broker.paper.http.errors import Refusal
from broker.paper.futures import FuturesExchange
from broker.paper.futures.changed import AlgoChanged
from broker.paper.futures.new_algo import NewAlgo
from broker.paper.futures.orders import AlgoStatus
from broker.paper.market.orders import Status

from .support import BTC, new_algo, new_order, position


@pytest.mark.parametrize(
    ("side", "kind", "trigger", "before"),
    [
        ("SELL", "STOP_MARKET", 59_000, "59000.10"),
        ("BUY", "STOP_MARKET", 61_000, "60999.90"),
        ("SELL", "TAKE_PROFIT_MARKET", 61_000, "60999.90"),
        ("BUY", "TAKE_PROFIT_MARKET", 59_000, "59000.10"),
    ],
)
def test_it_triggers_at_its_price_and_not_before(
    futures: FuturesExchange, side: str, kind: str, trigger: int, before: str
) -> None:
    algo = futures.algos.place(new_algo(side, kind, trigger=str(trigger)))
    futures.pin(BTC, Decimal(before))
    assert futures.algos.find(algo.id, None).status is AlgoStatus.NEW
    assert futures.every_order() == []
    futures.pin(BTC, Decimal(trigger))
    found = futures.algos.find(None, "waits")
    assert found.status is AlgoStatus.FINISHED
    order = futures.order(BTC, found.order_id, None)
    assert (order.status, order.executed, order.side) == (Status.FILLED, Decimal("0.1"), algo.side)
    assert order.client_id != "waits", "an order has an id of its own"


def test_a_limit_waits_on_after_it_was_triggered(futures: FuturesExchange) -> None:
    futures.algos.place(new_algo("SELL", "STOP", trigger="59000", price="59500"))
    futures.pin(BTC, Decimal(59_000))
    triggered = futures.algos.find(None, "waits")
    assert triggered.status is AlgoStatus.TRIGGERED
    assert futures.algos.waiting() == []
    [order] = futures.open_orders(BTC)
    assert (order.id, order.price) == (triggered.order_id, Decimal(59_500))
    futures.pin(BTC, Decimal(59_500))
    assert futures.algos.find(None, "waits").status is AlgoStatus.FINISHED


def test_cancelling_the_order_that_it_placed_finishes_it(futures: FuturesExchange) -> None:
    futures.algos.place(new_algo("SELL", "STOP", trigger="59000", price="59500"))
    futures.pin(BTC, Decimal(59_000))
    futures.cancel(BTC, futures.open_orders()[0].id, None)
    assert futures.algos.find(None, "waits").status is AlgoStatus.FINISHED


def test_listeners_hear_of_each_state(futures: FuturesExchange) -> None:
    heard: list[AlgoStatus] = []
    futures.changes.listen(
        lambda change: heard.append(change.algo.status) if isinstance(change, AlgoChanged) else None
    )
    futures.algos.place(new_algo())
    futures.pin(BTC, Decimal(59_000))
    assert heard == [
        AlgoStatus.NEW,
        AlgoStatus.TRIGGERING,
        AlgoStatus.TRIGGERED,
        AlgoStatus.FINISHED,
    ]


def test_closing_closes_all_there_is_by_then(futures: FuturesExchange) -> None:
    futures.place(new_order(quantity="0.1"))
    futures.algos.place(new_algo(close=True))
    futures.place(new_order(quantity="0.2", client_id="more"))
    futures.pin(BTC, Decimal(59_000))
    assert position(futures).amount == 0
    assert futures.order(BTC, futures.algos.find(None, "waits").order_id, None).executed == Decimal("0.3")


def test_with_nothing_to_close_it_expires(futures: FuturesExchange) -> None:
    futures.algos.place(new_algo(close=True))
    futures.pin(BTC, Decimal(59_000))
    assert futures.algos.find(None, "waits").status is AlgoStatus.EXPIRED
    assert futures.every_order() == []


def test_what_the_matching_engine_refuses_is_rejected_with_its_reason(futures: FuturesExchange) -> None:
    futures.algos.place(new_algo(reduce_only=True))
    futures.pin(BTC, Decimal(59_000))
    algo = futures.algos.find(None, "waits")
    assert (algo.status, algo.order_id) == (AlgoStatus.REJECTED, 0)
    assert algo.failure == "ReduceOnly Order is rejected."


def test_a_reduce_only_one_never_turns_the_position(futures: FuturesExchange) -> None:
    futures.place(new_order(quantity="0.1"))
    futures.algos.place(new_algo(quantity="0.5", reduce_only=True))
    futures.pin(BTC, Decimal(59_000))
    assert position(futures).amount == 0


def test_it_holds_no_margin_until_it_triggers(futures: FuturesExchange) -> None:
    futures.algos.place(new_algo("BUY", "STOP", "1", "61000", "61000"))
    assert futures.summary().available == 100_000
    futures.set_free(Decimal(100))
    futures.pin(BTC, Decimal(61_000))
    algo = futures.algos.find(None, "waits")
    assert (algo.status, algo.failure) == (AlgoStatus.REJECTED, "Margin is insufficient.")


@pytest.mark.parametrize(
    ("second", "code"),
    [
        (new_algo("BUY", "STOP_MARKET", trigger="60000", client_id="at once"), -2021),
        (new_algo("SELL", "TAKE_PROFIT_MARKET", trigger="59000", client_id="at once"), -2021),
        (new_algo(trigger="58000"), -4116),
        (new_algo(trigger="58000", close=True, client_id="again"), -4130),
        (new_algo(trigger="58000.05", client_id="tick"), -4014),
        (new_algo(quantity="0.0001", client_id="step"), -1111),
        (new_algo(quantity="0.001", client_id="small"), -4164),
        (new_algo(trigger="0", client_id="none"), -4001),
    ],
)
def test_refusals(futures: FuturesExchange, second: NewAlgo, code: int) -> None:
    futures.algos.place(new_algo(close=True))
    with pytest.raises(Refusal) as refused:
        futures.algos.place(second)
    assert refused.value.code == code
    assert len(futures.algos.every()) == 1


def test_no_more_than_ten_wait(futures: FuturesExchange) -> None:
    for number in range(10):
        futures.algos.place(new_algo(client_id=f"n{number}"))
    with pytest.raises(Refusal, match="-4045"):
        futures.algos.place(new_algo(client_id="one too many"))
    assert len(futures.algos.cancel_all(BTC)) == 10
    assert {algo.status for algo in futures.algos.every()} == {AlgoStatus.CANCELED}


def test_ids_of_orders_and_of_conditional_orders_are_apart(futures: FuturesExchange) -> None:
    futures.place(new_order("BUY", "LIMIT", "0.1", "58000", client_id="same"))
    algo = futures.algos.place(new_algo(client_id="same"))
    with pytest.raises(Refusal, match="-2013"):
        futures.order(BTC, algo.id, None)
    futures.algos.cancel(None, "same")
    assert futures.open_order(BTC, None, "same")
    with pytest.raises(Refusal, match="-2011"):
        futures.algos.cancel(algo.id, None)
