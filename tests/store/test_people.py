"""Traders, their sessions and the first-run link."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, insert

from broker.credentials import hash_password
from broker.errors import BrokerError, Code
from broker.store import NotSignedIn, Session, Store
from broker.store.audit import events_after
from broker.store.tables import traders

from ..support import Clock, give_key, trusted

pytestmark = pytest.mark.anyio

PASSWORD = "correct horse battery"


def kinds(store: Store) -> list[tuple[str, str]]:
    events = store.database.read_now(lambda connection: events_after(connection, 1))
    return [(event.kind, event.actor) for event in events]


def add(store: Store, name: str = "Ana") -> None:
    store.people.add_trader(name, PASSWORD, actor="command line")


async def enter(store: Store, name: str = "Ana", user_agent: str = "Firefox") -> tuple[Session, str]:
    hashed = store.people.right_password(name, PASSWORD)
    assert hashed
    opened = await store.people.open_session(name, hashed, user_agent)
    assert opened
    return opened


# Traders


def test_a_trader_is_added_known_by_his_password_and_removed(store: Store) -> None:
    add(store)
    assert [trader.name for trader in store.people.traders()] == ["Ana"]
    assert store.people.right_password("Ana", PASSWORD)
    assert not store.people.right_password("Ana", PASSWORD + "!")
    assert not store.people.right_password("Ben", PASSWORD)
    store.people.remove_trader("Ana", actor="command line")
    assert not store.people.right_password("Ana", PASSWORD)
    assert kinds(store) == [("trader:added", "command line"), ("trader:removed", "command line")]


@pytest.mark.parametrize("name", ["", " Ana", "Ana\n", "A" * 41, "An\u202ea"])
def test_a_name_that_could_mislead_is_refused(store: Store, name: str) -> None:
    with pytest.raises(BrokerError, match=r"^name: must have 1 to 40 printable"):
        add(store, name)


def test_a_name_that_differs_only_by_case_is_taken(store: Store) -> None:
    add(store)
    with pytest.raises(BrokerError, match="name: is taken"):
        add(store, "ANA")


@pytest.mark.parametrize("length", [7, 201])
def test_a_password_of_the_wrong_length_is_refused(store: Store, length: int) -> None:
    with pytest.raises(BrokerError, match="password: must have 8 to 200") as refused:
        store.people.add_trader("Ana", "x" * length, actor="command line")
    assert refused.value.code is Code.INVALID_ARGUMENTS
    assert "xxx" not in refused.value.message


HALF_A_PAIR = "\ud800" * 8


def test_what_utf_8_cannot_write_is_no_name_and_no_password(store: Store) -> None:
    add(store)
    assert not store.people.right_password(HALF_A_PAIR, PASSWORD)
    assert not store.people.right_password("Ana", HALF_A_PAIR)
    with pytest.raises(BrokerError, match="password: must be valid UTF-8 text"):
        store.people.add_trader("Ben", HALF_A_PAIR, actor="command line")


def test_an_unknown_trader_cannot_be_removed(store: Store) -> None:
    with pytest.raises(BrokerError, match="there is no trader 'Ana'"):
        store.people.remove_trader("Ana", actor="command line")


def test_the_database_holds_neither_password_nor_key(store: Store) -> None:
    add(store)
    give_key(store, "default", "an-agents-secret-key")
    path = store.database.path
    store.close()
    content = path.read_bytes()
    assert PASSWORD.encode() not in content
    assert b"an-agents-secret-key" not in content


# The first-run link


async def test_the_first_trader_comes_in_by_a_link_that_dies_with_it(store: Store) -> None:
    token = store.people.invite()
    assert token is not None
    assert await store.people.invitation_holds(token)
    assert await store.people.accept_invitation(token, "Ana", PASSWORD)
    assert not await store.people.invitation_holds(token)
    assert not await store.people.accept_invitation(token, "Eve", PASSWORD)
    assert [trader.name for trader in store.people.traders()] == ["Ana"]
    assert kinds(store) == [("trader:added", "first-run link")]
    assert store.people.invite() is None


async def test_a_new_link_ends_the_old_one(store: Store) -> None:
    old, new = store.people.invite(), store.people.invite()
    assert old is not None and new is not None
    assert not await store.people.invitation_holds(old)
    assert await store.people.invitation_holds(new)


async def test_a_link_lives_for_a_day(store: Store, clock: Clock) -> None:
    token = store.people.invite()
    assert token is not None
    clock.advance(86_400)
    assert not await store.people.accept_invitation(token, "Ana", PASSWORD)


async def test_a_link_dies_once_a_trader_was_added_elsewhere(store: Store) -> None:
    token = store.people.invite()
    assert token is not None
    add(store, "Ben")
    assert not await store.people.invitation_holds(token)


async def test_a_link_stays_dead_when_all_traders_are_removed(store: Store) -> None:
    token = store.people.invite()
    assert token is not None
    add(store)
    store.people.remove_trader("Ana", actor="command line")
    assert not await store.people.invitation_holds(token)
    assert not await store.people.accept_invitation(token, "Eve", PASSWORD)


async def test_another_token_is_no_link(store: Store) -> None:
    store.people.invite()
    assert not await store.people.invitation_holds("another")
    assert not await store.people.invitation_holds("")


# Sessions


async def test_a_session_is_known_by_its_token_until_it_ends(store: Store) -> None:
    add(store)
    session, token = await enter(store, user_agent="Firefox " * 100)
    assert await store.people.session(token) == session
    assert len(session.user_agent) == 200
    assert await store.people.session(session.id) is None
    assert await store.people.end_session(session.id, "Ana", standing=trusted)
    assert await store.people.session(token) is None
    assert not await store.people.end_session(session.id, "Ana", standing=trusted)
    assert kinds(store)[1:] == [("session:opened", "trader:Ana"), ("session:ended", "trader:Ana")]


async def test_nobody_ends_anothers_session(store: Store) -> None:
    add(store)
    session, token = await enter(store)
    assert not await store.people.end_session(session.id, "Ben", standing=trusted)
    assert await store.people.session(token) == session


async def test_a_session_ends_by_itself_after_a_week(store: Store, clock: Clock) -> None:
    add(store)
    _, token = await enter(store)
    clock.advance(timedelta(days=7).total_seconds())
    assert await store.people.session(token) is None
    assert await store.people.sessions_of("Ana") == []


async def test_a_trader_sees_his_own_sessions_the_newest_first(store: Store, clock: Clock) -> None:
    add(store)
    add(store, "Ben")
    first, _ = await enter(store)
    clock.advance(1)
    second, _ = await enter(store, user_agent="Phone")
    await enter(store, "Ben")
    assert await store.people.sessions_of("Ana") == [second, first]


async def test_removing_a_trader_ends_his_sessions_at_once(store: Store) -> None:
    add(store)
    _, token = await enter(store)
    store.people.remove_trader("Ana", actor="command line")
    assert await store.people.session(token) is None


@pytest.mark.parametrize("comes_back", [False, True])
async def test_a_trader_removed_after_his_password_was_checked_gets_no_session(
    store: Store, neighbour: Store, comes_back: bool
) -> None:
    add(store)
    hashed = store.people.right_password("Ana", PASSWORD)
    assert hashed
    neighbour.people.remove_trader("Ana", actor="command line")
    if comes_back:
        neighbour.people.add_trader("Ana", "another password", actor="command line")
    assert await store.people.open_session("Ana", hashed, "Firefox") is None
    assert await store.people.sessions_of("Ana") == []
    assert ("session:opened", "trader:Ana") not in kinds(store)


async def test_a_session_whose_trader_is_gone_is_none(store: Store) -> None:
    add(store)
    _, token = await enter(store)
    await store.database.write(lambda connection: connection.execute(delete(traders)))
    assert await store.people.session(token) is None


# Changing the password


async def test_a_changed_password_ends_the_other_sessions_alone(store: Store) -> None:
    add(store)
    add(store, "Ben")
    here, token = await enter(store)
    _, elsewhere = await enter(store)
    _, of_ben = await enter(store, "Ben")
    old = await store.people.hash_of("Ana")
    assert old
    new = store.people.hash_new_password("Ana", "kitten-mule-42")
    assert await store.people.change_password(here, old, new) == 1
    assert await store.people.session(token) == here
    assert await store.people.session(elsewhere) is None
    assert await store.people.session(of_ben) is not None
    assert store.people.right_password("Ana", "kitten-mule-42")
    assert not store.people.right_password("Ana", PASSWORD)
    last = [("trader:password-changed", "trader:Ana"), ("session:ended", "trader:Ana")]
    assert kinds(store)[-2:] == last
    assert await store.people.change_password(here, old, new) is None, "the old one is no longer it"


async def test_a_session_that_ended_changes_no_password(store: Store) -> None:
    add(store)
    session, _ = await enter(store)
    old = await store.people.hash_of("Ana")
    assert old and await store.people.end_session(session.id, "Ana", standing=trusted)
    with pytest.raises(NotSignedIn):
        await store.people.change_password(session, old, "another hash")
    assert await store.people.hash_of("Ana") == old


def test_a_name_like_anothers_is_refused(store: Store) -> None:
    add(store)
    give_key(store, "default", "an-agents-secret-key")
    for name in ("Аnа", "defau1t"):
        with pytest.raises(BrokerError, match=r"^name: (looks like|mixes)"):
            add(store, name)


async def test_traders_of_before_keep_their_names_and_passwords(store: Store) -> None:
    """What no one could choose any more: both were taken before there were these rules."""
    made = {"name": "Аna\u3164", "password_hash": hash_password("password"), "created_at": 1}
    await store.database.write(lambda connection: connection.execute(insert(traders), made))
    hashed = store.people.right_password("Аna\u3164", "password")
    assert hashed
    assert await store.people.open_session("Аna\u3164", hashed, "Firefox")
