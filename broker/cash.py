"""Cash assets: holding one is not a position, and selling a position for one is an exit."""

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
"""US dollar stablecoins and fiat currencies, by Binance's asset names."""

ASSET_NAME: Final = re.compile(r"[A-Z0-9]{1,20}", re.ASCII)


def cash_assets(text: str) -> Sequence[str]:
    """The names in CASH_ASSETS (separated by commas), in upper case, each once. Raises ValueError.

    USDT is required: limits are in USDT, and most exits sell for it.
    """
    names = [name.strip().upper() for name in text.split(",")]
    wrong = next((name for name in names if not ASSET_NAME.fullmatch(name)), None)
    if wrong is not None:
        raise ValueError(
            f"{wrong[:20]!r} is not an asset name: use letters and digits, separate names by commas"
        )
    if "USDT" not in names:
        raise ValueError("USDT is missing: limits are in USDT")
    return list(dict.fromkeys(names))
