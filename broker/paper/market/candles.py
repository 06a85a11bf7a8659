"""Open times of candles (Binance's kline intervals). Times are UTC milliseconds."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice

_MINUTE = 60_000
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_FIRST_MONDAY = 4 * _DAY

_LENGTHS = {
    "1s": 1_000,
    "1m": _MINUTE,
    "3m": 3 * _MINUTE,
    "5m": 5 * _MINUTE,
    "15m": 15 * _MINUTE,
    "30m": 30 * _MINUTE,
    "1h": _HOUR,
    "2h": 2 * _HOUR,
    "4h": 4 * _HOUR,
    "6h": 6 * _HOUR,
    "8h": 8 * _HOUR,
    "12h": 12 * _HOUR,
    "1d": _DAY,
    "3d": 3 * _DAY,
    "1w": 7 * _DAY,
}
_MONTH = "1M"
INTERVALS = (*_LENGTHS, _MONTH)


def opening(interval: str, time: int) -> int:
    """Return when the candle that contains this time opened."""
    if interval == _MONTH:
        return _month(time, 0)
    length = _LENGTHS[interval]
    offset = _FIRST_MONDAY if interval == "1w" else 0
    return (time - offset) // length * length + offset


def closing(interval: str, opened: int) -> int:
    """Return when the next candle opens."""
    return _month(opened, 1) if interval == _MONTH else opened + _LENGTHS[interval]


def openings(interval: str, start: int | None, end: int, limit: int) -> list[int]:
    """Return up to `limit` open times that are not after `end`: the first from `start`, or else the last."""
    if start is not None:
        return list(islice(_forward(interval, start, end), limit))
    return list(islice(_backward(interval, end), limit))[::-1]


def _forward(interval: str, start: int, end: int) -> Iterator[int]:
    opened = opening(interval, start)
    if opened < start:
        opened = closing(interval, opened)
    while opened <= end:
        yield opened
        opened = closing(interval, opened)


def _backward(interval: str, end: int) -> Iterator[int]:
    opened = opening(interval, end)
    while opened >= 0:
        yield opened
        opened = opening(interval, opened - 1)


def _month(time: int, ahead: int) -> int:
    at = datetime.fromtimestamp(time / 1000, UTC)
    months = at.year * 12 + at.month - 1 + ahead
    return int(datetime(months // 12, months % 12 + 1, 1, tzinfo=UTC).timestamp() * 1000)
