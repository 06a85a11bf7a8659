"""Exact amounts, and how Binance writes them: always with eight decimals."""

from decimal import ROUND_DOWN, Decimal

ZERO = Decimal(0)
_SMALLEST = Decimal("0.00000001")


def text(amount: Decimal) -> str:
    return f"{amount:.8f}"


def truncated(amount: Decimal) -> Decimal:
    """To eight decimals, towards zero."""
    return amount.quantize(_SMALLEST, ROUND_DOWN)


def floored(amount: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of `step` that is not above a positive `amount`."""
    return amount // step * step
