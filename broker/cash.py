"""Assets that are money: holding one is no position, and to sell a position for one is an exit."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

DEFAULT_CASH: Final = ",".join(
    [
        *("USDT", "USDC", "FDUSD", "TUSD", "USDP", "DAI", "USD1", "USDE", "BFUSD"),
        *("ARS", "AUD", "BRL", "COP", "CZK", "EUR", "GBP", "IDR", "JPY", "MXN", "NGN", "PLN", "RON", "RUB"),
        *("TRY", "UAH", "ZAR"),
    ]
)
"""Stablecoins of the US dollar and fiat currencies, as Binance lists them."""

ASSET_NAME: Final = re.compile(r"[A-Z0-9]{1,20}", re.ASCII)


def cash_assets(text: str) -> Sequence[str]:
    """Names with commas between them, as CASH_ASSETS has them. Raises ValueError.

    USDT has to be among them: limits are counted in USDT, and most exits sell for it.
    """
    names = [name.strip().upper() for name in text.split(",")]
    wrong = next((name for name in names if not ASSET_NAME.fullmatch(name)), None)
    if wrong is not None:
        raise ValueError(f"{wrong[:20]!r} is no asset: names of letters and digits, with commas between them")
    if "USDT" not in names:
        raise ValueError("USDT is missing: limits are counted in it")
    return list(dict.fromkeys(names))
