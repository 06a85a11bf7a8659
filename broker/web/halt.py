"""The red button: a trader halts trading, or lets it go on."""

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
from .deps import Desk
from .posts import post
from .auth import for_traders, wants_fragment
from .wording import as_quoted

MAX_REASON: Final = 200
NUMBER: Final = re.compile(r"[0-9]{1,18}")
NONE_SHOWN: Final = -1
"""No halt has that number."""


class Trading:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[BaseRoute]:
        endpoint = for_traders(self._desk, self.put)
        return [post("/trading", endpoint)]

    async def put(self, request: Request, session: Session) -> Response:
        async with request.form(max_files=0, max_fields=10) as sent:
            level, reason = _level(sent.get("level")), _reason(str(sent.get("reason", "")))
            shown = _shown(sent.get("shown"))
        store, problem = self._desk.store, None
        try:
            halt = await store.halts.set(
                level, session.trader, reason, shown=shown, standing=store.people.standing(session)
            )
        except Stale as stale:
            halt = stale.halt
            problem = f"Not changed: your page showed an older state. Look again. {halt.sentence}"
        if wants_fragment(request):
            return html("trading.html", halt=halt, problem=problem)
        if problem is not None:
            return html("message.html", 409, title="Look again", message=problem)
        return RedirectResponse("/", 303)


def _level(text: object) -> Level:
    """Raises INVALID_ARGUMENTS."""
    if text not in list(Level):
        raise invalid("level", "must be one of those offered", allowed=[str(level) for level in Level])
    return Level(str(text))


def _shown(text: object) -> int:
    """The number of the halt that the page showed. Without one a form still tightens, and loosens nothing."""
    return int(text) if isinstance(text, str) and NUMBER.fullmatch(text) else NONE_SHOWN


def _reason(typed: str) -> str | None:
    """Raises INVALID_ARGUMENTS."""
    words = as_quoted(typed)
    if len(words) > MAX_REASON:
        raise invalid("reason", f"must have at most {MAX_REASON} characters, not {len(words)}")
    return words or None
