"""The database that the settings name."""

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
    """The database of these settings, or a copy of it that lies at `path`.

    Raises StartError, also where there is none and none may be made; then nothing is made at all.

    A command opens it `of_any_mode`: it need not have the keys of the broker that serves it.
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
