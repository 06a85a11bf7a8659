"""Realised profit: nothing is gained or lost by the counting itself."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from broker.tools.profit import Fill, Profit, realized

TINY = Decimal("1e-12")
PRICES = st.decimals(min_value=1, max_value=100_000, places=2)
AMOUNTS = st.decimals(min_value="0.00001", max_value=100, places=5)
FEES = st.decimals(min_value=0, max_value=1, places=8)


def buy(amount: str, price: str, *, opens: bool | None = None, **fees: str) -> Fill:
    return _fill("buy", amount, price, opens, **fees)


def sell(amount: str, price: str, *, opens: bool | None = None, **fees: str) -> Fill:
    return _fill("sell", amount, price, opens, **fees)


def _fill(side: str, amount: str, price: str, opens: bool | None, **fees: str) -> Fill:
    taken = {name: Decimal(fee) for name, fee in fees.items()}
    return Fill(
        side="buy" if side == "buy" else "sell",
        amount=Decimal(amount),
        price=Decimal(price),
        opens=opens,
        **taken,
    )


FILLS = st.lists(
    st.builds(Fill, side=st.sampled_from(["buy", "sell"]), price=PRICES, amount=AMOUNTS, fee_quote=FEES),
    max_size=20,
)


def test_what_is_bought_and_sold_higher_gains_the_difference() -> None:
    assert realized([buy("2", "100"), sell("2", "110")]) == Profit(Decimal(20), Decimal(0))


def test_fees_of_both_sides_are_taken_off() -> None:
    fills = [buy("2", "100", fee_quote="1"), sell("2", "110", fee_quote="2")]
    assert realized(fills).realized == 17


def test_the_cost_is_the_average_of_what_is_held() -> None:
    fills = [buy("1", "100"), buy("3", "200"), sell("2", "250")]
    assert realized(fills).realized == 2 * (250 - 175)


def test_a_fee_taken_in_base_leaves_less_to_sell() -> None:
    fills = [buy("1", "100", fee_base="0.1"), sell("0.9", "200")]
    assert realized(fills) == Profit(Decimal(80), Decimal(0))


def test_what_was_not_bought_among_the_trades_has_no_profit() -> None:
    assert realized([sell("2", "100")]) == Profit(Decimal(0), Decimal(2))
    partly = realized([buy("1", "100"), sell("4", "110", fee_quote="4")])
    assert partly == Profit(Decimal(9), Decimal(3))


def test_a_short_gains_where_it_is_bought_back_lower() -> None:
    fills = [
        sell("2", "100", opens=True, fee_quote="2"),
        buy("1", "90", opens=False, fee_quote="1"),
        sell("1", "120", opens=True),
        buy("2", "130", opens=False),
    ]
    assert realized(fills) == Profit(Decimal(100 - 90 - 1 - 1 + 2 * (110 - 130) - 1), Decimal(0))


def test_what_closes_an_earlier_position_opens_none() -> None:
    fills = [buy("1", "100", opens=False), sell("1", "200", opens=True), buy("1", "150", opens=False)]
    assert realized(fills) == Profit(Decimal(50), Decimal(1))


def test_no_trades_no_profit() -> None:
    assert realized([]) == Profit(Decimal(0), Decimal(0))


@given(FILLS)
def test_money_is_conserved(fills: list[Fill]) -> None:
    """Sell what is left at its own average cost: then gains are exactly what came in less what went out."""
    held = sum((f.amount if f.side == "buy" else -f.amount for f in fills), Decimal(0))
    unmatched = realized(fills).unmatched
    left = held + unmatched
    assert left >= 0
    if left == 0 or unmatched:
        return
    closing = Fill(side="sell", price=Decimal(1), amount=left)
    flow = sum((_flow(fill) for fill in [*fills, closing]), Decimal(0))
    assert abs(realized([*fills, closing]).realized - flow) < TINY


def _flow(fill: Fill) -> Decimal:
    """What came in, less what went out."""
    value = fill.price * fill.amount
    return (value if fill.side == "sell" else -value) - fill.fee_quote


@given(FILLS)
def test_no_more_is_unmatched_than_was_sold(fills: list[Fill]) -> None:
    sold = sum((fill.amount for fill in fills if fill.side == "sell"), Decimal(0))
    assert 0 <= realized(fills).unmatched <= sold


@given(st.lists(st.builds(Fill, side=st.just("buy"), price=PRICES, amount=AMOUNTS, fee_quote=FEES)))
def test_buying_alone_realises_nothing(fills: list[Fill]) -> None:
    assert realized(fills) == Profit(Decimal(0), Decimal(0))


@given(FILLS, st.integers(2, 9))
def test_profit_grows_with_the_scale_of_the_trades(fills: list[Fill], times: int) -> None:
    larger = [replace(fill, amount=fill.amount * times, fee_quote=fill.fee_quote * times) for fill in fills]
    assert abs(realized(larger).realized - realized(fills).realized * times) < TINY
