"""Which requests somebody has been shown: by a page that was drawn for him, or by one that was open and
visible when they came in, as its script tells.
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
from .deps import Desk
from .posts import post
from .auth import for_traders

MOST: Final = 200

log = get_logger(__name__)


class Sightings:
    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[BaseRoute]:
        return [post("/seen", for_traders(self._desk, self.tell))]

    async def tell(self, request: Request, session: Session) -> Response:
        async with request.form(max_files=0, max_fields=MOST) as sent:
            noted = await note_seen(self._desk, [str(intent_id) for intent_id in sent.getlist("id")])
        return Response(status_code=204 if noted else 503)  # the script tells it again


async def note_seen(desk: Desk, intent_ids: Collection[str]) -> bool:
    """A page does not fail for it; False where it could not be noted."""
    now, sightings = desk.clock(), desk.store.sightings
    try:
        if await desk.store.read(lambda connection: sightings.unseen(connection, intent_ids)):
            await desk.store.database.write(lambda connection: sightings.mark(connection, intent_ids, now))
    except BrokerError as error:  # the store logs it, once
        log.debug("not noted that requests were seen", error=error.message)
        return False
    return True
