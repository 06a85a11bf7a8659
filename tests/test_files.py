"""The data folder: one server a database, and secrets that only their owner reads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from broker.credentials import new_key
from broker.errors import StartError
from broker.files import (
    API_KEY,
    STATE_KEY,
    api_key,
    beside,
    clean_up,
    prepare_folder,
    secret_file,
    secure_folder,
    state_key,
)
from broker.locks import hold, hold_alone, take_lock

from .support import Clock, Randomness, open_store, settings_in


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
    with pytest.raises(StartError, match="Another broker already serves the database"):
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
        with pytest.raises(StartError, match=r"is being replaced by a copy\. Try again after that"):
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


def test_a_shared_folder_is_refused_where_anybody_may_replace_files_and_else_left_alone(
    tmp_path: Path,
) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    (tmp_path / "data").mkdir()
    settings = settings_in(tmp_path / "data", database_url=f"sqlite:///{shared / 'x.db'}")
    settings.database.touch(mode=0o644)
    shared.chmod(0o777)
    with pytest.raises(StartError, match=f"Every user may replace files in the folder {shared}"):
        secure_folder(settings)
    for mode in (0o1777, 0o755):
        shared.chmod(mode)
        settings.database.chmod(0o644)
        secure_folder(settings)
        assert shared.stat().st_mode & 0o7777 == mode
        assert settings.database.stat().st_mode & 0o777 == 0o600


def test_a_home_folder_and_one_with_the_sticky_bit_are_left_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, sticky, own = (tmp_path / name for name in ("home", "sticky", "own"))
    monkeypatch.setenv("HOME", str(home))
    for folder, mode, then in ((home, 0o755, 0o755), (sticky, 0o1777, 0o1777), (own, 0o755, 0o700)):
        folder.mkdir()
        folder.chmod(mode)
        (folder / API_KEY).touch(mode=0o644)
        secure_folder(settings_in(folder))
        assert folder.stat().st_mode & 0o7777 == then
        assert (folder / API_KEY).stat().st_mode & 0o777 == 0o600


def test_what_belongs_to_another_user_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_in(tmp_path)
    settings.database.touch()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    owner = os.getuid()
    if owner != 0:  # a folder of root's may be written where its group may, as Kubernetes has it
        with pytest.raises(StartError, match=f"The folder {tmp_path} belongs to another user"):
            secure_folder(settings)
        return
    with pytest.raises(StartError, match=rf"{settings.database} belongs to another user \(uid {owner}\)"):
        secure_folder(settings)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_makes_is_the_folders_owners(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    database = folder / "paper.db"
    open_store(database, Clock()).close()
    hold(database).close()
    secret_file(folder / STATE_KEY, b"secret")
    assert {path.name: path.stat().st_uid for path in folder.iterdir()} == {
        path.name: 65534 for path in folder.iterdir()
    }


def test_half_written_secrets_of_a_killed_process_are_removed_once_they_are_old(tmp_path: Path) -> None:
    old, new = tmp_path / ".paper.db.audit-head.abcd1234", tmp_path / f".{API_KEY}.abcd1234"
    kept = tmp_path / "paper.db.audit-head"
    for path in (old, new, kept):
        path.touch()
    for path in (old, kept):
        os.utime(path, (0, 0))
    clean_up(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {new.name, kept.name}


def test_a_lock_file_that_was_removed_is_made_again_unless_another_has_it(tmp_path: Path) -> None:
    database = tmp_path / "paper.db"
    with take_lock(database) as lock:
        assert not lock.keep()
        lock.path.unlink()
        assert lock.keep() and lock.path.exists()
        with pytest.raises(StartError, match="Another broker already serves"):
            take_lock(database)
        lock.path.unlink()
        with take_lock(database), pytest.raises(StartError, match="Another broker already serves"):
            lock.keep()
