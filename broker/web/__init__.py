"""What traders touch: pages, stream, sign-in."""

from __future__ import annotations

from starlette.routing import BaseRoute, Mount

from .assets import Static, folder
from .decisions import Decisions
from .desk import Desk
from .drawing import Drawing
from .guard import guarded
from .messages import Messages
from .pages import Pages
from .sessions import Sessions
from .signin import SignIn
from .stream import Stream


def routes(desk: Desk) -> list[BaseRoute]:
    """All pages, the stream and the static files."""
    drawing = Drawing(desk)
    pages = Pages(desk, drawing)
    return [
        *pages.routes(),
        *Decisions(desk, pages).routes(),
        *Sessions(desk, drawing).routes(),
        *SignIn(desk).routes(),
        *Stream(desk, Messages(desk, drawing)).routes(),
        Mount("/static", Static(directory=folder("static"))),
    ]


__all__ = ["Desk", "guarded", "routes"]
