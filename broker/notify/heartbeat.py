"""A ping a minute to a monitor outside, which rings when the broker itself is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from ..logs import get_logger
from .sender import NoReply, Sender

EVERY_SECONDS: Final = 60.0

log = get_logger(__name__)


async def beat(sender: Sender, url: str, well: Callable[[], bool], *, every: float = EVERY_SECONDS) -> None:
    """While all is well, until cancelled."""
    while True:
        if well():
            try:
                reply = await sender.get(url)
                if reply.status >= 300:
                    log.warning("heartbeat: not taken", status=reply.status)
            except NoReply as why:
                log.warning("heartbeat: not taken", problem=str(why))
        await asyncio.sleep(every)
