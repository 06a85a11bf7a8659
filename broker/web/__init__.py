"""What traders touch: pages, stream, sign-in."""

from __future__ import annotations

from starlette.routing import BaseRoute, Mount

from .agents import AgentPages
from .assets import Static, folder
from .cancel_remaining import Cancels
from .channels import ChannelPages
from .decisions import Decisions
from .deps import Desk, Prices
from .view_builder import Drawing
from .cross_origin import guarded
from .live import Live
from .messages import Messages
from .pages import Pages
from .passwords import Passwords
from .sessions import Sessions
from .seen import Sightings
from .signin import SignIn
from .stream import Stream
from .notification_links import Told
from .halt import Trading
from .settle_unknown import Unknowns


def routes(desk: Desk) -> list[BaseRoute]:
    """All pages, the stream and the static files."""
    live = Live(desk)
    drawing = Drawing(desk, live)
    pages = Pages(desk, drawing)
    passwords = Passwords(desk)
    return [
        *pages.routes(),
        *Decisions(desk, pages).routes(),
        *Cancels(desk, pages).routes(),
        *Unknowns(desk, pages).routes(),
        *Trading(desk).routes(),
        *AgentPages(desk, drawing).routes(),
        *Sessions(desk, drawing, passwords).routes(),
        *Sightings(desk).routes(),
        *ChannelPages(desk, drawing).routes(),
        *Told(desk).routes(),
        *SignIn(desk, passwords).routes(),
        *Stream(desk, Messages(desk, drawing), live).routes(),
        Mount("/static", Static(directory=folder("static"))),
    ]


__all__ = ["Desk", "Prices", "guarded", "routes"]
