"""Parses Binance's JSON, as far as spot and futures are alike.

Answers that differ from the documentation raise KeyError, ValueError, ArithmeticError or similar.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from ..money import Side
from .models import Balance, KeyRights, OrderStatus, PriceLevel

Raw = Mapping[str, Any]

STATUSES: Final[Mapping[str, OrderStatus]] = {
    "NEW": "open",
    "PENDING_NEW": "open",
    "PENDING_CANCEL": "open",
    "PARTIALLY_FILLED": "partly_filled",
    "FILLED": "filled",
    "CANCELED": "cancelled",
    "EXPIRED": "expired",
    "EXPIRED_IN_MATCH": "expired",
    "REJECTED": "rejected",
}


def side(info: Raw) -> Side:
    sides: Mapping[str, Side] = {"BUY": "buy", "SELL": "sell"}
    return sides[info["side"]]


def price(info: Raw, name: str) -> Decimal | None:
    """None if missing, empty or zero: Binance uses these for "no price"."""
    return Decimal(info.get(name) or "0") or None


def levels(rows: list[list[str]]) -> tuple[PriceLevel, ...]:
    return tuple(PriceLevel(Decimal(row[0]), Decimal(row[1])) for row in rows)


def above_zero(balances: Iterable[Balance]) -> tuple[Balance, ...]:
    return tuple(balance for balance in balances if balance.total > 0)


def key_rights(answer: Raw) -> KeyRights:
    return KeyRights(
        withdraw=bool(answer["enableWithdrawals"]),
        trade=bool(answer["enableSpotAndMarginTrading"]),
        futures=bool(answer["enableFutures"]),
        ip_restricted=bool(answer["ipRestrict"]),
    )
