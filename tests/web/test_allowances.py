"""How often passwords may be tried."""

from __future__ import annotations

import pytest

from broker.credentials import Vault
from broker.web.allowances import MOST_KEPT, Allowance, Allowances, Browsers, Rate, network

from .support import MovableClock


def tries(allowance: Allowance, clock: MovableClock, seconds: float, every: float = 0.025) -> int:
    """How many of so many attempts, one each `every` seconds, are allowed."""
    allowed = 0
    for _ in range(round(seconds / every)):
        if not allowance.seconds_left:
            allowance.take()
            allowed += 1
        clock.advance(seconds=every)
    return allowed


def test_so_many_at_once_and_then_so_many_a_second(clock: MovableClock) -> None:
    assert 128 <= tries(Allowance(Rate(10, 2), clock), clock, 60) <= 130


def test_a_clock_that_jumps_back_gives_nothing_and_takes_nothing(clock: MovableClock) -> None:
    allowance = Allowance(Rate(2, 1), clock)
    allowance.take()
    clock.advance(hours=-1)
    assert not allowance.seconds_left
    allowance.take()
    assert allowance.seconds_left == 1
    clock.advance(seconds=1)
    assert not allowance.seconds_left


def test_what_is_given_back_is_never_more_than_was_there(clock: MovableClock) -> None:
    allowance = Allowance(Rate(1, 1), clock)
    allowance.give_back()
    allowance.take()
    assert allowance.seconds_left


def test_keys_have_their_own_and_full_ones_are_forgotten(clock: MovableClock) -> None:
    allowances, rate = Allowances(clock), Rate(1, 1)
    allowances.of(rate, "spent").take()
    for number in range(MOST_KEPT * 3):
        assert not allowances.of(rate, number).seconds_left
    assert allowances.of(rate, "spent").seconds_left
    assert len(allowances._kept) <= MOST_KEPT


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::9", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        (None, "", True),
    ],
)
def test_an_address_is_what_one_person_connects_from(one: str | None, other: str, same: bool) -> None:
    assert (network(one) == network(other)) is same


def test_a_browser_is_known_for_its_trader_and_password_alone() -> None:
    browsers = Browsers(Vault(b"k" * 32))
    cookie = browsers.cookie("01k9", "Ana", "hash")
    assert browsers.known(cookie, "Ana", "hash") == "01k9"
    assert browsers.known(cookie, "Ben", "hash") is None
    assert browsers.known(cookie, "Ana", "another hash") is None
    assert browsers.known(cookie, "Ana", None) is None
    assert Browsers(Vault(b"x" * 32)).known(cookie, "Ana", "hash") is None
    for forged in (None, "", ".", "01k9", "01k9.", f"02{cookie[2:]}", "01k9.é", f"{cookie}x"):
        assert browsers.known(forged, "Ana", "hash") is None
