"""Opening a database: its own, whole, or refused in one line."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from broker.errors import BrokerError, Code, StartError
from broker.events import EventKind
from broker.store import Store, queries
from broker.store.migrate import MIGRATIONS, NEWEST
from broker.store.tables import metadata

from ..support import MANY_PENDING, Clock, Randomness, request

pytestmark = pytest.mark.anyio


def open_as(path: Path, mode: str = "paper", account: str = "paper") -> Store:
    return Store.open(path, mode=mode, account=account, clock=Clock(), random=Randomness(), may_make=True)


def test_the_migrations_make_the_tables_as_they_are_declared(store: Store) -> None:
    with store.database._reader.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_a_migration_that_breaks_off_leaves_nothing(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE sessions (token_hash TEXT)")
    with pytest.raises(StartError, match="sessions already exists"):
        open_as(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE sessions")
        assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    open_as(path).close()


async def test_what_was_parked_is_there_after_a_restart(store: Store, path: Path) -> None:
    parked = (await store.intents.park(request(), max_pending=MANY_PENDING)).intent
    store.close()
    with closing(open_as(path)) as again:
        assert again.database.read_now(lambda connection: queries.find_any(connection, parked.id)) == parked


@pytest.mark.parametrize(
    ("mode", "account", "named"),
    [("testnet", "paper", "mode paper, not to testnet"), ("paper", "f00", "account paper, not to f00")],
)
def test_a_database_of_another_mode_or_account_is_refused(
    store: Store, path: Path, mode: str, account: str, named: str
) -> None:
    with pytest.raises(StartError, match=f"The database belongs to {named}"):
        open_as(path, mode, account)


def test_a_file_that_is_no_database_is_refused_in_one_line(path: Path) -> None:
    path.write_bytes(b"this is no database" * 100)
    with pytest.raises(StartError, match="cannot be used: file is not a database") as refused:
        open_as(path)
    assert "\n" not in str(refused.value)


def test_a_folder_in_the_databases_place_is_refused_in_one_line(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StartError, match="cannot be used: unable to open database file"):
        open_as(path)


def test_a_log_without_its_key_is_not_gone_on_with(store: Store, path: Path) -> None:
    store.close()
    path.with_name("paper.db.audit-key").unlink()
    with pytest.raises(StartError, match="audit-key is missing"):
        open_as(path)


def test_the_key_is_not_in_the_database(store: Store, path: Path) -> None:
    key = path.with_name("paper.db.audit-key")
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.read_bytes() == Randomness()(32)
    store.close()
    assert key.read_bytes() not in path.read_bytes()


@pytest.mark.parametrize("name", ["a?mode=ro", "100%", "with space", "ünïcode", "#1"])
def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    path = tmp_path / name / "paper.db"
    open_as(path).close()
    assert path.stat().st_size > 0


def test_two_first_starts_at_once_make_one_database(path: Path) -> None:
    async def both() -> list[Store]:
        return await asyncio.gather(*(asyncio.to_thread(open_as, path) for _ in range(2)))

    one, other = asyncio.run(both())
    with closing(one), closing(other):
        assert one.log._key == other.log._key
        assert one.database.read_now(lambda it: one.log.verify(it, None)) is None


async def test_commits_survive_power_loss_as_far_as_the_database_can_tell(store: Store) -> None:
    def pragmas(connection: Connection) -> tuple[object, object]:
        run = connection.exec_driver_sql
        return run("PRAGMA journal_mode").scalar(), run("PRAGMA synchronous").scalar()

    assert await store.database.write(pragmas) == ("wal", 2)
    assert await store.read(pragmas) == ("wal", 2)


async def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    def half(connection: Connection) -> None:
        connection.execute(text("INSERT INTO meta VALUES ('half', 'done')"))
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        await store.database.write(half)
    count = text("SELECT count(*) FROM meta WHERE name = 'half'")
    assert await store.read(lambda connection: connection.execute(count).scalar()) == 0


async def test_a_caller_who_goes_away_leaves_a_whole_commit_or_none(store: Store) -> None:
    for _ in range(10):
        task = asyncio.create_task(store.intents.park(request(), max_pending=MANY_PENDING))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    await store.audit(EventKind.DATABASE_RECOVERED, "test")
    assert await store.read(lambda it: store.log.verify(it, None)) is None
    parked = await store.read(queries.count_pending)
    rows = text("SELECT count(*) FROM audit WHERE kind = 'intent:parked'")
    assert parked == await store.read(lambda connection: connection.execute(rows).scalar_one()) <= 1


async def test_a_locked_database_is_named_as_unavailable(store: Store, path: Path) -> None:
    await store.database.write(lambda connection: connection.exec_driver_sql("PRAGMA busy_timeout = 1"))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BrokerError) as refused:
            await store.intents.park(request(), max_pending=MANY_PENDING)
    assert refused.value.code is Code.STORE_UNAVAILABLE
    assert "database is locked" in refused.value.message
    assert (await store.intents.park(request(), max_pending=MANY_PENDING)).deduplicated is False


def test_a_folder_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match=r"The data folder .* cannot be written: \w"):
        open_as(tmp_path / "file" / "paper.db")


def test_a_lost_database_is_not_silently_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    opened(path).close()
    for left in tmp_path.glob("paper.db*"):
        if not left.name.endswith("audit-key"):
            left.unlink()
    with pytest.raises(StartError, match="shows that there was a database"):
        opened(path)


@pytest.mark.parametrize("made", [{"audit-head", "audit-key"}, {"audit-head"}, set()])
def test_a_first_start_that_was_killed_before_its_commit_is_begun_again(path: Path, made: set[str]) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE sessions (token_hash TEXT)")
    with pytest.raises(StartError, match="sessions already exists"):
        open_as(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE sessions")
    for what in {"audit-head", "audit-key"} - made:
        path.with_name(f"paper.db.{what}").unlink()
    with closing(open_as(path)) as store:
        assert store.verify() is None
        assert store.database.read_now(_kinds) == ["database:made"]


def test_a_lost_database_is_not_taken_for_one_that_was_never_made(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    opened(path).close()
    for left in tmp_path.glob("paper.db*"):
        if ".audit-" not in left.name:
            left.unlink()
    with pytest.raises(StartError, match="shows that there was a database"):
        opened(path)


def test_the_newest_migration_is_named() -> None:
    """A start asks Alembic only where the database has another."""
    assert ScriptDirectory(str(MIGRATIONS)).get_current_head() == NEWEST


def test_a_database_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "paper.db"
    opened(path).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    with pytest.raises(StartError, match="newer release"):
        opened(path)


def opened(path: Path) -> Store:
    return Store.open(path, mode="paper", account="paper", clock=Clock(), random=Randomness(), may_make=True)


def _kinds(connection: Connection) -> list[str]:
    return [kind for (kind,) in connection.execute(text("SELECT kind FROM audit"))]
