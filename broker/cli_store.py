"""Opens the database for commands. Works while a broker runs, but not while a restore replaces the database.

Each command prints on standard error which database it uses and whether a broker serves it: the command's
settings may differ from the broker's.
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

if TYPE_CHECKING:  # imported at run time only by commands that open the database
    from .store import Store

DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", metavar="FOLDER", help="The broker's data folder, instead of DATA_DIR."),
]

STOPPING_SECONDS: Final = 1.0
"""How long a command waits for a broker that is stopping."""


def settings_in(data_dir: Path | None) -> Settings:
    """The settings, with `data_dir` instead of DATA_DIR if it is given. Raises StartError."""
    return load({} if data_dir is None else {"data_dir": data_dir})


@contextmanager
def opened(
    settings: Settings, command: str, *, to_verify: bool = False, may_make: bool = False
) -> Iterator[Store]:
    """Opens the database that the settings name. `command` is repeated in hints to the operator.

    Raises StartError, also if there is no database, unless `may_make`.
    """
    from .files import prepare_folder
    from .store.opening import open_store

    database = settings.database
    if not database.exists():
        if not may_make:
            raise missing(settings, command)
        prepare_folder(database.parent)
    _require_files(database)
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
    """Who serves the database, for the operator; None if no broker does.

    A broker that holds the lock but lost this file does not count.
    """
    server = server_of(database)
    if server is not None:
        return f"process {server.process}, page {server.url}"
    if is_locked(database) and not any(_same_path(one, database) for one in serving_brokers()):
        return "a broker that is starting, or that belongs to another user"
    return None


def _same_path(one: Serving, database: Path) -> bool:
    return Path(one.database).resolve() == database.resolve()


def tell(mode: str, database: Path) -> None:
    """Prints which database the command uses, and which broker serves it."""
    by = _served_by(database)
    served = "not served by any broker" if by is None else f"served by {by}"
    say(f"{mode.upper()} mode, database {database.absolute()}, {served}")


def show_others(settings: Settings, command: str) -> None:
    """Prints the brokers that serve other databases: the operator may mean one of them."""
    if others := serving_brokers():
        say(_list_of(others, settings, command))


def missing(settings: Settings, command: str) -> StartError:
    """The error for a command that needs a database but must not make one."""
    text = (
        f"There is no database {settings.database.absolute()}. Nothing was done. Start the broker first, or "
        "name the broker's data folder with --data-dir."
    )
    others = serving_brokers()
    none = "No broker runs on this machine for this user."
    return StartError(f"{text}\n{_list_of(others, settings, command) if others else none}")


def _list_of(others: Sequence[Serving], settings: Settings, command: str) -> str:
    """Each broker, with the command line for its database."""
    usual = None if settings.database_url else str(settings.mode)
    lines = ["Brokers that run on this machine for this user:"]
    for one in others:
        if file_id(Path(one.database)) == one.files[0]:
            lines += [f"  {one.line}", f"    {one.naming(command, usual)}"]
        else:
            lines.append(f"  {one.line}; its database was deleted, moved or replaced, so it sends nothing")
    return "\n".join(lines)


def _require_files(database: Path) -> None:
    """Raises StartError if the serving broker has lost its -wal or -shm: at its stop, it would overwrite what
    the command wrote.
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
                "broker no longer sends orders. Restart it, then repeat this command"
            )
        time.sleep(0.1)


def say(text: str) -> None:
    """Prints to standard error: a command's standard output may be data."""
    print(text, file=sys.stderr, flush=True)
