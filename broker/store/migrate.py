"""Alembic, run at every start."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, inspect


def has_tables(connection: Connection) -> bool:
    return inspect(connection).has_table("audit")


def upgrade(path: Path) -> None:
    """Bring the database to this release's schema, in one transaction per step."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()
