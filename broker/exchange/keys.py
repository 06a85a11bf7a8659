"""Checks the API keys and the clock before the first order. Only reads."""

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
"""Binance refuses requests with a larger difference. (Orders use Binance's time, so they still work.)"""


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    """The broker runs, but some tools do not work or some safety is missing."""
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`unknown`: Binance did not answer; check again. `forbids`: nothing may be sent with this key."""

    level: Level
    subject: str
    text: str
    unknown: bool = False
    forbids: bool = False


async def examine(exchange: Exchange, settings: Settings) -> Sequence[Finding]:
    """Run all checks. Never raises: a failed read is a finding."""
    if not settings.configured:
        return [_finding(Level.WARN, "API key", "not set: only public tools work")]
    findings = [await _clock(exchange), await _api_key(exchange)]
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
    direction = "behind" if skew > 0 else "ahead of"
    level = Level.BAD if abs(skew) > SKEW_BAD_MS else Level.WARN
    text = f"{abs(skew) / 1000:.1f} s {direction} Binance's: set this machine's clock with NTP"
    return _finding(level, "clock", text)


async def _api_key(exchange: Exchange) -> Finding:
    try:
        account = await exchange.spot.account()
    except BrokerError as error:
        return _unread(Level.BAD, "API key", error)
    if not account.can_trade:
        return _finding(Level.WARN, "API key", "accepted by Binance, but the account may not trade")
    return _finding(Level.OK, "API key", "accepted by Binance")


async def _withdrawals(exchange: Exchange, settings: Settings) -> Finding:
    subject = "withdrawals"
    if settings.mode is Mode.TESTNET:
        return _finding(Level.OK, subject, "not checked on testnet")
    matters = settings.mode is Mode.LIVE and not settings.allow_withdrawal_keys
    level = Level.BAD if matters else Level.WARN
    venues: list[Venue] = [exchange.spot]
    if settings.binance_futures_api_key is not None:
        venues.append(exchange.futures)  # futures have their own key
    try:
        may_withdraw = [venue.market for venue in venues if (await venue.restrictions()).withdraw]
    except BrokerError as error:
        return _unread(level, subject, error)
    if not may_withdraw:
        return _finding(Level.OK, subject, "not allowed for the key")
    text = f"the {may_withdraw[0]} key may withdraw; the broker never does: remove this permission at Binance"
    if matters:
        text += ", or set ALLOW_WITHDRAWAL_KEYS=true"
    return Finding(level=level, subject=subject, text=text, forbids=matters)


async def _futures(exchange: Exchange) -> Finding:
    try:
        await exchange.futures.require_one_way()
    except BrokerError as error:
        known = error.code in (Code.FUTURES_NOT_PERMITTED, Code.HEDGE_MODE_UNSUPPORTED)
        # Only a warning: spot works without futures.
        return _finding(Level.WARN, "futures", error.message if known else f"not checked: {error.message}")
    return _finding(Level.OK, "futures", "allowed, one-way mode")


def _finding(level: Level, subject: str, text: str) -> Finding:
    return Finding(level=level, subject=subject, text=text)


def _unread(level: Level, subject: str, error: BrokerError) -> Finding:
    return Finding(level=level, subject=subject, text=f"not checked: {error.message}", unknown=True)
