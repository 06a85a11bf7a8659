"""No order that a halt or a limit must stop is an exit, whatever its figures are.

What an order does to the exposure is worked out here anew, from balances and positions, with names of cash
of this file's own. EXITS_EXAMPLES says how many orders are tried on each market.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.cash import DEFAULT_CASH
from broker.errors import BrokerError, Code
from broker.exchange import Account, Balance, Book, FuturesAccount, Market, OrderRequest, Position, Rules
from broker.exchange.models import PriceLevel
from broker.halt import Halt, Level
from broker.money import Side
from broker.settings import Settings
from broker.tools import Context
from broker.orders import checks
from broker.orders.futures_quote import FuturesQuote, reducible
from broker.orders.spot_quote import SpotQuote

T = TypeVar("T")

EXAMPLES = int(os.environ.get("EXITS_EXAMPLES", "300"))
EXITS_ONLY = Halt(level=Level.EXITS_ONLY)
NONE = Decimal(0)

CASH = ("USDT", "USDC", "BRL", "EUR")
COINS = ("BTC", "ETH", "SOL")
ASSETS = (*COINS, *CASH)
NAMED: Mapping[str, set[str]] = {DEFAULT_CASH: {*CASH}, "USDT": {"USDT"}, "usdt, EUR": {"USDT", "EUR"}}
"""What CASH_ASSETS says, and which of the assets here are then cash."""

SETTINGS = {text: Settings(_env_file=None, cash_assets=text) for text in NAMED}

SOME = [Decimal(text) for text in ("0.01", "0.5", "1", "1.37", "2", "3", "4.99", "7", "60", "500")]
SIDES: list[Side] = ["buy", "sell"]

KINDS = ["market", "limit", "stop_loss", "take_profit"]
HELD = [NONE, NONE, *SOME]
MAYBE = [None, *SOME]
FLAG = [False, True]
DEPTHS = [None, NONE, Decimal(1), Decimal(1000)]
"""Of the one level on each side of the book; None: it could not be read."""

BYTES = st.binary(min_size=24, max_size=24)
QUICKLY = settings(max_examples=EXAMPLES, database=None, suppress_health_check=[HealthCheck.too_slow])


class Drawn:
    """What the bytes of one example choose: to draw each choice by itself takes ten times as long."""

    def __init__(self, chosen: bytes) -> None:
        self._chosen = iter(chosen)

    def __call__(self, options: Sequence[T]) -> T:
        return options[next(self._chosen) % len(options)]


def context(named: str) -> Context:
    """The checks read the settings alone."""
    absent = cast(Any, None)
    return Context(settings=SETTINGS[named], exchange=absent, store=absent, clock=absent)


def rules(base: str, quote: str) -> Rules:
    one, most = Decimal("0.01"), Decimal(10**9)
    return Rules(
        symbol=f"{base}{quote}",
        base=base,
        quote=quote,
        tick=one,
        step=one,
        min_amount=one,
        max_amount=most,
        market_min_amount=one,
        market_max_amount=most,
        min_notional=one,
        max_notional=None,
        market_min_notional=one,
        market_max_notional=None,
        by_last_price=False,
        min_price=one,
        max_price=None,
        bid_up=None,
        bid_down=None,
        ask_up=None,
        ask_down=None,
        active=True,
        order_types=frozenset({"MARKET", "LIMIT"}),
    )


PAIRS = [rules(base, quote) for base in ASSETS for quote in ASSETS if base != quote]


def order(
    market: Market,
    symbol: str,
    side: Side,
    kind: str,
    amount: Decimal,
    price: Decimal,
    limited: bool,
    reduce_only: bool = False,
) -> OrderRequest:
    """Of any type: a limit order has a price, a stop may have one."""
    waits = kind in ("stop_loss", "take_profit")
    return OrderRequest(
        symbol=symbol,
        side=side,
        type=cast(Any, kind),
        amount=amount,
        price=price if kind == "limit" or (waits and limited) else None,
        stop_price=price if waits else None,
        reduce_only=reduce_only,
        market=market,
    )


def book(symbol: str, bid: Decimal, depth: Decimal | None) -> Book | None:
    if depth is None:
        return None
    bids, asks = ((PriceLevel(price, depth),) if depth else () for price in (bid, bid + 1))
    return Book(symbol, bids, asks, 0, 0)


def spot_quote(draw: Drawn) -> tuple[str, SpotQuote]:
    named, pair = draw(list(NAMED)), draw(PAIRS)
    balances = tuple(Balance(asset, draw(HELD), draw(HELD)) for asset in (pair.base, pair.quote))
    return named, SpotQuote(
        order=order(Market.SPOT, pair.symbol, draw(SIDES), draw(KINDS), draw(SOME), draw(SOME), draw(FLAG)),
        rules=pair,
        book=book(pair.symbol, draw(SOME), draw(DEPTHS)),
        last=draw(MAYBE),
        reference=draw(MAYBE),
        rate=draw(MAYBE),
        equity=draw(MAYBE),
        resting=None,
        used=draw(HELD),
        used_by_agent=None,
        account=Account(balances, True, False, 0, Decimal("0.001")),
        taken={},
        waiting={},
        coming=draw(HELD),
        cash=SETTINGS[named].cash,
    )


def held_of(quote: SpotQuote, asset: str) -> Decimal:
    return sum((one.free + one.locked for one in quote.account.balances if one.asset == asset), NONE)


def brought(quote: SpotQuote) -> tuple[str, Decimal]:
    """The asset that it buys, and how much of it at the best price that it names or could fill at."""
    wanted = quote.order
    if wanted.side == "buy":
        return quote.rules.base, wanted.amount
    prices = [price for price in (wanted.price, wanted.stop_price) if price is not None]
    if wanted.stop_price is None and quote.book is not None:
        prices += [level.price for level in quote.book.bids]
    return quote.rules.quote, wanted.amount * max(prices, default=NONE)


@QUICKLY
@given(BYTES)
def test_a_spot_order_that_has_to_be_stopped_is_no_exit_and_every_check_stops_it(
    chosen: bytes,
) -> None:
    named, quote = spot_quote(Drawn(chosen))
    cash, buys = NAMED[named], quote.order.side == "buy"
    sold = quote.rules.quote if buys else quote.rules.base
    bought, amount = brought(quote)
    spends_cash, opens, has_it = sold in cash, bought not in cash, held_of(quote, sold) > 0
    must_stop = spends_cash or opens or not has_it

    assert EXITS_ONLY.stops(is_exit=quote.is_exit) is (must_stop or buys)
    checks = {check.name: check for check in checks.checks(quote, context(named))}
    assert ("position" in checks) is opens
    if quote.is_exit:
        return
    assert {"balance", "order_value", "daily_volume"} <= checks.keys()
    assert all(check.enforced for check in checks.values())
    if opens and (figure := checks["position"].figure) is not None:
        assert quote.rate is not None
        price = quote.book.asks[0].price if buys and quote.book is not None else Decimal(1)
        assert Decimal(figure) >= (held_of(quote, bought) + quote.coming + amount) * price * quote.rate
    elif opens:
        assert checks["position"].refuses


BTC = rules("BTC", "USDT")


def futures_quote(draw: Drawn) -> FuturesQuote:
    size, entry, read = draw(HELD), draw(SOME), draw(FLAG)
    side = "LONG" if draw(FLAG) else "SHORT"
    position = Position(
        BTC.symbol, cast(Any, side), size, entry, entry, NONE, None, 5, "cross", Decimal("0.01")
    )
    funds = FuturesAccount((), draw(SOME), draw(HELD), True, False, False, 0)
    return FuturesQuote(
        order=order(
            Market.FUTURES,
            BTC.symbol,
            draw(SIDES),
            draw(KINDS),
            draw(SOME),
            draw(SOME),
            draw(FLAG),
            draw(FLAG),
        ),
        rules=BTC,
        book=book(BTC.symbol, draw(SOME), draw(DEPTHS)),
        last=draw(MAYBE),
        reference=draw(MAYBE),
        rate=Decimal(1),
        equity=draw(MAYBE),
        resting=None,
        used=draw(HELD),
        used_by_agent=None,
        account=funds if read else None,
        position=position if size else None,
        leverages={BTC.symbol: 20} if read else None,
        taker_fee=Decimal("0.0005") if read else None,
        unseen=[],
        pending=[],
    )


def filled(quote: FuturesQuote) -> tuple[Decimal, Decimal]:
    """The position before and after all of it filled; what only reduces fills no further than to nothing."""
    held = quote.position
    before = Decimal(0) if held is None else held.size if held.side == "LONG" else -held.size
    change = quote.order.amount if quote.order.side == "buy" else -quote.order.amount
    if quote.order.reduce_only:
        change = Decimal(0) if before * change >= 0 else max(-abs(before), min(abs(before), change))
    return before, before + change


def grows(before: Decimal, after: Decimal) -> bool:
    """Also when it is turned around: then the other side is opened."""
    return abs(after) > abs(before) or before * after < 0


@QUICKLY
@given(BYTES)
def test_a_futures_order_that_has_to_be_stopped_is_no_exit_and_every_check_stops_it(
    chosen: bytes,
) -> None:
    quote = futures_quote(Drawn(chosen))
    before, after = filled(quote)
    if quote.is_exit:
        assert not grows(before, after)
        try:
            reducible(quote.position, BTC.symbol, quote.order.side)
        except BrokerError as error:
            assert error.code is Code.NO_POSITION
            assert after == before
        else:
            assert abs(after) < abs(before)
        return
    assert EXITS_ONLY.stops(is_exit=quote.is_exit)
    checks = {check.name: check for check in checks.checks(quote, context(DEFAULT_CASH))}
    assert {"balance", "order_value", "daily_volume", "position", "leverage"} <= checks.keys()
    stopped = [check for name, check in checks.items() if name != "position" or grows(before, after)]
    assert all(check.enforced for check in stopped)


@pytest.mark.parametrize(
    ("side", "base", "quote", "held", "leaves"),
    [
        ("sell", "BTC", "USDT", "1", True),
        ("sell", "BTC", "BRL", "1", True),
        ("sell", "BTC", "USDT", "0", False),
        ("sell", "USDT", "BRL", "1", False),
        ("sell", "EUR", "USDT", "1", False),
        ("sell", "ETH", "BTC", "1", False),
        ("sell", "USDT", "BTC", "1", False),
        ("buy", "BTC", "USDT", "1", False),
        ("buy", "USDT", "BRL", "1", False),
    ],
)
def test_an_exit_sells_what_is_held_and_no_cash_for_cash(
    side: Any, base: str, quote: str, held: str, leaves: bool
) -> None:
    wanted = order(Market.SPOT, f"{base}{quote}", side, "market", Decimal("0.5"), Decimal(1), False)
    for balance in (Balance(base, Decimal(held), NONE), Balance(base, NONE, Decimal(held))):
        asked = SpotQuote(
            order=wanted,
            rules=rules(base, quote),
            book=book(wanted.symbol, Decimal(2), Decimal(9)),
            last=Decimal(2),
            reference=Decimal(2),
            rate=Decimal(1),
            equity=Decimal(100),
            resting=[],
            used=NONE,
            used_by_agent=None,
            account=Account((balance,), True, False, 0, NONE),
            taken={},
            waiting={},
            coming=NONE,
            cash=SETTINGS[DEFAULT_CASH].cash,
        )
        assert asked.is_exit is leaves
