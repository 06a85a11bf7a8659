"""Restarts the endless tasks of the process after an error, which it logs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from time import monotonic
from typing import Any, Final

from .logs import get_logger

AGAIN_SECONDS: Final = 1.0
WELL_AFTER_SECONDS: Final = 5.0
"""A restarted part counts as healthy after this time without another error."""

log = get_logger(__name__)


class Parts:
    """Only for parts that can be restarted at any time, because their state is in the database."""

    def __init__(self, elapsed: Callable[[], float] = monotonic) -> None:
        """`elapsed` returns monotonic seconds."""
        self._elapsed = elapsed
        self._failed_at: dict[str, float] = {}

    async def keep(self, name: str, part: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Runs the part until it returns or is cancelled. Restarts it after an error."""
        while True:
            try:
                await part()
                return
            except Exception:
                log.exception("a part of the broker failed and will be restarted", part=name)
                self._failed_at[name] = self._elapsed()
            await asyncio.sleep(AGAIN_SECONDS)

    @property
    def well(self) -> bool:
        """Whether no part failed recently."""
        return all(self._elapsed() - at > WELL_AFTER_SECONDS for at in self._failed_at.values())
