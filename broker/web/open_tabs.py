"""Open tabs: which page each one shows, and its queue of prices."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from ..events import Event, EventKind
from ..hub import Subscription

Place = tuple[str, str]
"""Market and symbol."""

PRICES: Final = Event(
    seq=0, at=datetime.min.replace(tzinfo=UTC), kind=EventKind.OTHER, actor="", intent_id=None, data={}
)
"""Pushed to a tab when prices wait for it. Not a row of the audit log."""


@dataclass(eq=False)
class Tab:
    """One open tab. `subject`: INBOX, the id of a request, or empty for other pages."""

    subscription: Subscription
    subject: str
    superseded: bool = False
    _prices: dict[Place, bytes] = field(default_factory=dict)

    def close(self) -> None:
        """End its stream, because newer tabs of the session take its place."""
        self.superseded = True
        self.subscription.push(None)

    def push_price(self, place: Place, message: bytes) -> None:
        """Queue a price. It replaces an unsent one of the same symbol."""
        notified = bool(self._prices)
        self._prices[place] = message
        if not notified:
            self.subscription.push(PRICES)

    def take_prices(self) -> bytes:
        """Removes and returns the queued prices."""
        prices, self._prices = self._prices, {}
        return b"".join(prices.values())
