"""A small cache of async results, so that concurrent callers share one computation."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Shared(Generic[K, V]):
    """Keeps the last `keep` results. Cancelling one caller does not cancel the work for the others."""

    def __init__(self, *, keep: int) -> None:
        self._keep = keep
        self._results: OrderedDict[K, asyncio.Task[V]] = OrderedDict()

    async def get(self, key: K, make: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """The cached or running result for the key, else that of `make`. Raises as `make` does."""
        if key not in self._results:
            self._results[key] = asyncio.create_task(make())
            if len(self._results) > self._keep:
                self._results.popitem(last=False)
        return await asyncio.shield(self._results[key])
