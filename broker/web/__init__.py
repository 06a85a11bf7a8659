"""The web interface for traders: pages, event stream, sign-in."""

from __future__ import annotations

from starlette.routing import BaseRoute, Mount

from .agents import AgentPages
from .assets import Static, folder
from .cancel_remaining import CancelRemaining
from .channels import ChannelPages
from .cross_origin import guarded
from .decisions import Decisions
from .deps import Desk, Prices
from .halt import HaltForm
from .live import Live
from .messages import Messages
from .notification_links import NotificationLinks
from .pages import Pages
from .passwords import Passwords
from .seen import SeenReports
from .sessions import Sessions
from .settle_unknown import SettleUnknown
from .signin import SignIn
from .stream import Stream
from .view_builder import Drawing


def routes(desk: Desk) -> list[BaseRoute]:
    """Routes of all pages, the event stream and the static files."""
    live = Live(desk)
    drawing = Drawing(desk, live)
    pages = Pages(desk, drawing)
    passwords = Passwords(desk)
    return [
        *pages.routes(),
        *Decisions(desk, pages).routes(),
        *CancelRemaining(desk, pages).routes(),
        *SettleUnknown(desk, pages).routes(),
        *HaltForm(desk).routes(),
        *AgentPages(desk, drawing).routes(),
        *Sessions(desk, drawing, passwords).routes(),
        *SeenReports(desk).routes(),
        *ChannelPages(desk, drawing).routes(),
        *NotificationLinks(desk).routes(),
        *SignIn(desk, passwords).routes(),
        *Stream(desk, Messages(desk, drawing), live).routes(),
        Mount("/static", Static(directory=folder("static"))),
    ]


__all__ = ["Desk", "Prices", "guarded", "routes"]
