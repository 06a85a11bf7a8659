"""What is asked for: every kind of request that can become a POST. No two of a campaign are equal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import count, cycle
from random import Random
from typing import Any, Final

PRICES: Final = {"BTCUSDT": "60000", "ETHUSDT": "3000", "SOLUSDT": "150", "BNBUSDT": "600"}
"""Where spot and futures are held."""

CREATE: Final = "binance_create_order"
CLOSE: Final = "binance_close_position"
LEVERAGE: Final = "binance_set_leverage"

SPOT_ORDER: Final = "/api/v3/order"
FAPI_ORDER: Final = "/fapi/v1/order"
FAPI_ALGO: Final = "/fapi/v1/algoOrder"
FAPI_LEVERAGE: Final = "/fapi/v1/leverage"
SYMBOL_CONFIG: Final = "/fapi/v1/symbolConfig"

TO_CLOSE: Final = ("SOLUSDT", "BNBUSDT")
"""Symbols whose position is closed; stops wait on the position in ETHUSDT."""

LEVERAGES: Final = {"ETHUSDT": 125, "SOLUSDT": 75, "BNBUSDT": 75}
"""Symbols whose leverage is changed, with the most that it can be. No futures entry trades them."""

FIRST_LEVERAGE: Final = 20


@dataclass(frozen=True, kw_only=True)
class Kind:
    """The paths: of its POST, of a read of the executor's last check, of a look-up, and of the read that
    follows a complete answer, where there is one.
    """

    name: str
    tool: str
    post: str
    check: str
    look_up: str
    trades: str | None = None
    arguments: Callable[[int], Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """One request as the agent makes it, always with the same key."""

    kind: Kind
    key: str
    arguments: Mapping[str, Any]

    @property
    def symbol(self) -> str:
        return str(self.arguments["symbol"])


def _spot_market(number: int) -> Mapping[str, Any]:
    return {"symbol": "BTCUSDT", "side": "buy", "amount": _amount(number, "0.00001", 20)}


def _spot_limit(number: int) -> Mapping[str, Any]:
    price = str(58_500 - number % 400)
    return {**_spot_market(number), "type": "limit", "price": price}


def _spot_stop(number: int) -> Mapping[str, Any]:
    amount, stop = _amount(number, "0.0001", 50), str(2_900 - number % 90)
    return {"symbol": "ETHUSDT", "side": "sell", "type": "stop_loss", "amount": amount, "stopPrice": stop}


def _futures_market(number: int) -> Mapping[str, Any]:
    side = "buy" if number % 2 else "sell"
    return {"symbol": "BTCUSDT", "side": side, "amount": _amount(number, "0.001", 2), "market": "futures"}


def _conditional(number: int) -> Mapping[str, Any]:
    return {**_spot_stop(number), "amount": _amount(number, "0.001", 10), "market": "futures"}


def _amount(number: int, step: str, least: int) -> str:
    return str((least + number % 37) * Decimal(step))


SPOT_READS: Final[dict[str, str]] = {"check": "/api/v3/account", "look_up": SPOT_ORDER}
POSITIONS: Final = "/fapi/v3/positionRisk"
USER_TRADES: Final = "/fapi/v1/userTrades"

KINDS: Final = {
    kind.name: kind
    for kind in (
        Kind(name="spot market", tool=CREATE, post=SPOT_ORDER, arguments=_spot_market, **SPOT_READS),
        Kind(name="spot limit", tool=CREATE, post=SPOT_ORDER, arguments=_spot_limit, **SPOT_READS),
        Kind(name="spot stop", tool=CREATE, post=SPOT_ORDER, arguments=_spot_stop, **SPOT_READS),
        Kind(
            name="futures market",
            tool=CREATE,
            post=FAPI_ORDER,
            check=POSITIONS,
            look_up=FAPI_ORDER,
            trades=USER_TRADES,
            arguments=_futures_market,
        ),
        Kind(
            name="futures stop",
            tool=CREATE,
            post=FAPI_ALGO,
            check=POSITIONS,
            look_up=FAPI_ALGO,
            arguments=_conditional,
        ),
        Kind(
            name="close",
            tool=CLOSE,
            post=FAPI_ORDER,
            check=POSITIONS,
            look_up=FAPI_ORDER,
            trades=USER_TRADES,
            arguments=lambda _: {},
        ),
        Kind(
            name="leverage",
            tool=LEVERAGE,
            post=FAPI_LEVERAGE,
            check=SYMBOL_CONFIG,
            look_up=SYMBOL_CONFIG,
            arguments=lambda _: {},
        ),
    )
}


class Requests:
    """Each of its requests has a number, and so a key and arguments of its own."""

    def __init__(self, random: Random) -> None:
        self._numbers = count(1)
        self._closed = cycle(TO_CLOSE)
        self._targets = {
            symbol: random.sample([n for n in range(1, most + 1) if n != FIRST_LEVERAGE], most - 1)
            for symbol, most in LEVERAGES.items()
        }

    def next(self, kind: Kind, symbol: str | None = None) -> Wanted:
        """`symbol`: whose leverage; every leverage of a symbol is asked for once, so that whoever set it
        is known.
        """
        number = next(self._numbers)
        arguments = dict(kind.arguments(number))
        if kind.tool == CLOSE:
            arguments["symbol"] = next(self._closed)
        if symbol is not None:
            arguments |= {"symbol": symbol, "leverage": self._targets[symbol].pop()}
        return Wanted(kind=kind, key=f"campaign-{number:06d}", arguments=arguments)

    def leverage_symbol(self, busy: set[str]) -> str | None:
        """The one with most leverages left, of those that are not busy."""
        if not any(self._targets.values()):
            raise RuntimeError("every leverage was asked for already: the campaign is too long")
        return max(self.free_leverages(busy), key=lambda symbol: len(self._targets[symbol]), default=None)

    def free_leverages(self, busy: set[str]) -> list[str]:
        """Symbols that are not busy, and have a leverage that was not asked for yet."""
        return [symbol for symbol in LEVERAGES if symbol not in busy and self._targets[symbol]]
