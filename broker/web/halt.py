"""A trader halts or resumes trading."""

from __future__ import annotations

import re
from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute

from ..errors import invalid
from ..halt import Level, Stale
from ..store import Session
from .assets import html
from .auth import for_traders, wants_fragment
from .deps import Desk
from .posts import post
from .wording import as_quoted

MAX_REASON: Final = 200
NUMBER: Final = re.compile(r"[0-9]{1,18}")
NO_HALT: Final = -1
"""Not the number of any halt."""


class HaltForm:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[BaseRoute]:
        endpoint = for_traders(self._desk, self.put)
        return [post("/trading", endpoint)]

    async def put(self, request: Request, session: Session) -> Response:
        async with request.form(max_files=0, max_fields=10) as sent:
            level, reason = _level(sent.get("level")), _reason(str(sent.get("reason", "")))
            seen_seq = _seen_seq(sent.get("shown"))
        store, problem = self._desk.store, None
        try:
            halt = await store.halts.set(
                level, session.trader, reason, shown=seen_seq, standing=store.people.standing(session)
            )
        except Stale as stale:
            halt = stale.halt
            problem = f"Not changed: your page showed an older state. {halt.sentence} Check, then try again."
        if wants_fragment(request):
            return html("trading.html", halt=halt, problem=problem)
        if problem is not None:
            return html("message.html", 409, title="Not changed", message=problem)
        return RedirectResponse("/", 303)


def _level(text: object) -> Level:
    """Raises INVALID_ARGUMENTS."""
    if text not in list(Level):
        raise invalid("level", "must be one of the options", allowed=[str(level) for level in Level])
    return Level(str(text))


def _seen_seq(text: object) -> int:
    """The number of the halt that the page showed. Without a valid one a form can only tighten the level."""
    return int(text) if isinstance(text, str) and NUMBER.fullmatch(text) else NO_HALT


def _reason(typed: str) -> str | None:
    """Raises INVALID_ARGUMENTS."""
    reason = as_quoted(typed)
    if len(reason) > MAX_REASON:
        raise invalid("reason", f"must have at most {MAX_REASON} characters, not {len(reason)}")
    return reason or None
