"""An order as it is kept, and what of it is told."""

from __future__ import annotations

from decimal import Decimal

from broker.exchange import OrderState
from broker.orders.records import contract_order, net_profit, order_json, other_fees

from ..support import BTC


def state(*fees: tuple[str, str], realized: str | None = None) -> OrderState:
    return OrderState(
        id="7",
        client_order_id="cb-7",
        symbol=BTC,
        side="sell",
        type="market",
        price=None,
        average=Decimal(61_000),
        amount=Decimal("0.02"),
        filled=Decimal("0.02"),
        cost=Decimal(1_220),
        fees=tuple((asset, Decimal(cost)) for asset, cost in fees),
        status="filled",
        timestamp_ms=1,
        fills=(),
        realized=None if realized is None else Decimal(realized),
    )


def test_what_was_realised_is_kept_beside_the_order_and_is_not_part_of_it() -> None:
    kept = order_json(state(("USDT", "0.61"), realized="20"))
    assert kept["realizedPnL"] == "20"
    assert contract_order(kept) == order_json(state(("USDT", "0.61")))


def test_profit_is_net_of_fees_in_usdt() -> None:
    assert net_profit(order_json(state(("USDT", "0.61"), realized="20"))) == Decimal("19.39")
    assert net_profit(order_json(state(("USDT", "0.61"), realized="-20"))) == Decimal("-20.61")


def test_fees_in_another_asset_are_told_beside_it() -> None:
    kept = order_json(state(("BNB", "0.001"), ("USDT", "0.1"), realized="20"))
    assert net_profit(kept) == Decimal("19.9")
    assert other_fees(kept) == {"otherFees": [{"cost": "0.001", "asset": "BNB"}]}
    assert other_fees(order_json(state(("USDT", "0.1")))) == {}


def test_before_its_trades_were_read_no_profit_is_told() -> None:
    assert net_profit(order_json(state())) is None
    assert net_profit({}) is None
