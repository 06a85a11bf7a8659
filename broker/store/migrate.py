"""Alembic, run at every start."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, inspect

from ..errors import StartError


def has_tables(connection: Connection) -> bool:
    return inspect(connection).has_table("audit")


def upgrade(connection: Connection) -> None:
    """Bring the database to this release's schema, whole or not at all. Raises StartError."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise StartError("The database was made by a newer release of the broker") from None
