"""What a trader should know of the API keys before the first order. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ..errors import BrokerError, Code
from ..intents import RECV_WINDOW_MS
from ..settings import Mode, Settings
from .exchange import Exchange
from .venue import Venue

SKEW_WARN_MS: Final = 1_000
SKEW_BAD_MS: Final = RECV_WINDOW_MS
"""Beyond it Binance would refuse every order, were they not stamped by its own clock."""


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    """The broker runs, with less than all of its tools or of its safety."""
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`unknown`: Binance did not tell; ask again. `forbids`: nothing may be sent with such a key."""

    level: Level
    subject: str
    text: str
    unknown: bool = False
    forbids: bool = False


async def examine(exchange: Exchange, settings: Settings) -> Sequence[Finding]:
    """Never raises; what cannot be read is a finding."""
    if not settings.configured:
        return [_finding(Level.WARN, "API key", "none is set: only public tools work")]
    findings = [await _clock(exchange), await _accepted(exchange)]
    if findings[-1].level is not Level.BAD:
        findings += [await _withdrawals(exchange, settings), await _futures(exchange)]
    return findings


async def _clock(exchange: Exchange) -> Finding:
    try:
        await exchange.spot.server_time_ms()
    except BrokerError as error:
        return _unread(Level.BAD, "clock", error)
    skew = exchange.spot.clock_offset_ms
    if abs(skew) <= SKEW_WARN_MS:
        return _finding(Level.OK, "clock", f"{abs(skew)} ms from Binance's")
    way = "behind" if skew > 0 else "ahead of"
    level = Level.BAD if abs(skew) > SKEW_BAD_MS else Level.WARN
    text = f"{abs(skew) / 1000:.1f} s {way} Binance's: set this machine's by NTP"
    return _finding(level, "clock", text)


async def _accepted(exchange: Exchange) -> Finding:
    try:
        account = await exchange.spot.account()
    except BrokerError as error:
        return _unread(Level.BAD, "API key", error)
    if not account.can_trade:
        return _finding(Level.WARN, "API key", "Binance takes it, but does not let the account trade")
    return _finding(Level.OK, "API key", "Binance takes it")


async def _withdrawals(exchange: Exchange, settings: Settings) -> Finding:
    subject = "withdrawals"
    if settings.mode is Mode.TESTNET:
        return _finding(Level.OK, subject, "not checked on testnet")
    matters = settings.mode is Mode.LIVE and not settings.allow_withdrawal_keys
    level = Level.BAD if matters else Level.WARN
    venues: list[Venue] = [exchange.spot]
    if settings.binance_futures_api_key is not None:
        venues.append(exchange.futures)  # a key of its own
    try:
        may = [venue.market for venue in venues if (await venue.restrictions()).withdraw]
    except BrokerError as error:
        return _unread(level, subject, error)
    if not may:
        return _finding(Level.OK, subject, "not permitted to the key")
    text = f"the {may[0]} key may withdraw, which the broker never does: take that right from it at Binance"
    if matters:
        text += ", or set ALLOW_WITHDRAWAL_KEYS=true"
    return Finding(level=level, subject=subject, text=text, forbids=matters)


async def _futures(exchange: Exchange) -> Finding:
    try:
        await exchange.futures.require_one_way()
    except BrokerError as error:
        told = error.code in (Code.FUTURES_NOT_PERMITTED, Code.HEDGE_MODE_UNSUPPORTED)
        # Without futures the spot tools are as safe as with them: that alone keeps nobody waiting.
        return _finding(Level.WARN, "futures", error.message if told else f"not read: {error.message}")
    return _finding(Level.OK, "futures", "permitted, one-way mode")


def _finding(level: Level, subject: str, text: str) -> Finding:
    return Finding(level=level, subject=subject, text=text)


def _unread(level: Level, subject: str, error: BrokerError) -> Finding:
    return Finding(level=level, subject=subject, text=f"not read: {error.message}", unknown=True)
