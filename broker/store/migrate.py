"""Schema migrations: checked at each start, run by Alembic if the schema is older."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, inspect

from ..errors import StartError

MIGRATIONS: Final = Path(__file__).parent / "migrations"
NEWEST: Final = "0007"
"""The newest migration."""


def has_tables(connection: Connection) -> bool:
    return inspect(connection).has_table("audit")


def upgrade(connection: Connection) -> None:
    """Migrate to this release's schema, in one transaction. Raises StartError for a newer schema."""
    if _version(connection) == NEWEST:
        return
    # Imported only when needed: importing takes half a second.
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise StartError("The database was made by a newer release of the broker") from None


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
