"""Maps failed reads to the broker's codes. Never uses ccxt's text, which contains signed URLs."""

from __future__ import annotations

from typing import Final

import ccxt

from ..errors import BrokerError, Code
from .models import Market
from .outcome import TOO_MANY, WireFacts
from .weight import BAN_SECONDS, rate_limited

BINANCE_FAULTS: Final = frozenset({-1000, -1001, -1006, -1008, -1016})
"""Codes for faults at Binance."""

TIME_IS_WRONG: Final = -1021
"""The timestamp was too late or too early: one of the clocks was set since the last comparison."""

UNREACHABLE: Final = frozenset({Code.BINANCE_UNAVAILABLE, Code.BINANCE_TIMEOUT})

KEY_REJECTED: Final = frozenset({-2008, -2014, -2015})
"""Binance rejects the key. On futures this is normal for a key for spot only."""

MAX_SYMBOL: Final = 30


def found_time_wrong(error: BrokerError) -> bool:
    """Whether only the timestamp was wrong. The next call asks for Binance's time, so it can be retried."""
    return error.details.get("binanceCode") == TIME_IS_WRONG


def unknown_symbol(text: str, market: Market) -> BrokerError:
    shown = text[:MAX_SYMBOL]
    kind = "Binance spot symbol" if market is Market.SPOT else "Binance USDT-margined perpetual"
    message = f"{shown!r} is not a {kind}; use an id such as BTCUSDT"
    return BrokerError(Code.UNKNOWN_SYMBOL, message, details={"symbol": shown})


def unavailable(why: str) -> BrokerError:
    return BrokerError(Code.BINANCE_UNAVAILABLE, f"Binance is not available: {why}")


def not_configured() -> BrokerError:
    return BrokerError(Code.BINANCE_NOT_CONFIGURED, "Binance API not configured")


def hedge_mode() -> BrokerError:
    message = (
        "The futures account is in hedge mode, which the broker does not support; set one-way mode at Binance"
        " (Preferences, Position Mode)"
    )
    return BrokerError(Code.HEDGE_MODE_UNSUPPORTED, message)


def explain(error: Exception, facts: WireFacts, market: Market) -> BrokerError:
    """The error that the caller of a read gets."""
    if isinstance(error, BrokerError):
        return error
    if facts.http in BAN_SECONDS or facts.code in TOO_MANY:
        return _too_many(facts)
    if isinstance(error, TimeoutError | ccxt.RequestTimeout):
        return _timed_out(facts)
    if not facts.sent:
        return BrokerError(Code.INTERNAL, f"the call could not be made ({type(error).__name__})")
    if facts.http is None or facts.http == 200:
        return unavailable("no connection" if not facts.connected else "its answer is incomplete or broken")
    if facts.code is None or facts.http >= 500 or facts.code in BINANCE_FAULTS:
        return unavailable(f"HTTP {facts.http}{_binance_text(facts)}")
    if market is Market.FUTURES and facts.code in KEY_REJECTED:
        return _no_futures(facts)
    if facts.code == -1121:
        return BrokerError(Code.UNKNOWN_SYMBOL, "Binance does not know the symbol", details=_details(facts))
    return BrokerError(
        Code.BINANCE_REFUSED, f"Binance refused{_binance_text(facts)}", details=_details(facts)
    )


def _no_futures(facts: WireFacts) -> BrokerError:
    message = (
        f"This API key may not use Binance futures ({facts.code}): enable futures for the key and check its"
        " IP restrictions, or set BINANCE_FUTURES_API_KEY and BINANCE_FUTURES_API_SECRET. Spot tools work"
    )
    return BrokerError(Code.FUTURES_NOT_PERMITTED, message, details=_details(facts))


def _too_many(facts: WireFacts) -> BrokerError:
    seconds = BAN_SECONDS.get(facts.http or 429, 60) if facts.retry_after is None else facts.retry_after
    return rate_limited("Binance asked for a pause", seconds)


def _timed_out(facts: WireFacts) -> BrokerError:
    if not facts.sent:
        return rate_limited("too many calls are waiting for Binance", BAN_SECONDS[429])
    return BrokerError(Code.BINANCE_TIMEOUT, "Binance did not answer in time")


def _binance_text(facts: WireFacts) -> str:
    return f": {facts.msg} ({facts.code})" if facts.code is not None else ""


def _details(facts: WireFacts) -> dict[str, object]:
    return {"binanceCode": facts.code, "binanceMessage": facts.msg, "httpStatus": facts.http}
