"""The data folder: one server a database, and secrets that only their owner reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from broker.credentials import new_key
from broker.errors import StartError
from broker.files import (
    API_KEY,
    STATE_KEY,
    api_key,
    beside,
    prepare_folder,
    secret_file,
    state_key,
)
from broker.locks import hold, hold_alone, take_lock

from .support import Randomness, settings_in


def test_a_new_folder_is_its_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    prepare_folder(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartError, match=r"cannot be written: \w"):
        prepare_folder(tmp_path / "file" / "folder")


def test_a_second_lock_is_refused_until_the_first_is_let_go(tmp_path: Path) -> None:
    database = tmp_path / "paper.db"
    first = take_lock(database)
    with pytest.raises(StartError, match="Another broker serves the database"):
        take_lock(database)
    first.close()
    take_lock(database).close()


def test_that_the_lock_file_exists_means_nothing(tmp_path: Path) -> None:
    database = tmp_path / "paper.db"
    beside(database, "lock").touch()
    take_lock(database).close()


def test_a_lock_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    database = tmp_path / "paper.db"
    beside(database, "lock").mkdir()
    with pytest.raises(StartError, match="cannot be written"):
        take_lock(database)


def test_during_a_restore_nothing_else_is_said_to_serve(tmp_path: Path) -> None:
    database = tmp_path / "paper.db"
    with take_lock(database), hold_alone(database):
        with pytest.raises(StartError, match="is being replaced by a copy: try again once that is done"):
            take_lock(database)
    take_lock(database).close()
    hold_alone(database).close()


def test_a_database_is_replaced_only_while_nobody_holds_it(tmp_path: Path) -> None:
    database = tmp_path / "paper.db"
    with hold(database), hold(database), pytest.raises(StartError, match="A command still has the database"):
        hold_alone(database)
    with hold_alone(database), pytest.raises(StartError, match="is being replaced by a copy"):
        hold(database)
    hold(database).close()


def test_a_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    assert secret_file(path, b"first") == b"first"
    assert secret_file(path, b"second") == b"first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_secret_that_must_exist_is_never_made_anew(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="is missing"):
        secret_file(tmp_path / "secret", b"new", may_make=False)
    assert list(tmp_path.iterdir()) == []


def test_a_secret_that_cannot_be_read_or_written_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(StartError, match="cannot be read"):
        secret_file(tmp_path / "folder", b"new")
    with pytest.raises(StartError, match="cannot be written"):
        secret_file(tmp_path / "missing" / "secret", b"new")


def test_the_agents_key_is_kept_across_starts(tmp_path: Path) -> None:
    settings, random = settings_in(tmp_path), Randomness()
    first = api_key(settings, random)
    assert first == new_key(Randomness())
    assert api_key(settings, random) == first
    assert (tmp_path / API_KEY).stat().st_mode & 0o777 == 0o600


def test_what_clients_carry_is_sealed_alike_across_starts(tmp_path: Path) -> None:
    settings, random = settings_in(tmp_path), Randomness()
    first = state_key(settings, random)
    assert (len(first), state_key(settings, random)) == (32, first)
    assert (tmp_path / STATE_KEY).stat().st_mode & 0o777 == 0o600


def test_a_key_from_the_environment_is_not_written_down(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, mcp_api_key="k" * 16)
    assert api_key(settings, Randomness()) == "k" * 16
    assert not (tmp_path / API_KEY).exists()
