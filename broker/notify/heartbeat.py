"""Pings an external monitor once a minute. The monitor alerts when the pings stop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from ..logs import get_logger
from .sender import NoReply, Sender

EVERY_SECONDS: Final = 60.0

log = get_logger(__name__)


async def beat(sender: Sender, url: str, well: Callable[[], bool], *, every: float = EVERY_SECONDS) -> None:
    """Ping `url` while `well()` is true, until cancelled. `every` is in seconds."""
    while True:
        if well():
            try:
                reply = await sender.get(url)
                if reply.status >= 300:
                    log.warning("heartbeat: ping refused", status=reply.status)
            except NoReply as error:
                log.warning("heartbeat: ping failed", problem=str(error))
        await asyncio.sleep(every)
