"""An agent: the tools and symbols it may use, and its own limits, each at or below the broker's."""

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
"""Name of the agent that MCP_API_KEY belongs to."""

NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
"""ASCII only, so that no two names look alike."""

SYMBOL: Final = re.compile(r"[A-Z0-9]{2,30}")
MOST_SYMBOLS: Final = 200
OWN_TOOLS: Final = "intent_"
"""Prefix of the tools about an agent's own requests. They are always allowed, and not rate-limited."""

CEILINGS: Final[Mapping[str, str]] = {
    "max_order_value_usdt": "max_order_value_usdt",
    "max_daily_volume_usdt": "max_daily_volume_usdt",
    "max_leverage": "max_leverage",
    "max_pending": "max_pending_per_agent",
    "max_calls_per_minute": "max_calls_per_minute_per_agent",
}
"""Each limit of an agent, and the setting that it must not exceed."""


@dataclass(frozen=True, kw_only=True)
class Agent:
    """None: no own limit, the broker's applies. `alone`: no other agent has a key."""

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
        """`symbol` is Binance's id; None if the call names none. Raises SYMBOL_NOT_ALLOWED."""
        if self.symbols is None or symbol in self.symbols:
            return
        problem = f"you may not trade or read {symbol}" if symbol else "is required: you may not read all"
        allowed = sorted(self.symbols)
        raise BrokerError(
            Code.SYMBOL_NOT_ALLOWED,
            f"symbol: {problem}; allowed: {', '.join(allowed)}. Nothing was done.",
            details={"field": "symbol", "symbol": symbol, "allowed": allowed},
        )

    def rights(self) -> dict[str, Any]:
        """The agent's own rights and limits, as JSON values for the database and the audit log."""
        rights = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name not in ("name", "alone") and value is not None:
                rights[field.name] = _to_json(value)
        return rights

    @classmethod
    def of(cls, name: str, rights: Mapping[str, Any], *, alone: bool = False) -> Agent:
        """The inverse of `rights()`."""
        values: dict[str, Any] = dict(rights)
        for field in ("tools", "symbols"):
            if field in values:
                values[field] = frozenset(values[field])
        for field in ("max_order_value_usdt", "max_daily_volume_usdt"):
            if field in values:
                values[field] = Decimal(values[field])
        return cls(name=name, alone=alone, **values)

    def typed(self, texts: Mapping[str, str]) -> Agent:
        """A copy with rights and limits parsed from an operator's input. Empty text, "all" and "none" remove
        a limit. Raises INVALID_ARGUMENTS.
        """
        return replace(self, **{name: _parse(name, text.strip()) for name, text in texts.items()})

    def checked(self, settings: Settings, known_tools: Iterable[str]) -> Agent:
        """Returns itself if it is valid. Raises INVALID_ARGUMENTS, which names the field."""
        if not NAME.fullmatch(self.name):
            raise invalid(
                "name", "must have 1 to 40 characters of A-Z, a-z, 0-9, dot, _ and -, a letter or digit first"
            )
        tools = sorted(name for name in known_tools if not name.startswith(OWN_TOOLS))
        for name in sorted(self.tools or ()):
            if name not in tools:
                raise invalid("tools", f"there is no tool {name[:64]!r}", allowed=tools)
        if self.symbols is not None and not 1 <= len(self.symbols) <= MOST_SYMBOLS:
            raise invalid("symbols", f"must be 1 to {MOST_SYMBOLS} symbols; leave it out for all")
        for symbol in sorted(self.symbols or ()):
            if not SYMBOL.fullmatch(symbol):
                raise invalid("symbols", f"{symbol[:30]!r} is not a Binance id such as BTCUSDT")
        for limit, setting in CEILINGS.items():
            _require_at_most(limit, getattr(self, limit), setting.upper(), getattr(settings, setting))
        return self


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits that apply to one agent: the lower of the broker's and its own.

    `own_daily_volume_usdt` counts only its own orders; `daily_volume_usdt` counts all agents' orders.
    `own_order_value` and `own_leverage` say that the agent's own limit is the lower one.
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
    """Binance's id of a symbol that an operator typed: BTCUSDT for "btc/usdt". Not looked up at Binance."""
    return text.strip().upper().partition(":")[0].replace("/", "")


def _parse(name: str, text: str) -> Any:
    if text in ("", "all", "none"):
        return None
    if name in ("tools", "symbols"):
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return frozenset(map(symbol_id, parts) if name == "symbols" else parts)
    try:
        number = parse(text)
    except ValueError as error:
        raise invalid(name, f"{error} (with a dot as the decimal separator)") from None
    if name.endswith("_usdt"):
        return number
    if number != int(number):
        raise invalid(name, "must be a whole number")
    return int(number)


def _lower(agents: Any, brokers: Any) -> Any:
    return brokers if agents is None else min(agents, brokers)


def _is_lower(agents: Decimal | int | None, brokers: Decimal | int) -> bool:
    return agents is not None and agents < brokers


def _to_json(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    return plain(value) if isinstance(value, Decimal) else value


def _require_at_most(name: str, limit: Decimal | int | None, setting: str, ceiling: Decimal | int) -> None:
    if limit is None:
        return
    if limit <= 0:
        raise invalid(name, "must be above zero")
    if limit > ceiling:
        text = plain(ceiling) if isinstance(ceiling, Decimal) else ceiling
        raise invalid(name, f"is above the broker's limit of {text} ({setting})", le=str(text))
