"""Rows of which one that cannot be read keeps no other from being read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, TypeVar

from ..logs import get_logger

T = TypeVar("T")

log = get_logger(__name__)


def readable(rows: Iterable[Any], read: Callable[[Any], T], complaint: str) -> list[T]:
    """What `read` makes of each row, without those that it cannot read. The log tells of them, with
    `complaint`.
    """
    found = []
    for row in rows:
        try:
            found.append(read(row))
        except Exception as error:
            complain(complaint, row.id, type(error).__name__)
    return found


@lru_cache(maxsize=1000)
def complain(complaint: str, row_id: str, problem: str) -> None:
    """Once: some rows are read twice a second."""
    log.error(complaint, id=row_id, problem=problem)
