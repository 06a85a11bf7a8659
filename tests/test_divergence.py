"""What was filled, held against what was approved."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.divergence import divergence
from broker.intents import Terms, canonical_text
from broker.order_record import OrderRecord

from .support import NOON, order, order_arguments, request


def terms(side: str = "buy", price: str | None = None, worst: str | None = "60300", **more: Any) -> Terms:
    given = {"side": side, **more}
    if price is not None:
        given |= {"type": "limit", "price": price}
    asked = request(arguments=order_arguments(**given), worst_price=None if worst is None else Decimal(worst))
    return Terms.of(canonical_text(asked, NOON))


def filled(at: str, amount: str = "0.015", **changes: Any) -> OrderRecord:
    cost = Decimal(at) * Decimal(amount)
    return order(**{"filled": amount, "cost": str(cost), "average": at, "status": "filled", **changes})


@pytest.mark.parametrize(
    ("approved", "told", "found"),
    [
        (terms(), order(), None),
        (terms(), filled("60300"), None),
        (terms(), filled("60300", "0.006", status="partly_filled"), None),
        (terms(), order(amount="0.014"), None),
        (terms(worst=None), filled("99999"), None),
        (terms(), filled("60300.01"), "filled at 60,300.01; approved: 60,300 or better"),
        (
            terms("sell"),
            filled("60299.99", side="sell"),
            "filled at 60,299.99; approved: 60,300 or better",
        ),
        (terms("sell"), filled("60301", side="sell"), None),
        (terms(price="58000", worst=None), filled("58000"), None),
        (
            terms(price="58000", worst=None),
            filled("58001"),
            "filled at 58,001; approved: 58,000 or better",
        ),
        (terms(), order(symbol="ETHUSDT"), "symbol ETHUSDT; approved: BTCUSDT"),
        (terms(), order(side="sell"), "side sell; approved: buy"),
        (terms(), order(amount="0.0151"), "ordered 0.0151; approved: 0.015"),
        (terms(), filled("60000", "0.01501"), "filled 0.01501; approved: 0.015"),
    ],
)
def test_only_what_is_wrong_more_or_worse_differs(
    approved: Terms, told: OrderRecord, found: str | None
) -> None:
    assert divergence(approved, told) == found


@given(
    fills=st.lists(
        st.tuples(
            st.decimals("0.00000001", "0.01", places=8),
            st.decimals("0.00000001", "60300", places=8),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_what_was_paid_in_eight_decimals_is_never_worse_than_each_fill(
    fills: list[tuple[Decimal, Decimal]],
) -> None:
    """Binance rounds what a fill cost; no order whose every fill was good enough diverges by that."""
    amount = sum((part for part, _ in fills), Decimal(0))
    cost = sum((part * price for part, price in fills), Decimal(0)).quantize(Decimal("1E-8"))
    approved = terms(amount=str(amount))
    assert divergence(approved, order(amount=str(amount), filled=str(amount), cost=str(cost))) is None
