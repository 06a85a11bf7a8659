"""Which passwords are taken."""

from __future__ import annotations

import pytest

from broker.errors import BrokerError
from broker.passwords import check_password


@pytest.mark.parametrize(
    "password",
    [
        "password1",
        "Passw0rd!",
        "qwertyuiop",
        "letmein2026",
        "12345678901",
        "binance2024",
        "confirmation-broker",
        "Anastasia@Binance!",
        "AnastasiaAnastasia",
        "Anastasia2026",
        "a" * 200,
    ],
)
def test_what_is_guessed_first_is_refused_and_told_why(password: str) -> None:
    with pytest.raises(BrokerError, match=r"^password: is too easy to guess\. .+\. Choose") as refused:
        check_password(password, "Anastasia")
    assert password not in refused.value.message


@pytest.mark.parametrize(
    "password", ["correct horse battery", "kitten-mule-42", "Tr4deM3-N0tLuna", "пароль для входа на биржу"]
)
def test_a_password_that_takes_long_to_guess_is_taken(password: str) -> None:
    check_password(password, "Anastasia")


@pytest.mark.parametrize("length", [0, 7, 201])
def test_the_length_is_named(length: int) -> None:
    with pytest.raises(BrokerError, match="password: must have 8 to 200 characters"):
        check_password("x" * length, "Anastasia")
