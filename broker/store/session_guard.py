"""Whether somebody may still decide, asked in the transaction that records what he decided."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from .database import Transaction

T = TypeVar("T")

Standing = Callable[[Connection], None]
"""Comes first in a transaction. Raises NotSignedIn; then nothing of it is recorded."""


class NotSignedIn(Exception):
    """The session ended, or its trader was removed, while what he asked for was on its way."""


def trusted(connection: Connection) -> None:
    """Of a caller within the broker, who answers himself for the trader that he names. Pages never do."""


def standing_first(standing: Standing, transaction: Transaction[T]) -> Transaction[T]:
    """That transaction, for one who still may."""

    def both(connection: Connection) -> T:
        standing(connection)
        return transaction(connection)

    return both
