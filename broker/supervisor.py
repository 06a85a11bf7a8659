"""The endless parts of one process: whatever one raises, it is told, and the part begins again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any, Final

from .logs import get_logger

AGAIN_SECONDS: Final = 1.0
WELL_AFTER_SECONDS: Final = 5.0
"""What broke off and was begun again is well once it has not broken off for so long."""

log = get_logger(__name__)


class Parts:
    """Only for parts that may be begun again at any time: what they have done is in the database."""

    def __init__(self, elapsed: Callable[[], float] = monotonic) -> None:
        """`elapsed` are seconds that go on evenly, whatever the clock is set to."""
        self._elapsed = elapsed
        self._broke_off: dict[str, float] = {}

    async def keep(self, name: str, part: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Until it ends by itself, or is cancelled."""
        while True:
            try:
                await part()
                return
            except Exception:
                log.exception("a part of the broker broke off, and is begun again", part=name)
                self._broke_off[name] = self._elapsed()
            await asyncio.sleep(AGAIN_SECONDS)

    @property
    def well(self) -> bool:
        """Whether none of them broke off lately."""
        return all(self._elapsed() - at > WELL_AFTER_SECONDS for at in self._broke_off.values())
