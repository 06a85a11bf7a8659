"""Binance, through ccxt."""

from .exchange import Exchange
from .models import (
    Account,
    Balance,
    Book,
    Fill,
    Funding,
    FuturesAccount,
    Level,
    Leverage,
    Market,
    OrderRequest,
    OrderState,
    Position,
    RestingOrder,
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
    "Funding",
    "FuturesAccount",
    "Level",
    "Leverage",
    "Market",
    "OrderRequest",
    "OrderState",
    "Position",
    "RestingOrder",
    "Rules",
    "Sent",
    "Verdict",
    "Walk",
]
