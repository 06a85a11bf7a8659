"""What things are worth in USDT."""

from __future__ import annotations

from decimal import Decimal

from broker.exchange import Account, Balance
from broker.orders.valuation import equity, rate

PRICES = {"BTCUSDT": Decimal(60_000), "USDTTRY": Decimal(40), "ETHBTC": Decimal("0.05")}


def account(**free: str) -> Account:
    return Account(
        balances=tuple(Balance(asset, Decimal(amount), Decimal(1)) for asset, amount in free.items()),
        can_trade=True,
        can_withdraw=False,
        update_time_ms=0,
        taker_fee=Decimal("0.001"),
    )


def test_a_rate_is_direct_or_inverse_or_unknown() -> None:
    assert rate("USDT", {}) == 1
    assert rate("BTC", PRICES) == 60_000
    assert rate("TRY", PRICES) == Decimal("0.025")
    assert rate("ETH", PRICES) is None


def test_equity_counts_what_is_locked_too() -> None:
    assert equity(account(USDT="9", BTC="1"), PRICES) == 10 + 2 * 60_000


def test_what_has_no_price_in_usdt_counts_nothing() -> None:
    assert equity(account(ETH="5"), PRICES) == 0


def test_an_empty_account_is_worth_nothing() -> None:
    assert equity(account(), PRICES) == 0
