"""An agent: what it may call, and its own limits, each below the broker's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any, Final

from .errors import BrokerError, Code, invalid
from .money import parse, plain
from .settings import Settings

DEFAULT: Final = "default"
"""The agent of MCP_API_KEY."""

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
"""One name is one agent: letters that only look alike are none of it."""

SYMBOL: Final = re.compile(r"[A-Z0-9]{2,30}")
MOST_SYMBOLS: Final = 200
OWN_TOOLS: Final = "intent_"
"""Tools of that beginning are about an agent's own requests: always allowed, and never counted."""

CEILINGS: Final[Mapping[str, str]] = {
    "max_order_value_usdt": "max_order_value_usdt",
    "max_daily_volume_usdt": "max_daily_volume_usdt",
    "max_leverage": "max_leverage",
    "max_pending": "max_pending_per_agent",
    "max_calls_per_minute": "max_calls_per_minute_per_agent",
}
"""Each limit of an agent, and the setting that it stays below."""


@dataclass(frozen=True, kw_only=True)
class Agent:
    """None allows what the broker does. `alone`: no other agent has a key."""

    name: str
    tools: frozenset[str] | None = None
    symbols: frozenset[str] | None = None
    max_order_value_usdt: Decimal | None = None
    max_daily_volume_usdt: Decimal | None = None
    max_leverage: int | None = None
    max_pending: int | None = None
    max_calls_per_minute: int | None = None
    alone: bool = False

    def limits(self, settings: Settings) -> Limits:
        return Limits(
            order_value_usdt=_lower(self.max_order_value_usdt, settings.max_order_value_usdt),
            daily_volume_usdt=settings.max_daily_volume_usdt,
            own_daily_volume_usdt=self.max_daily_volume_usdt,
            leverage=_lower(self.max_leverage, settings.max_leverage),
            pending=_lower(self.max_pending, settings.max_pending_per_agent),
            calls_per_minute=_lower(self.max_calls_per_minute, settings.max_calls_per_minute_per_agent),
            own_order_value=_is_lower(self.max_order_value_usdt, settings.max_order_value_usdt),
            own_leverage=_is_lower(self.max_leverage, settings.max_leverage),
        )

    def require(self, tool: str, symbol: str | None) -> None:
        """Raises TOOL_NOT_ALLOWED, SYMBOL_NOT_ALLOWED."""
        self.require_tool(tool)
        self.require_symbol(symbol)

    def require_tool(self, name: str) -> None:
        """Raises TOOL_NOT_ALLOWED."""
        if self.tools is None or name.startswith(OWN_TOOLS) or name in self.tools:
            return
        raise BrokerError(
            Code.TOOL_NOT_ALLOWED,
            f"You may not call {name}. Nothing was done.",
            details={"tool": name, "allowed": sorted(self.tools)},
        )

    def require_symbol(self, symbol: str | None) -> None:
        """`symbol` is Binance's id; None where the call names none. Raises SYMBOL_NOT_ALLOWED."""
        if self.symbols is None or symbol in self.symbols:
            return
        problem = f"you may not trade or read {symbol}" if symbol else "has to be given: you may not read all"
        allowed = sorted(self.symbols)
        raise BrokerError(
            Code.SYMBOL_NOT_ALLOWED,
            f"symbol: {problem}; allowed: {', '.join(allowed)}. Nothing was done.",
            details={"field": "symbol", "symbol": symbol, "allowed": allowed},
        )

    def rights(self) -> dict[str, Any]:
        """What is not as for everybody, as it is stored and recorded."""
        told = {}
        for each in fields(self):
            value = getattr(self, each.name)
            if each.name not in ("name", "alone") and value is not None:
                told[each.name] = _written(value)
        return told

    @classmethod
    def of(cls, name: str, rights: Mapping[str, Any], *, alone: bool = False) -> Agent:
        """From what `rights` wrote."""
        read: dict[str, Any] = dict(rights)
        for each in ("tools", "symbols"):
            if each in read:
                read[each] = frozenset(read[each])
        for each in ("max_order_value_usdt", "max_daily_volume_usdt"):
            if each in read:
                read[each] = Decimal(read[each])
        return cls(name=name, alone=alone, **read)

    def typed(self, words: Mapping[str, str]) -> Agent:
        """With what a person typed for some of its rights and limits; nothing, "all" and "none" take a limit
        away. Raises INVALID_ARGUMENTS.
        """
        return replace(self, **{name: _read(name, text.strip()) for name, text in words.items()})

    def checked(self, settings: Settings, known_tools: Iterable[str]) -> Agent:
        """Itself, where it is one that may be. Raises INVALID_ARGUMENTS that names the field."""
        if not NAME.fullmatch(self.name):
            raise invalid("name", "must be 1 to 40 of A-Z, a-z, 0-9, dot, _ and -, a letter or digit first")
        tools = sorted(name for name in known_tools if not name.startswith(OWN_TOOLS))
        for name in sorted(self.tools or ()):
            if name not in tools:
                raise invalid("tools", f"there is no tool {name[:64]!r} to allow", allowed=tools)
        if self.symbols is not None and not 1 <= len(self.symbols) <= MOST_SYMBOLS:
            raise invalid("symbols", f"must be 1 to {MOST_SYMBOLS} of them; leave it out for all")
        for symbol in sorted(self.symbols or ()):
            if not SYMBOL.fullmatch(symbol):
                raise invalid("symbols", f"{symbol[:30]!r} is no Binance id such as BTCUSDT")
        for own, setting in CEILINGS.items():
            _require_below(own, getattr(self, own), setting.upper(), getattr(settings, setting))
        return self


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What holds for one agent now: the lower of the broker's limit and its own.

    `own_daily_volume_usdt` counts its own orders alone, beside the sum of all. `own_order_value` and
    `own_leverage` say that the limit is the agent's own.
    """

    order_value_usdt: Decimal
    daily_volume_usdt: Decimal
    own_daily_volume_usdt: Decimal | None
    leverage: int
    pending: int
    calls_per_minute: int
    own_order_value: bool = False
    own_leverage: bool = False


def symbol_id(text: str) -> str:
    """Binance's id for an id or a unified symbol, as an operator writes them; not looked up."""
    return text.strip().upper().partition(":")[0].replace("/", "")


def _read(name: str, text: str) -> Any:
    if text in ("", "all", "none"):
        return None
    if name in ("tools", "symbols"):
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return frozenset(map(symbol_id, parts) if name == "symbols" else parts)
    try:
        number = parse(text)
    except ValueError as error:
        raise invalid(name, f"{error} (a dot for decimals)") from None
    if name.endswith("_usdt"):
        return number
    if number != int(number):
        raise invalid(name, "must be a whole number")
    return int(number)


def _lower(own: Any, ours: Any) -> Any:
    return ours if own is None else min(own, ours)


def _is_lower(own: Decimal | int | None, ours: Decimal | int) -> bool:
    return own is not None and own < ours


def _written(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    return plain(value) if isinstance(value, Decimal) else value


def _require_below(name: str, own: Decimal | int | None, setting: str, most: Decimal | int) -> None:
    if own is None:
        return
    if own <= 0:
        raise invalid(name, "must be above zero")
    if own > most:
        shown = plain(most) if isinstance(most, Decimal) else most
        raise invalid(name, f"is above the broker's own limit of {shown} ({setting})", le=str(shown))
