"""Records which market data each agent read, and when, so that the card need not rely on the agent."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from ..cards import Figure, Tone
from .declaration import Input, Look, Output, Risk, Tool

MAX_ENTRIES: Final = 2_000
"""How many (agent, market, symbol) entries are kept, latest first. A restart clears them."""


class Looks:
    """The market data that agents read, in memory."""

    def __init__(self) -> None:
        self._last: OrderedDict[tuple[str, str, str], dict[str, datetime]] = OrderedDict()

    def note(self, agent: str, tool: Tool, asked: Input, answer: Output, at: datetime) -> None:
        """Record a successful call. Only market tools count: LOW risk, with one symbol in the answer."""
        symbol = getattr(answer, "symbol", None)
        if tool.risk is not Risk.LOW or not isinstance(symbol, str):
            return
        key = (agent, getattr(asked, "market", tool.market), symbol)
        read = self._last.setdefault(key, {})
        read[tool.title] = at
        self._last.move_to_end(key)
        if len(self._last) > MAX_ENTRIES:
            self._last.popitem(last=False)

    def of(self, agent: str, market: str, symbol: str) -> Sequence[Look]:
        """What the agent read of the symbol, latest first."""
        read = self._last.get((agent, market, symbol), {})
        looks = [Look(tool=tool, at=at) for tool, at in read.items()]
        return sorted(looks, key=lambda look: look.at, reverse=True)


def agent_checked(looks: Sequence[Look], now: datetime) -> Figure:
    """The figure on the card that says what the agent read before its request."""
    if not looks:
        return Figure(label="Agent checked", value="nothing", tone=Tone.WARN)
    reads = ", ".join(f"{look.tool} {_ago(look.at, now)} ago" for look in looks)
    return Figure(label="Agent checked", value=reads)


def _ago(at: datetime, now: datetime) -> str:
    seconds = max(0, int((now - at).total_seconds()))
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
