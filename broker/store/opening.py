"""Open the database of the settings."""

from __future__ import annotations

from pathlib import Path

from ..clock import Clock, Randomness
from ..errors import StartError
from ..files import AuditFiles, prepare_folder, secure_folder
from ..settings import Settings
from . import Store


def open_store(
    settings: Settings,
    clock: Clock,
    random: Randomness,
    *,
    may_make: bool,
    path: Path | None = None,
    to_verify: bool = False,
    of_any_mode: bool = False,
) -> Store:
    """Open the database of these settings, or a copy of it at `path`. See `Store.open` for the flags.

    Commands use `of_any_mode`: they may run without the broker's Binance keys. Raises StartError, also if
    there is no database and `may_make` is false; then nothing is created.
    """
    if not may_make and not settings.database.exists():
        raise StartError(f"There is no database {settings.database.absolute()}")
    prepare_folder(settings.folder)
    secure_folder(settings)
    return Store.open(
        path or settings.database,
        mode=settings.mode,
        account=settings.account,
        clock=clock,
        random=random,
        files=AuditFiles.of(settings.database, settings.folder),
        to_verify=to_verify,
        may_make=may_make,
        of_any_mode=of_any_mode,
    )
