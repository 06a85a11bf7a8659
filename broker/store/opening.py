"""The database that the settings name."""

from __future__ import annotations

from pathlib import Path

from ..clock import Clock, Randomness
from ..files import AuditFiles, prepare_folder
from ..settings import Settings
from . import Store


def open_store(
    settings: Settings,
    clock: Clock,
    random: Randomness,
    *,
    path: Path | None = None,
    to_verify: bool = False,
) -> Store:
    """The database of these settings, or a copy of it that lies at `path`. Raises StartError."""
    prepare_folder(settings.folder)
    return Store.open(
        path or settings.database,
        mode=settings.mode,
        account=settings.account,
        clock=clock,
        random=random,
        files=AuditFiles.of(settings.database, settings.folder),
        to_verify=to_verify,
    )
