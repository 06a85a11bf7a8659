"""While only exits may pass, nothing that is asked for and approved makes the exposure grow at the exchange.

The exposure is read from the paper exchange's own books, before and after. EXITS_SENT_EXAMPLES says how many
calls are tried in each way.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.errors import BrokerError
from broker.halt import Level
from broker.intents import State
from broker.paper.market.orders import Side
from broker.store import OverDailyVolume

from ..paper.futures.support import new_algo as futures_algo
from ..paper.futures.support import new_order as futures_order
from ..paper.support import new_order as spot_order
from ..support import BTC, TRADER, Wired, wired
from .support import CLOSE, CREATE, LEVERAGE

pytestmark = pytest.mark.anyio

T = TypeVar("T")

EXAMPLES = int(os.environ.get("EXITS_SENT_EXAMPLES", "40"))

NONE = Decimal(0)
CASH = {"USDT", "BRL", "EUR"}
PRICES = {BTC: "60000", "ETHUSDT": "3000", "ETHBTC": "0.05", "USDTBRL": "5.4", "EURUSDT": "1.08"}
DEPTHS = {BTC: "1", "ETHUSDT": "20", "ETHBTC": "20", "USDTBRL": "100000", "EURUSDT": "100000"}
AMOUNTS = {BTC: "0.01", "ETHUSDT": "0.2", "ETHBTC": "0.2", "USDTBRL": "500", "EURUSDT": "500"}
FUTURES_LEVERAGE = 2

WAYS: dict[str, dict[str, Any]] = {
    "halted to exits only": {"max_order_value_usdt": 10**6, "max_daily_volume_usdt": 10**9},
    "above every limit": {
        "max_order_value_usdt": 6,
        "max_daily_volume_usdt": 7,
        "max_position_size_pct": Decimal("0.00001"),
        "max_leverage": FUTURES_LEVERAGE,
    },
}
AFTER_APPROVAL = (State.PLACED, State.REFUSED, State.NOT_SENT, State.UNKNOWN, State.PENDING)

BYTES = st.binary(min_size=20, max_size=20)


class Drawn:
    def __init__(self, chosen: bytes) -> None:
        self._chosen = iter(chosen)

    def __call__(self, *options: T) -> T:
        return options[next(self._chosen) % len(options)]


@pytest.mark.parametrize("way", WAYS)
async def test_only_what_lowers_the_exposure_is_sent(tmp_path: Path, way: str) -> None:
    async with wired(tmp_path, confirm_protective_cancels=True, **WAYS[way]) as broker:
        for symbol, price in PRICES.items():
            broker.paper.exchange.pin(symbol, Decimal(price))
            broker.paper.exchange.set_level_size(symbol, Decimal(DEPTHS[symbol]))
        broker.paper.futures.pin(BTC, Decimal(60_000))
        broker.paper.futures.set_level_size(BTC, Decimal(1))
        if way == "halted to exits only":
            await broker.store.halts.set(Level.EXITS_ONLY, TRADER, None)
        loop, came_to = asyncio.get_running_loop(), Counter[str]()

        @settings(
            max_examples=EXAMPLES,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        )
        @given(BYTES)
        def every_call(chosen: bytes) -> None:
            trying = _try(broker, Drawn(chosen), came_to)
            asyncio.run_coroutine_threadsafe(trying, loop).result(120)

        await asyncio.to_thread(every_call)
    assert came_to["placed"] >= EXAMPLES / 20, came_to
    assert came_to["not parked"] >= EXAMPLES / 20, came_to


async def _try(broker: Wired, draw: Drawn, came_to: Counter[str]) -> None:
    """One call, approved and sent where it was parked, while the world may change in between."""
    broker.clock.advance(61)  # the minute's weight is there again
    _set_the_scene(broker, draw)
    tool, arguments = _call(broker, draw)
    between, when = draw(*CHANGES), draw("parked", "approved")
    before = exposure(broker)
    try:
        answer = await broker.call(tool, **arguments)
    except BrokerError:
        came_to["not parked"] += 1
        assert exposure(broker) == before
        return
    if "intentId" in answer:
        if when == "parked":
            between(broker)
        intent, state = await broker.intent(answer["intentId"]), "not approved"
        with suppress(BrokerError, OverDailyVolume):
            intent = await broker.approve(intent)
            if when == "approved":
                between(broker)
            before = exposure(broker)
            broker.executor.take(intent)
            state = str((await broker.until(intent, *AFTER_APPROVAL)).state)
        if state == "not approved":
            before = exposure(broker)
        came_to[state] += 1
    after = exposure(broker)
    grown = {name: (before[name], value) for name, value in after.items() if value > before[name]}
    assert not grown, (tool, arguments, grown)
    with suppress(BrokerError):
        await broker.call("intent_cancel", intentId=answer.get("intentId", ""))


def exposure(broker: Wired) -> dict[str, Decimal]:
    """How much of each coin is held or on order, what of the cash is gone or pledged, the
    position with what may add to it, and the leverage.
    """
    spot, futures = broker.paper.exchange, broker.paper.futures
    found: dict[str, Decimal] = {}
    for asset in ("BTC", "ETH", *CASH):
        balance = spot.account.balance(asset)
        total = balance.free + balance.locked
        found[asset] = -total if asset in CASH else total
    for order in spot.open_orders():
        symbol, left = spot.symbols[order.symbol], order.quantity - order.executed
        buys = order.side is Side.BUY
        brings = symbol.base if buys else symbol.quote
        if brings not in CASH:
            found[brings] += left if buys else left * max(order.price, order.stop_price)
        pays = symbol.quote if buys else symbol.base
        if pays in CASH:
            found[pays] += left * max(order.price, order.stop_price) if buys else left
    [position] = [one.position for one in futures.summary().exposures if one.position.symbol == BTC]
    found |= {"long": max(NONE, position.amount), "short": max(NONE, -position.amount)}
    adding = [(order.side, order.quantity) for order in futures.open_orders(BTC) if not order.reduce_only]
    adding += [
        (algo.side, algo.quantity)
        for algo in futures.algos.waiting(BTC)
        if not algo.reduce_only and not algo.close_position
    ]
    for side in Side:
        found[f"futures {side} on order"] = sum((amount for of, amount in adding if of is side), NONE)
    return {**found, "leverage": Decimal(position.leverage)}


# What there is, what is asked for, and what comes between


def _set_the_scene(broker: Wired, draw: Drawn) -> None:
    spot, futures = broker.paper.exchange, broker.paper.futures
    for symbol in {order.symbol for order in spot.open_orders()}:
        spot.cancel_all(symbol)
    futures.cancel_all(BTC)
    futures.algos.cancel_all(BTC)
    futures.pin(BTC, Decimal(60_000))
    spot.pin(BTC, Decimal(60_000))
    _move_position(broker, NONE)
    futures.set_free(Decimal(100_000))
    futures.set_leverage(BTC, FUTURES_LEVERAGE)
    for asset, amounts in (
        ("USDT", ("50000", "0")),
        ("BTC", ("0", "0.05", "0.000001")),
        ("ETH", ("0", "1")),
        ("EUR", ("0", "5000")),
        ("BRL", ("0", "5000")),
    ):
        spot.set_free(asset, Decimal(draw(*amounts)))
    if amount := draw("", "0.05", "-0.05"):
        _move_position(broker, Decimal(amount))
    for rests in (_resting_exit, _resting_entry, _resting_stop):
        if draw(True, False):
            rests(broker)


def _call(broker: Wired, draw: Drawn) -> tuple[str, dict[str, Any]]:
    what = draw("spot", "spot", "spot", "futures", "futures", "close", "leverage", "cancel", "cancel all")
    market = draw("spot", "futures")
    if what == "close":
        return CLOSE, {"symbol": BTC}
    if what == "leverage":
        return LEVERAGE, {"symbol": BTC, "leverage": draw(1, 3, 20)}
    if what == "cancel all":
        return "binance_cancel_all_orders", {"symbol": BTC, "market": market}
    if what == "cancel":
        algos = broker.paper.futures.algos.waiting(BTC)
        number = str(algos[0].id) if algos else "1"
        return "binance_cancel_order", {
            "symbol": BTC,
            "market": "futures",
            "orderId": number,
            "conditional": True,
        }
    symbol = BTC if what == "futures" else draw(*PRICES)
    price, part = Decimal(PRICES[symbol]), draw("1", "0.5", "5")
    side, kind = draw("buy", "sell"), draw("market", "limit", "stop_loss", "take_profit")
    amount = Decimal(AMOUNTS[symbol]) * Decimal(part)
    arguments: dict[str, Any] = {"symbol": symbol, "side": side, "type": kind, "amount": str(amount)}
    near = price * Decimal(draw("0.98", "1.02"))
    if kind == "limit":
        arguments["price"] = str(near)
    if kind in ("stop_loss", "take_profit"):
        arguments["stopPrice"] = str(near)
        if draw(True, False):
            arguments["price"] = str(near)
    if what == "futures":
        arguments["market"] = "futures"
        reduces = draw(None, True, False)
        if reduces is not None:
            arguments["reduceOnly"] = reduces
    return CREATE, arguments


def _move_position(broker: Wired, to: Decimal) -> None:
    """By somebody else, past the broker."""
    futures = broker.paper.futures
    [held] = [one.position.amount for one in futures.summary().exposures if one.position.symbol == BTC]
    if change := to - held:
        side = "BUY" if change > 0 else "SELL"
        futures.place(futures_order(side, "MARKET", str(abs(change)), client_id=futures.new_id()))


def _resting_exit(broker: Wired) -> None:
    spot = broker.paper.exchange
    if spot.account.balance("BTC").free >= Decimal("0.02"):
        spot.place(spot_order("SELL", "LIMIT", "0.02", "63000", client_id=spot.new_id()))


def _resting_entry(broker: Wired) -> None:
    futures = broker.paper.futures
    futures.place(futures_order("BUY", "LIMIT", "0.02", "57000", client_id=futures.new_id()))


def _resting_stop(broker: Wired) -> None:
    stop = futures_algo("SELL", quantity="0.05", trigger="57000", reduce_only=True)
    broker.paper.futures.algos.place(replace(stop, client_id=broker.paper.futures.new_id()))


def _nothing(broker: Wired) -> None:
    return


def _flip(broker: Wired) -> None:
    futures = broker.paper.futures
    [held] = [one.position.amount for one in futures.summary().exposures if one.position.symbol == BTC]
    _move_position(broker, -held)


def _flatten(broker: Wired) -> None:
    _move_position(broker, NONE)


def _coins_gone(broker: Wired) -> None:
    for asset in ("BTC", "ETH"):
        broker.paper.exchange.set_free(asset, NONE)


def _price_rises(broker: Wired) -> None:
    broker.paper.exchange.pin(BTC, Decimal(60_100))
    broker.paper.futures.pin(BTC, Decimal(60_100))


CHANGES: Sequence[Callable[[Wired], None]] = (_nothing, _nothing, _flip, _flatten, _coins_gone, _price_rises)
