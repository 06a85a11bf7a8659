"""What the futures exchange answered outlives the process; what it could not write has not happened."""

from decimal import Decimal
from pathlib import Path

import pytest

from broker.paper.futures import FuturesExchange
from broker.paper.futures.orders import AlgoStatus
from broker.paper.futures.positions import MarginType
from broker.paper.market.store import Store, Window

from ..support import Clock
from .support import BTC, ETH, new_algo, new_order, position

ALL = Window(1000)


def opened(folder: Path, clock: Clock) -> tuple[Store, FuturesExchange]:
    store = Store(folder)
    return store, FuturesExchange(store, seed=7, clock=lambda: int(clock().timestamp() * 1000))


def state(exchange: FuturesExchange) -> list[object]:
    return [
        exchange.summary(),
        exchange.every_order(),
        exchange.algos.every(),
        exchange.open_orders(),
        exchange.algos.waiting(),
        exchange.trades(BTC, ALL),
        exchange.income(None, None, None, None, 1000),
    ]


def test_a_restart_goes_on_from_the_file(tmp_path: Path, clock: Clock) -> None:
    store, before = opened(tmp_path, clock)
    before.pin(BTC, Decimal(60_000))
    before.set_level_size(BTC, Decimal("0.1"))
    before.set_leverage(BTC, 10)
    before.set_margin_type(ETH, MarginType.ISOLATED)
    before.place(new_order(quantity="0.15", client_id="filled"))
    before.place(new_order("BUY", "LIMIT", "0.3", "59000", client_id="rests"))
    before.algos.place(new_algo("SELL", "STOP", trigger="59500", price="62000", client_id="triggered"))
    before.algos.place(new_algo(trigger="58000", reduce_only=True, client_id="waits"))
    before.pin(BTC, Decimal("59500"))
    clock.advance(seconds=8 * 3600)
    kept = state(before)
    store.close()

    store, after = opened(tmp_path, clock)
    assert state(after) == kept
    assert position(after).leverage == 10
    assert position(after, ETH).margin_type is MarginType.ISOLATED
    assert after.algos.find(None, "triggered").status is AlgoStatus.TRIGGERED
    newest = after.every_order()[-1].id
    assert after.place(new_order(client_id="next")).id == newest + 1
    after.cancel(BTC, after.algos.find(None, "triggered").order_id, None)
    assert after.algos.find(None, "triggered").status is AlgoStatus.FINISHED, "an old order is still followed"
    store.close()


def test_a_change_that_cannot_be_written_has_not_happened(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, exchange = opened(tmp_path, clock)
    heard: list[object] = []
    exchange.changes.listen(heard.append)

    def full(*_: object) -> None:
        raise OSError("disk full")

    before = state(exchange)
    with monkeypatch.context() as broken:
        broken.setattr(store, "write_setting", full)
        with pytest.raises(OSError, match="disk full"):
            exchange.place(new_order())
    assert state(exchange) == before
    assert heard == []
    assert exchange.place(new_order()).id == 1
    store.close()


def test_a_level_that_was_taken_is_not_given_twice(tmp_path: Path, clock: Clock) -> None:
    store, exchange = opened(tmp_path, clock)
    exchange.pin(BTC, Decimal(60_000))
    exchange.set_level_size(BTC, Decimal("0.1"))
    exchange.place(new_order(quantity="0.1", client_id="first"))
    store.close()
    store, exchange = opened(tmp_path, clock)
    exchange.place(new_order(quantity="0.1", client_id="second"))
    assert [trade.price for trade in exchange.trades(BTC, ALL)] == [
        Decimal("60000.1"),
        Decimal("60000.6"),
    ]
    store.close()
