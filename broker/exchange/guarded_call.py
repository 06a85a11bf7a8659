"""Guarded calls to Binance: request weight, deadline, wire facts and errors; tracks Binance's health.

Every call except the executor's POST and DELETE goes through here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final, TypeVar

from ..errors import BrokerError, Code
from ..logs import get_logger
from .fair_share import OverQuota
from .models import Market
from .read_errors import TIME_IS_WRONG, UNREACHABLE, explain
from .weight import Weight, asker, ceiling_pct
from .wire import recording

log = get_logger(__name__)

T = TypeVar("T")

SETUP_ERRORS: Final = frozenset({TIME_IS_WRONG, -1022, -2008, -2014, -2015})
"""Refusals caused by the operator's set-up, not by the caller. They are reported in `last_error`."""


class Calls:
    """`reachable`: Binance answered the last call. `last_error`: text without secrets, or None.

    `on_time_rejected` is called when Binance rejects a timestamp (-1021).
    """

    def __init__(
        self,
        market: Market,
        weight: Weight,
        timeout_seconds: float,
        *,
        on_time_rejected: Callable[[], None] = lambda: None,
    ) -> None:
        self._market = market
        self._weight = weight
        self._timeout = timeout_seconds
        self._on_time_rejected = on_time_rejected
        self._in_flight: dict[Hashable, asyncio.Task[Any]] = {}
        self.reachable = False
        self.last_error: str | None = None

    async def make(self, call: Callable[[], Awaitable[T]], *, timeout_seconds: float | None = None) -> T:
        """Raises BrokerError and nothing else."""
        self._weight.check()
        with recording() as facts:
            try:
                async with asyncio.timeout(timeout_seconds or self._timeout):
                    answer = await call()
            except Exception as error:
                failure = explain(error, facts, self._market)
                if failure.code is Code.INTERNAL:
                    log.exception("a call to Binance could not be made")
                self._note(failure)
                raise failure from None
        self.reachable, self.last_error = True, None
        return answer

    async def make_shared(self, what: Hashable, call: Callable[[], Awaitable[T]]) -> T:
        """Like `make`. Concurrent calls with the same `what` get one answer.

        Calls with another weight ceiling or of another agent are not shared: one may be rejected or have to
        wait where the other may not.
        """
        key = (ceiling_pct(), asker(), what)
        task = self._in_flight.get(key)
        if task is None:
            task = self._in_flight[key] = asyncio.create_task(self.make(call))
            task.add_done_callback(lambda done: self._finished(key, done))
        answer: T = await asyncio.shield(task)
        return answer

    def _finished(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        del self._in_flight[key]
        if not task.cancelled():
            task.exception()  # mark as retrieved: every caller may have been cancelled

    def note_code(self, code: object) -> None:
        """Take in an error code, also of the executor's POST: after -1021 the server time is read again."""
        if code == TIME_IS_WRONG:
            self._on_time_rejected()

    def _note(self, failure: BrokerError) -> None:
        if isinstance(failure, OverQuota):
            return
        self.note_code(failure.details.get("binanceCode"))
        self.reachable = failure.code not in UNREACHABLE
        report = failure.code in UNREACHABLE | {Code.RATE_LIMITED}
        if failure.code is not Code.FUTURES_NOT_PERMITTED:  # a key for spot only is not a fault
            report = report or failure.details.get("binanceCode") in SETUP_ERRORS
        self.last_error = failure.message if report else None
