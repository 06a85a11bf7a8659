"""Binance, through ccxt."""

from .exchange import Exchange
from .models import (
    Account,
    Balance,
    Book,
    Fill,
    Level,
    Market,
    OrderRequest,
    OrderState,
    Rules,
    Sent,
    Verdict,
    Walk,
)

__all__ = [
    "Account",
    "Balance",
    "Book",
    "Exchange",
    "Fill",
    "Level",
    "Market",
    "OrderRequest",
    "OrderState",
    "Rules",
    "Sent",
    "Verdict",
    "Walk",
]
