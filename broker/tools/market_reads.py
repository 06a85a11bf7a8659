"""What each agent read of the market, and when: the broker's own record, not the agent's word."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from .declaration import Input, Look, Output, Risk, Tool

MOST: Final = 2_000
"""Agents with a symbol of a market that are remembered, the latest ones. A restart forgets them."""


class Looks:
    def __init__(self) -> None:
        self._last: OrderedDict[tuple[str, str, str], dict[str, datetime]] = OrderedDict()

    def note(self, agent: str, tool: Tool, asked: Input, answer: Output, at: datetime) -> None:
        """A call that was answered. Only market tools, which are LOW and answer about one symbol, count."""
        symbol = getattr(answer, "symbol", None)
        if tool.risk is not Risk.LOW or not isinstance(symbol, str):
            return
        place = (agent, getattr(asked, "market", tool.market), symbol)
        read = self._last.setdefault(place, {})
        read[tool.title] = at
        self._last.move_to_end(place)
        if len(self._last) > MOST:
            self._last.popitem(last=False)

    def of(self, agent: str, market: str, symbol: str) -> Sequence[Look]:
        """The latest first."""
        read = self._last.get((agent, market, symbol), {})
        looks = [Look(tool=tool, at=at) for tool, at in read.items()]
        return sorted(looks, key=lambda look: look.at, reverse=True)
