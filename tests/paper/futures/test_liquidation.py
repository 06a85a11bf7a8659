"""Who can't cover the maintenance margin is closed out, and never owes anything."""

from decimal import Decimal

import pytest

from broker.paper.futures import FuturesExchange
from broker.paper.futures.changed import Execution, OrderChanged
from broker.paper.futures.income import IncomeType
from broker.paper.futures.positions import MarginType
from broker.paper.market.orders import Status
from broker.paper.market.store import Window

from .support import BTC, ETH, balance, new_order, position

ALL = Window(1000)
TICK = Decimal("0.10")


def liquidation_price(futures: FuturesExchange) -> Decimal:
    summary = futures.summary()
    [exposure] = [exposure for exposure in summary.exposures if exposure.position.symbol == BTC]
    return summary.liquidation_price(exposure)


@pytest.mark.parametrize("margin_type", MarginType)
@pytest.mark.parametrize(("side", "beyond"), [("BUY", -1), ("SELL", 1)])
def test_it_happens_at_the_price_that_was_told(
    futures: FuturesExchange, margin_type: MarginType, side: str, beyond: int
) -> None:
    if margin_type is MarginType.ISOLATED:
        futures.set_margin_type(BTC, margin_type)
    futures.set_free(Decimal(2_000))
    futures.place(new_order(side, quantity="0.5"))
    price = liquidation_price(futures)
    at = price // TICK * TICK if beyond < 0 else (price // TICK + 1) * TICK
    futures.pin(BTC, at - beyond * TICK)
    assert position(futures).amount != 0
    futures.pin(BTC, at)
    assert position(futures).amount == 0
    assert balance(futures) >= 0


def test_orders_are_taken_out_and_the_order_says_what_it_was(futures: FuturesExchange) -> None:
    futures.set_free(Decimal(2_000))
    futures.place(new_order(quantity="0.5"))
    rests = futures.place(new_order("SELL", "LIMIT", "0.5", "62000", client_id="rests"))
    heard: list[OrderChanged] = []
    futures.changes.listen(lambda change: heard.append(change) if isinstance(change, OrderChanged) else None)
    futures.pin(BTC, Decimal(55_000))
    assert rests.status is Status.EXPIRED
    assert [change.reason for change in heard] == [Execution.EXPIRED, Execution.CALCULATED]
    assert heard[0].expiry_reason == 5
    assert heard[1].order.client_id.startswith("autoclose-")
    assert futures.every_order()[-1].status is Status.FILLED


def test_the_insurance_fund_pays_what_is_missing(futures: FuturesExchange) -> None:
    futures.set_free(Decimal(2_000))
    futures.place(new_order(quantity="0.5"))
    futures.pin(BTC, Decimal(40_000))
    assert balance(futures) == 0
    [clear] = futures.income(None, IncomeType.INSURANCE_CLEAR, None, None, 10)
    assert clear.amount > 7_000


def test_an_isolated_position_takes_nothing_else_with_it(futures: FuturesExchange) -> None:
    futures.set_margin_type(BTC, MarginType.ISOLATED)
    futures.place(new_order(quantity="0.5"))
    futures.pin(ETH, Decimal(3_000))
    futures.place(new_order(quantity="1", symbol=ETH, client_id="eth"))
    cross = futures.summary().cross_wallet
    futures.pin(BTC, Decimal(40_000))
    assert position(futures).amount == 0
    assert position(futures, ETH).amount == 1
    assert futures.summary().cross_wallet == cross


def test_cross_positions_stand_together(futures: FuturesExchange) -> None:
    futures.set_free(Decimal(3_000))
    futures.place(new_order(quantity="0.5"))
    futures.pin(ETH, Decimal(3_000))
    futures.place(new_order(quantity="2", symbol=ETH, client_id="eth"))
    futures.pin(BTC, Decimal(50_000))
    assert position(futures).amount == position(futures, ETH).amount == 0
