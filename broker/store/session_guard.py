"""Checks that a session is still valid, in the transaction that records the trader's decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Connection

from .database import Transaction

T = TypeVar("T")

Standing = Callable[[Connection], None]
"""Called first in a transaction. Raises NotSignedIn, which rolls the transaction back."""


class NotSignedIn(Exception):
    """The session ended, or its trader was removed, before the transaction ran."""


def standing_first(standing: Standing, transaction: Transaction[T]) -> Transaction[T]:
    """The transaction, with the session check before it."""

    def guarded(connection: Connection) -> T:
        standing(connection)
        return transaction(connection)

    return guarded
