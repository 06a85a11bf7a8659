"""Open tabs: what each of them follows, and how a price reaches it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from ..hub import Event, Subscription

Place = tuple[str, str]
"""Market and symbol."""

PRICES: Final = Event(
    seq=0, at=datetime.min.replace(tzinfo=UTC), kind="prices", actor="", intent_id=None, data={}
)
"""Wakes a follower for prices; no row of the audit log."""


@dataclass(eq=False)
class Follower:
    """One open tab. `subject` is the inbox, the id of a request, or nothing in particular."""

    subscription: Subscription
    subject: str
    superseded: bool = False
    _prices: dict[Place, bytes] = field(default_factory=dict)

    def give_way(self) -> None:
        self.superseded = True
        self.subscription.push(None)

    def tell(self, key: Place, message: bytes) -> None:
        """A price; one that was not read yet gives way to it."""
        waits_already = bool(self._prices)
        self._prices[key] = message
        if not waits_already:
            self.subscription.push(PRICES)

    def take(self) -> bytes:
        """The prices told since the last time."""
        told, self._prices = self._prices, {}
        return b"".join(told.values())
