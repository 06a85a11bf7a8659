"""The database as a command opens it: also beside a running broker, never while a copy takes its place.

Every command says on standard error which database it means and whether a broker serves it, since its
settings may be others than the broker's.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from .brokers import Serving, file_id, server_of, serving_brokers
from .clock import random_bytes, utc_now
from .errors import StartError
from .locks import hold, is_locked
from .settings import Settings, load

if TYPE_CHECKING:  # a command that only talks to a running broker starts without it
    from .store import Store

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", metavar="FOLDER", help="The broker's data folder, instead of DATA_DIR."),
]

STOPPING_SECONDS: Final = 1.0
"""A broker that stops closes its database before it lets go of it."""


def settings_in(data_dir: Path | None) -> Settings:
    """The environment's, with the data folder that a command names. Raises StartError."""
    return load({} if data_dir is None else {"data_dir": data_dir})


@contextmanager
def opened(
    settings: Settings, command: str, *, to_verify: bool = False, may_make: bool = False
) -> Iterator[Store]:
    """Raises StartError, also where there is no database, unless the command may make one."""
    from .files import prepare_folder
    from .store.opening import open_store

    database = settings.database
    if not database.exists():
        if not may_make:
            raise missing(settings, command)
        prepare_folder(database.parent)
    _require_whole(database)
    with (
        hold(database),
        closing(
            open_store(
                settings,
                utc_now,
                random_bytes,
                to_verify=to_verify,
                may_make=may_make,
                of_any_mode=True,
            )
        ) as store,
    ):
        tell(store.mode(), database)
        yield store
    if not is_served(database):
        show_others(settings, command)


def is_served(database: Path) -> bool:
    return _served_by(database) is not None


def _served_by(database: Path) -> str | None:
    """None also where a broker has the lock but lost this file, and has another one open."""
    server = server_of(database)
    if server is not None:
        return f"process {server.process}, page {server.url}"
    if is_locked(database) and not any(_same_path(one, database) for one in serving_brokers()):
        return "a broker that is starting, or that this user cannot look into"
    return None


def _same_path(one: Serving, database: Path) -> bool:
    return Path(one.database).resolve() == database.resolve()


def tell(mode: str, database: Path) -> None:
    """Which database is meant, and who serves it."""
    by = _served_by(database)
    served = "not served: no broker runs on it now" if by is None else f"served by {by}"
    say(f"{mode.upper()} mode, database {database.absolute()}, {served}")


def show_others(settings: Settings, command: str) -> None:
    """The brokers that run on other databases: one of them may be meant."""
    if others := serving_brokers():
        say(_listed(others, settings, command))


def missing(settings: Settings, command: str) -> StartError:
    """No database is there, and the command must not make one."""
    text = (
        f"There is no database {settings.database.absolute()}, and nothing was done. Start the broker first, "
        "or name the data folder of the one that you mean with --data-dir."
    )
    others = serving_brokers()
    none = "No broker runs on this machine for this user."
    return StartError(f"{text}\n{_listed(others, settings, command) if others else none}")


def _listed(others: Sequence[Serving], settings: Settings, command: str) -> str:
    """Each with the command that means it."""
    usual = None if settings.database_url else str(settings.mode)
    lines = ["Brokers that run on this machine for this user:"]
    for one in others:
        if file_id(Path(one.database)) == one.files[0]:
            lines += [f"  {one.line}", f"    {one.naming(command, usual)}"]
        else:
            lines.append(
                f"  {one.line}; it lost this database (deleted, moved or replaced) and sends nothing"
            )
    return "\n".join(lines)


def _require_whole(database: Path) -> None:
    """Nothing is written beside a broker that has lost its -wal or -shm: its stop would overwrite that.

    Raises StartError.
    """
    give_up = time.monotonic() + STOPPING_SECONDS
    while (server := server_of(database)) is not None:
        companions = [Path(f"{database.resolve()}{end}") for end in ("-wal", "-shm")]
        lost = [
            path for path, opened in zip(companions, server.files[1:], strict=True) if file_id(path) != opened
        ]
        if not lost:
            return
        if time.monotonic() > give_up:
            raise StartError(
                f"{lost[0]} was deleted, moved or replaced while process {server.process} had it open. That "
                "broker sends nothing any more. Stop it, start it again, and repeat this command"
            )
        time.sleep(0.1)


def say(text: str) -> None:
    """Beside what a command answers, which may be data."""
    print(text, file=sys.stderr, flush=True)
