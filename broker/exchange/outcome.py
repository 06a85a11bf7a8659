"""Determines the outcome of a submission from what happened on the wire. No I/O.

ccxt's exception classes are not reliable here (a truncated body raises the class of a refusal, an empty 200
raises nothing), so the verdict uses HTTP status, code and message. Codes that are not in the table are
UNKNOWN; the reconciler looks these orders up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from .models import Market, Verdict

PLACED, REFUSED, NOT_SENT, UNKNOWN = Verdict

CODES: Final[Mapping[int, tuple[Verdict, Verdict]]] = {
    # code: (spot, futures), for an answer of 4xx.
    # Binance does not know the outcome.
    -1000: (UNKNOWN, UNKNOWN),
    -1001: (UNKNOWN, UNKNOWN),
    -1006: (UNKNOWN, UNKNOWN),
    -1007: (UNKNOWN, UNKNOWN),
    -1010: (UNKNOWN, UNKNOWN),
    -1016: (UNKNOWN, UNKNOWN),
    # Overloaded. Futures promises that nothing was executed; spot does not.
    -1008: (UNKNOWN, NOT_SENT),
    # Too late by Binance's clock.
    -1021: (NOT_SENT, NOT_SENT),
    -5028: (UNKNOWN, NOT_SENT),
    # The key, its permissions or the signature.
    -1022: (NOT_SENT, NOT_SENT),
    -2008: (NOT_SENT, NOT_SENT),
    -2014: (NOT_SENT, NOT_SENT),
    -2015: (NOT_SENT, NOT_SENT),
    # A filter of the symbol, or a closed market.
    -1013: (REFUSED, REFUSED),
    # A parameter.
    -1100: (REFUSED, REFUSED),
    -1102: (REFUSED, REFUSED),
    -1111: (REFUSED, REFUSED),
    -1116: (REFUSED, REFUSED),
    -1121: (REFUSED, REFUSED),
    # The balance, or another rule of the matching engine.
    -2010: (REFUSED, REFUSED),
    # An order with that id exists: probably this one.
    -4116: (UNKNOWN, UNKNOWN),
    -20132: (UNKNOWN, UNKNOWN),
    # Margin, trigger, reduce-only, leverage and price rules of futures.
    -2018: (UNKNOWN, REFUSED),
    -2019: (UNKNOWN, REFUSED),
    -2021: (UNKNOWN, REFUSED),
    -2022: (UNKNOWN, REFUSED),
    -2025: (UNKNOWN, REFUSED),
    -2027: (UNKNOWN, REFUSED),
    -2028: (UNKNOWN, REFUSED),
    -4003: (UNKNOWN, REFUSED),
    -4005: (UNKNOWN, REFUSED),
    -4014: (UNKNOWN, REFUSED),
    -4015: (UNKNOWN, REFUSED),
    -4016: (UNKNOWN, REFUSED),
    -4024: (UNKNOWN, REFUSED),
    -4028: (UNKNOWN, REFUSED),
    -4045: (UNKNOWN, REFUSED),
    -4061: (UNKNOWN, REFUSED),
    -4120: (UNKNOWN, REFUSED),
    -4131: (UNKNOWN, REFUSED),
    -4161: (UNKNOWN, REFUSED),
    -4164: (UNKNOWN, REFUSED),
    -5021: (UNKNOWN, REFUSED),
    -5022: (UNKNOWN, REFUSED),
}

TOO_MANY: Final = frozenset({-1003, -1015})
"""With HTTP 429: rejected by the rate limit, not executed."""

FUTURES_503: Final = ("Service Unavailable", "Internal error; unable to process")
"""A 503 with these messages was certainly not executed (Binance: futures, general info)."""


class BadAnswer(Exception):
    """Binance's answer could not be read, or is about another order."""


@dataclass(slots=True)
class WireFacts:
    """What happened in one call. `sent`: passed to the network. `connected`: perhaps connected."""

    sent: bool = False
    connected: bool = True
    http: int | None = None
    code: int | None = None
    msg: str = ""
    retry_after: int | None = None

    def begin(self) -> None:
        """Start a request: forget the answer to an earlier request of the same call."""
        self.sent, self.connected = True, True
        self.http = self.code = self.retry_after = None
        self.msg = ""


def judge(facts: WireFacts, error: Exception | None, market: Market, *, rejected: bool = False) -> Verdict:
    """The verdict. `error` None: the answer is about this order. `rejected`: so says its status."""
    if not facts.sent or not facts.connected:
        return NOT_SENT
    if error is None:
        answered = REFUSED if rejected else PLACED
        return answered if facts.http == 200 else UNKNOWN
    if facts.http == 418 or (facts.http == 429 and facts.code in TOO_MANY):
        return NOT_SENT
    if facts.http == 503 and market is Market.FUTURES:
        return _futures_503(facts)
    if facts.http is None or facts.code is None or facts.http == 408 or not 400 <= facts.http < 500:
        return UNKNOWN
    if facts.code == -2010 and "duplicate" in facts.msg.lower():
        return UNKNOWN
    spot, futures = CODES.get(facts.code, (UNKNOWN, UNKNOWN))
    return spot if market is Market.SPOT else futures


def _futures_503(facts: WireFacts) -> Verdict:
    certain = facts.code == -1008 or facts.msg.startswith(FUTURES_503)
    return NOT_SENT if certain else UNKNOWN
