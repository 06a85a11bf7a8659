"""Alembic, run at every start."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, inspect


def has_tables(connection: Connection) -> bool:
    return inspect(connection).has_table("audit")


def upgrade(connection: Connection) -> None:
    """Bring the database to this release's schema, whole or not at all."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
