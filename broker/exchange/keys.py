"""Checks of the API keys before the first order. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ..errors import BrokerError, Code
from ..settings import Mode, Settings
from .exchange import Exchange
from .venue import Venue

SKEW_WARN_MS: Final = 1_000
SKEW_BAD_MS: Final = 5_000
"""Equal to recvWindow: if orders carried our time instead of Binance's, Binance would refuse all of them."""


class Level(StrEnum):
    OK = "ok"
    WARN = "warn"
    """The broker runs, but some tools or some protection are missing."""
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`unknown`: Binance gave no answer; ask again. `forbids`: nothing may be sent with this key."""

    level: Level
    subject: str
    text: str
    unknown: bool = False
    forbids: bool = False


async def examine(exchange: Exchange, settings: Settings) -> Sequence[Finding]:
    """Return the findings about the keys. Never raises: a failed read is a finding too."""
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
    direction = "behind" if skew > 0 else "ahead of"
    level = Level.BAD if abs(skew) > SKEW_BAD_MS else Level.WARN
    text = f"{abs(skew) / 1000:.1f} s {direction} Binance's: synchronise this machine's clock by NTP"
    return _finding(level, "clock", text)


async def _accepted(exchange: Exchange) -> Finding:
    try:
        account = await exchange.spot.account()
    except BrokerError as error:
        return _unread(Level.BAD, "API key", error)
    if not account.can_trade:
        return _finding(Level.WARN, "API key", "Binance accepts it, but the account may not trade")
    return _finding(Level.OK, "API key", "Binance accepts it")


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
        may = [venue.market for venue in venues if (await venue.restrictions()).withdraw]
    except BrokerError as error:
        return _unread(level, subject, error)
    if not may:
        return _finding(Level.OK, subject, "not permitted to the key")
    text = f"the {may[0]} key may withdraw; the broker never withdraws: remove that permission at Binance"
    if matters:
        text += ", or set ALLOW_WITHDRAWAL_KEYS=true"
    return Finding(level=level, subject=subject, text=text, forbids=matters)


async def _futures(exchange: Exchange) -> Finding:
    try:
        await exchange.futures.require_one_way()
    except BrokerError as error:
        is_answer = error.code in (Code.FUTURES_NOT_PERMITTED, Code.HEDGE_MODE_UNSUPPORTED)
        # Not `unknown`: the spot tools are safe without futures, so the start need not wait for this.
        return _finding(Level.WARN, "futures", error.message if is_answer else f"not read: {error.message}")
    return _finding(Level.OK, "futures", "permitted, one-way mode")


def _finding(level: Level, subject: str, text: str) -> Finding:
    return Finding(level=level, subject=subject, text=text)


def _unread(level: Level, subject: str, error: BrokerError) -> Finding:
    return Finding(level=level, subject=subject, text=f"not read: {error.message}", unknown=True)
