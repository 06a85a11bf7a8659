"""A guarded call to Binance: weight budget, deadline, wire facts, the broker's errors, Binance's health.

All calls go through here, except the executor's POST.
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
from .weight import Weight, asker, weight_ceiling_pct
from .wire import recording

log = get_logger(__name__)

T = TypeVar("T")

OUR_ACCOUNT: Final = frozenset({TIME_IS_WRONG, -1022, -2008, -2014, -2015})
"""Codes caused by keys, permissions or clock, not by the caller. Shown to the operator."""


class Calls:
    """`reachable`: the last call was answered. `last_error`: its error, without secrets; None if none.

    `distrust` is called when Binance rejects our timestamp.
    """

    def __init__(
        self,
        market: Market,
        weight: Weight,
        timeout_seconds: float,
        *,
        distrust: Callable[[], None],
    ) -> None:
        self._market = market
        self._weight = weight
        self._timeout = timeout_seconds
        self._distrust = distrust
        self._in_flight: dict[Hashable, asyncio.Task[Any]] = {}
        self.reachable = False
        self.last_error: str | None = None

    async def make(self, call: Callable[[], Awaitable[T]], *, timeout_seconds: float | None = None) -> T:
        """Raises only BrokerError."""
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

    async def share(self, asked: Hashable, call: Callable[[], Awaitable[T]]) -> T:
        """Like `make`, but simultaneous equal calls share one request and its answer.

        Calls with another weight ceiling or of another agent are not shared: one of them may be refused, or
        have to wait.
        """
        key = (weight_ceiling_pct(), asker(), asked)
        task = self._in_flight.get(key)
        if task is None:
            task = self._in_flight[key] = asyncio.create_task(self.make(call))
            task.add_done_callback(lambda done: self._call_done(key, done))
        answer: T = await asyncio.shield(task)
        return answer

    def _call_done(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        del self._in_flight[key]
        if not task.cancelled():
            task.exception()  # all callers may be cancelled: avoid asyncio's warning

    def note_code(self, code: object) -> None:
        """Note an answer's code, also of the executor's POST: -1021 makes the next call ask for the time."""
        if code == TIME_IS_WRONG:
            self._distrust()

    def _note(self, failure: BrokerError) -> None:
        if isinstance(failure, OverQuota):
            return
        self.note_code(failure.details.get("binanceCode"))
        self.reachable = failure.code not in UNREACHABLE
        shown = failure.code in UNREACHABLE | {Code.RATE_LIMITED}
        if failure.code is not Code.FUTURES_NOT_PERMITTED:  # normal for a key for spot only
            shown = shown or failure.details.get("binanceCode") in OUR_ACCOUNT
        self.last_error = failure.message if shown else None
