"""What margin is needed and free, and where a position is liquidated."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.paper.http.errors import Refusal
from broker.paper.futures import FuturesExchange
from broker.paper.futures.contracts import USDT_M, Contract
from broker.paper.futures.margin import liquidation_price
from broker.paper.futures.positions import MarginType, Position

from .support import BTC, ETH, new_order, position


@pytest.mark.parametrize("contract", USDT_M, ids=lambda contract: contract.name)
def test_brackets_join_and_the_margin_does_not_jump(contract: Contract) -> None:

    for below, above in pairwise(contract.brackets):
        assert below.cap == above.floor
        assert below.max_leverage > above.max_leverage
        assert below.cap * below.rate - below.cum == above.floor * above.rate - above.cum
    assert contract.maintenance(Decimal(100)) == 100 * contract.brackets[0].rate


@given(
    amount=st.integers(-400_000, 400_000).filter(bool).map(lambda steps: Decimal(steps) / 1000),
    entry=st.integers(1_000, 200_000).map(Decimal),
    backing=st.integers(0, 50_000_000).map(Decimal),
)
def test_at_the_liquidation_price_the_margin_balance_is_the_maintenance_margin(
    amount: Decimal, entry: Decimal, backing: Decimal
) -> None:
    contract = USDT_M[0]
    held = Position(BTC, amount=amount, cost=amount * entry)

    def surplus(price: Decimal) -> Decimal:
        return backing + held.unrealized(price) - contract.maintenance(abs(amount) * price)

    found = liquidation_price(contract, held, backing)
    if not found:
        assert amount > 0 and surplus(Decimal("0.00000001")) > 0, "a long that nothing can liquidate"
        return
    assert abs(surplus(found)) < Decimal("1e-12")
    worse = found * (Decimal("0.999") if amount > 0 else Decimal("1.001"))
    better = found * (Decimal("1.001") if amount > 0 else Decimal("0.999"))
    assert surplus(worse) < 0 < surplus(better)


def test_open_orders_hold_margin_and_leverage_divides_it(futures: FuturesExchange) -> None:
    futures.place(new_order("BUY", "LIMIT", "0.2", "59000", client_id="one"))
    summary = futures.summary()
    assert summary.order_margin == Decimal(59_000) * Decimal("0.2") / 20
    assert summary.available == 100_000 - summary.order_margin
    futures.set_leverage(BTC, 10)
    assert futures.summary().order_margin == 2 * summary.order_margin


def test_orders_on_both_sides_hold_the_larger_and_reducing_ones_nothing(futures: FuturesExchange) -> None:
    futures.place(new_order(quantity="0.1"))
    assert futures.summary().order_margin == 0
    futures.place(new_order("SELL", "LIMIT", "0.2", "60000.20", client_id="turns"))
    summary = futures.summary()
    turned = Decimal("60000.2") * Decimal("0.2") - 60_000 * Decimal("0.1")
    assert summary.order_margin == (turned - 6_000) / 20
    futures.place(new_order("BUY", "LIMIT", "0.05", "59000", client_id="smaller"))
    assert futures.summary().order_margin == Decimal(59_000) * Decimal("0.05") / 20


def test_more_than_the_margin_allows_is_refused(futures: FuturesExchange) -> None:
    futures.set_free(Decimal(1_000))
    with pytest.raises(Refusal, match="-2019"):
        futures.place(new_order(quantity="0.34"))
    futures.place(new_order(quantity="0.32"))
    assert futures.summary().free >= 0
    with pytest.raises(Refusal, match="-2019"):
        futures.place(new_order("BUY", "LIMIT", "0.1", "59000", client_id="more"))


@pytest.mark.parametrize(("side", "price"), [("BUY", "60000.1"), ("SELL", "59999.9")])
def test_margin_fee_and_the_loss_against_the_mark_price_must_be_free(
    futures: FuturesExchange, side: str, price: str
) -> None:
    quantity, at = Decimal("0.3"), Decimal(price)
    margin = max(at, Decimal(60_000)) * quantity / 20
    needed = margin + Decimal("0.1") * quantity + at * quantity * Decimal("0.0005")
    futures.set_free(needed - Decimal("0.000001"))
    with pytest.raises(Refusal, match="-2019"):
        futures.place(new_order(side, quantity="0.3"))
    futures.set_free(needed)
    futures.place(new_order(side, quantity="0.3"))
    assert 0 <= futures.summary().free < Decimal("0.01")


def test_a_position_can_be_closed_without_any_free_margin(futures: FuturesExchange) -> None:
    futures.place(new_order(quantity="0.32"))
    futures.set_free(Decimal(0))
    futures.pin(BTC, Decimal(59_900))
    assert futures.summary().free < 0 == futures.summary().available
    futures.place(new_order("SELL", quantity="0.32", client_id="close"))
    assert position(futures).amount == 0


def test_a_position_must_fit_the_bracket_of_its_leverage(futures: FuturesExchange) -> None:
    futures.set_free(Decimal(10_000_000))
    futures.set_level_size(BTC, Decimal(100))
    futures.set_leverage(BTC, 125)
    with pytest.raises(Refusal, match="-2027"):
        futures.place(new_order(quantity="5.1"))
    futures.place(new_order(quantity="4.9"))
    futures.set_leverage(BTC, 100)
    futures.place(new_order(quantity="5", client_id="more"))
    with pytest.raises(Refusal, match="-2027"):
        futures.set_leverage(BTC, 125)


@pytest.mark.parametrize("leverage", [0, 126])
def test_a_leverage_that_there_is_not(futures: FuturesExchange, leverage: int) -> None:
    with pytest.raises(Refusal, match=f"-4028 Leverage {leverage} is not valid"):
        futures.set_leverage(BTC, leverage)


def test_less_leverage_needs_margin(futures: FuturesExchange) -> None:
    futures.place(new_order(quantity="0.5"))
    futures.set_free(Decimal(100))
    with pytest.raises(Refusal, match="-2028"):
        futures.set_leverage(BTC, 10)
    assert position(futures).leverage == 20


class TestIsolated:
    def test_it_sets_margin_aside_and_gives_it_back(self, futures: FuturesExchange) -> None:
        futures.set_margin_type(BTC, MarginType.ISOLATED)
        futures.place(new_order(quantity="0.2"))
        assert position(futures).isolated_wallet == Decimal("60000.1") * Decimal("0.2") / 20
        futures.place(new_order("SELL", quantity="0.1", client_id="half"))
        assert position(futures).isolated_wallet == Decimal("60000.1") * Decimal("0.1") / 20
        futures.place(new_order("SELL", quantity="0.1", client_id="rest"))
        assert position(futures).isolated_wallet == 0
        summary = futures.summary()
        assert summary.cross_wallet == summary.wallet.balance

    def test_its_leverage_goes_up_only(self, futures: FuturesExchange) -> None:
        futures.set_margin_type(BTC, MarginType.ISOLATED)
        futures.place(new_order())
        with pytest.raises(Refusal, match="-4161"):
            futures.set_leverage(BTC, 10)
        assert futures.set_leverage(BTC, 30).leverage == 30

    def test_the_type_stays_while_something_is_open(self, futures: FuturesExchange) -> None:
        with pytest.raises(Refusal, match="-4046"):
            futures.set_margin_type(BTC, MarginType.CROSSED)
        order = futures.place(new_order("BUY", "LIMIT", "0.1", "59000"))
        with pytest.raises(Refusal, match="-4047"):
            futures.set_margin_type(BTC, MarginType.ISOLATED)
        futures.cancel(BTC, order.id, None)
        futures.place(new_order())
        with pytest.raises(Refusal, match="-4048"):
            futures.set_margin_type(BTC, MarginType.ISOLATED)
        futures.set_margin_type(ETH, MarginType.ISOLATED)
