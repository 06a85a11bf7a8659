"""Words that every order is described in."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

OrderType = Literal["market", "limit", "stop_loss", "take_profit"]
"""The last two rest until their trigger. With a price they then rest as a limit order."""

OrderStatus = Literal["open", "partly_filled", "filled", "cancelled", "expired", "rejected"]


class Market(StrEnum):
    SPOT = "spot"
    FUTURES = "futures"
