"""Types that describe orders on all markets."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

OrderType = Literal["market", "limit", "stop_loss", "take_profit"]
"""stop_loss and take_profit wait for their trigger. With a price, they then become a limit order."""

OrderStatus = Literal["open", "partly_filled", "filled", "cancelled", "expired", "rejected"]


class Market(StrEnum):
    SPOT = "spot"
    FUTURES = "futures"
