"""One guarded call to Binance: budget, deadline, wire facts, the broker's errors, and what it tells of
Binance's health. All but the executor's POST goes through here."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Final, TypeVar

from ..errors import BrokerError, Code
from ..logs import get_logger
from .fair_share import OverPart
from .models import Market
from .read_errors import TIME_IS_WRONG, UNREACHABLE, explain
from .weight import Weight, asker, share
from .wire import recording

log = get_logger(__name__)

T = TypeVar("T")

OUR_ACCOUNT: Final = frozenset({TIME_IS_WRONG, -1022, -2008, -2014, -2015})
"""Refusals that are the set-up's fault, not the caller's: worth telling the operator."""


class Calls:
    """`reachable` is whether the last call was answered; `last_error` a text without secrets. `distrust` is
    told when Binance finds our time wrong.
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
        self._flying: dict[Hashable, asyncio.Task[Any]] = {}
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

    async def share(self, asked: Hashable, call: Callable[[], Awaitable[T]]) -> T:
        """Like `make`; whoever asks the same while it is under way gets the same answer, unless he may use
        more of the weight than who asked first, or is another agent: that one may be turned away, or have to
        wait.
        """
        key = (share(), asker(), asked)
        task = self._flying.get(key)
        if task is None:
            task = self._flying[key] = asyncio.create_task(self.make(call))
            task.add_done_callback(lambda done: self._landed(key, done))
        answer: T = await asyncio.shield(task)
        return answer

    def _landed(self, key: Hashable, task: asyncio.Task[Any]) -> None:
        del self._flying[key]
        if not task.cancelled():
            task.exception()  # nobody may be left to hear of it

    def note_code(self, code: object) -> None:
        """What Binance answered, also to the executor's POST: the next call asks for its time again."""
        if code == TIME_IS_WRONG:
            self._distrust()

    def _note(self, failure: BrokerError) -> None:
        if isinstance(failure, OverPart):
            return
        self.note_code(failure.details.get("binanceCode"))
        self.reachable = failure.code not in UNREACHABLE
        told = failure.code in UNREACHABLE | {Code.RATE_LIMITED}
        if failure.code is not Code.FUTURES_NOT_PERMITTED:  # a spot key is no alarm
            told = told or failure.details.get("binanceCode") in OUR_ACCOUNT
        self.last_error = failure.message if told else None
