"""Binance, through ccxt."""

from .exchange import Exchange
from .futures import Futures
from .keys import Finding, Level, examine
from .models import (
    Account,
    Balance,
    Book,
    Fill,
    Funding,
    FuturesAccount,
    KeyRights,
    Leverage,
    Market,
    OrderRequest,
    OrderState,
    Position,
    PriceLevel,
    RestingOrder,
    Rules,
    Sent,
    Verdict,
    Walk,
)
from .prices import LivePrice, Prices
from .read_errors import found_time_wrong
from .spot import Spot
from .weight import AGENTS_PCT, FOLLOW_PCT, PAGES_PCT, READS_PCT, Asker, leaving_room

__all__ = [
    "AGENTS_PCT",
    "FOLLOW_PCT",
    "PAGES_PCT",
    "READS_PCT",
    "Account",
    "Asker",
    "Balance",
    "Book",
    "Exchange",
    "Fill",
    "Finding",
    "Funding",
    "Futures",
    "FuturesAccount",
    "KeyRights",
    "Level",
    "Leverage",
    "LivePrice",
    "Market",
    "OrderRequest",
    "OrderState",
    "Position",
    "PriceLevel",
    "Prices",
    "RestingOrder",
    "Rules",
    "Sent",
    "Spot",
    "Verdict",
    "Walk",
    "examine",
    "found_time_wrong",
    "leaving_room",
]
