"""Decimal amounts, and Binance's format for them: always eight decimals."""

from decimal import ROUND_DOWN, Decimal

ZERO = Decimal(0)
_SMALLEST = Decimal("0.00000001")


def text(amount: Decimal) -> str:
    return f"{amount:.8f}"


def truncated(amount: Decimal) -> Decimal:
    """Round towards zero to eight decimals."""
    return amount.quantize(_SMALLEST, ROUND_DOWN)


def floored(amount: Decimal, step: Decimal) -> Decimal:
    """Return the largest multiple of `step` that is not above `amount`, which is positive."""
    return amount // step * step
