"""Describes the orders that an agent cancelled, or may have cancelled, without an approval."""

from __future__ import annotations

from typing import Final

from ..events import FACTS, Event, Topic, kinds

CANCELS: Final = kinds(lambda facts: facts.topic is Topic.CANCELS)
PROTECTIVE: Final = "protective"


def protective(event: Event) -> bool:
    """Whether a protective order may be gone: a stop, a take-profit, a reduce-only order."""
    return event.kind in CANCELS and event.data.get(PROTECTIVE) is True


def sentence(event: Event) -> str:
    """One sentence, such as "agent bot cancelled 2 orders on BTCUSDT spot"."""
    place = f"{event.data.get('symbol', '?')} {event.data.get('market', '')}".rstrip()
    return event.fill(FACTS[event.kind].notice, orders=f"{_orders(event)} on {place}")


def _orders(event: Event) -> str:
    count, unread = len(event.data.get("orders", ())), event.data.get("unread") is True
    if not protective(event):
        return "1 order" if count == 1 else f"{count} orders"
    if count == 1:
        return "1 order, perhaps a protective one," if unread else "a protective order"
    return f"{count or 'all'} orders, {'perhaps ' if unread else ''}including protective ones,"
