"""Records which requests a trader has seen.

A request is seen when a page with it is loaded, or when the script of an open, visible page reports it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from ..errors import BrokerError
from ..logs import get_logger
from ..store import Session
from .auth import for_traders
from .deps import Desk
from .posts import post

MOST: Final = 200

log = get_logger(__name__)


class SeenReports:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[BaseRoute]:
        return [post("/seen", for_traders(self._desk, self.report))]

    async def report(self, request: Request, session: Session) -> Response:
        async with request.form(max_files=0, max_fields=MOST) as sent:
            recorded = await note_seen(self._desk, [str(intent_id) for intent_id in sent.getlist("id")])
        return Response(status_code=204 if recorded else 503)  # after 503 the script tries again


async def note_seen(desk: Desk, intent_ids: Collection[str]) -> bool:
    """Mark the requests as seen. False if that could not be recorded; never raises BrokerError."""
    now, sightings = desk.clock(), desk.store.sightings
    try:
        if await desk.store.read(lambda connection: sightings.unseen(connection, intent_ids)):
            await desk.store.database.write(lambda connection: sightings.mark(connection, intent_ids, now))
    except BrokerError as error:  # the store logs it, once
        log.debug("could not record that requests were seen", error=error.message)
        return False
    return True
