"""Binance's rules for a symbol, where the paper exchange's own are all of one kind."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from broker.errors import BrokerError, Code
from broker.exchange import OrderRequest, Rules
from broker.orders import filters

from ..support import BTC, BUY, Wired

pytestmark = pytest.mark.anyio

MARKET = OrderRequest(BTC, "buy", "market", Decimal("0.001"), None)
LIMIT = replace(MARKET, type="limit", price=Decimal(60_000))


@pytest.mark.parametrize(
    ("amount", "changes"),
    [
        ("0.00005", {"market_min_notional": Decimal(0)}),
        ("1", {"max_notional": Decimal(1000), "market_max_notional": None}),
    ],
)
async def test_a_market_order_obeys_a_notional_only_where_it_applies_to_it(
    broker: Wired, amount: str, changes: dict[str, Any]
) -> None:
    rules = replace(broker.exchange.spot.rules(BTC), **changes)
    filters.obey(replace(MARKET, amount=Decimal(amount)), rules, Decimal(60_000))
    with pytest.raises(BrokerError) as refused:
        filters.obey(replace(LIMIT, amount=Decimal(amount)), rules, Decimal(60_000))
    assert refused.value.code is Code.ORDER_FILTER


async def test_a_market_order_is_valued_at_the_price_that_binance_goes_by(
    broker: Wired, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The average of the last minutes is far above the last price."""
    rules = broker.exchange.spot.rules(BTC)

    async def average(_: str) -> Decimal:
        return Decimal(900_000)

    monkeypatch.setattr(broker.exchange.spot, "average_price", average)
    small = {**BUY, "amount": "0.00006"}
    await broker.park(**small)
    changed: Rules = replace(rules, by_last_price=True)
    monkeypatch.setattr(broker.exchange.spot, "rules", lambda _: changed)
    with pytest.raises(BrokerError) as refused:
        await broker.park(**{**small, "amount": "0.00007"})
    assert refused.value.code is Code.ORDER_FILTER
