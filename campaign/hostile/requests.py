"""What the agent asks for: entries and exits, on spot and futures. Each is filled or rests at once."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from ..kinds import CREATE, FAPI_ORDER, KINDS, POSITIONS, SPOT_ORDER, SPOT_READS, USER_TRADES, Kind

FUTURES_HELD: Final = "50"
"""ETH in the position that is reduced."""


def _amount(number: int, step: str, least: int) -> str:
    return str((least + number % 37) * Decimal(step))


def _spot_sale(number: int) -> Mapping[str, Any]:
    return {"symbol": "ETHUSDT", "side": "sell", "amount": _amount(number, "0.0001", 50)}


def _futures_buy(number: int) -> Mapping[str, Any]:
    return {"symbol": "BTCUSDT", "side": "buy", "amount": _amount(number, "0.001", 2), "market": "futures"}


def _reduction(number: int) -> Mapping[str, Any]:
    amount = _amount(number, "0.001", 10)
    return {"symbol": "ETHUSDT", "side": "sell", "amount": amount, "market": "futures", "reduceOnly": True}


ENTRIES: Final = (
    KINDS["spot market"],
    KINDS["spot limit"],
    Kind(
        name="futures buy",
        tool=CREATE,
        post=FAPI_ORDER,
        check=POSITIONS,
        look_up=FAPI_ORDER,
        trades=USER_TRADES,
        arguments=_futures_buy,
    ),
)
EXITS: Final = (
    Kind(name="spot sale", tool=CREATE, post=SPOT_ORDER, arguments=_spot_sale, **SPOT_READS),
    Kind(
        name="futures reduction",
        tool=CREATE,
        post=FAPI_ORDER,
        check=POSITIONS,
        look_up=FAPI_ORDER,
        trades=USER_TRADES,
        arguments=_reduction,
    ),
)
EXIT_NAMES: Final = frozenset(kind.name for kind in EXITS)
