"""Work that several callers want at once, done once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Shared(Generic[K, V]):
    """Keeps the last few results. A caller that is cancelled takes the work from nobody else."""

    def __init__(self, *, keep: int) -> None:
        self._keep = keep
        self._results: OrderedDict[K, asyncio.Task[V]] = OrderedDict()

    async def get(self, key: K, make: Callable[[], Coroutine[Any, Any, V]]) -> V:
        if key not in self._results:
            self._results[key] = asyncio.create_task(make())
            if len(self._results) > self._keep:
                self._results.popitem(last=False)
        return await asyncio.shield(self._results[key])
