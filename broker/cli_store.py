"""The database as a command opens it: also beside a running broker, never while a copy takes its place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from .clock import random_bytes, utc_now
from .errors import StartError
from .settings import Settings

if TYPE_CHECKING:  # a command that only talks to a running broker starts without it
    from .store import Store


@contextmanager
def opened(settings: Settings, *, to_verify: bool = False) -> Iterator[Store]:
    """Raises StartError."""
    from .files import hold, prepare_folder
    from .store.opening import open_store

    if to_verify and not settings.database.exists():
        raise StartError(f"There is no database {settings.database}")
    prepare_folder(settings.database.parent)
    with (
        hold(settings.database),
        closing(open_store(settings, utc_now, random_bytes, to_verify=to_verify)) as store,
    ):
        yield store
