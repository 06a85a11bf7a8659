"""What an agent cancelled without asking, or may have, in a trader's words."""

from __future__ import annotations

from typing import Final

from ..hub import Event

CANCELLED: Final = "orders:cancelled"
FAILED: Final = "orders:cancel-failed"
UNCLEAR: Final = "orders:cancel-unclear"
"""They may be gone."""

CANCELS: Final = (CANCELLED, UNCLEAR)
PROTECTIVE: Final = "protective"


def protective(event: Event) -> bool:
    """Whether it may have taken a protection away: a stop, a take-profit, a reduce-only order."""
    return event.kind in CANCELS and event.data.get(PROTECTIVE) is True


def sentence(event: Event) -> str:
    place = f"{event.data.get('symbol', '?')} {event.data.get('market', '')}".rstrip()
    where = f"{_orders(event)} on {place}"
    if event.kind == UNCLEAR:
        return f"{event.who} may have cancelled {where}: Binance gave no clear answer"
    return f"{event.who} cancelled {where}"


def _orders(event: Event) -> str:
    count, unread = len(event.data.get("orders", ())), event.data.get("unread") is True
    if not protective(event):
        return "1 order" if count == 1 else f"{count} orders"
    if count == 1:
        return "1 order, perhaps a protective one," if unread else "a protective order"
    return f"{count or 'all'} orders, {'perhaps ' if unread else ''}protective ones among them,"
