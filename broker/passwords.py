"""Rules for new passwords: long enough and hard to guess (NIST SP 800-63B)."""

from __future__ import annotations

from typing import Final

from .credentials import MAX_PASSWORD, MIN_PASSWORD
from .errors import BrokerError, invalid

LEAST_GUESSES: Final = 100_000_000
"""Guesses as zxcvbn estimates them. An attacker has 172,800 guesses a day for one name (web/allowances.py),
so this takes 578 days.
"""

LEAST_BESIDE_KNOWN_WORDS: Final = 4
"""Letters and digits besides the trader's name and the product's words."""

MOST_CHECKED: Final = 64
"""Characters that zxcvbn reads: its time grows with their square, and more only make a password stronger."""

OWN_WORDS: Final = ("confirmation", "broker", "confirmationbroker", "binance", "trader", "trading")


def check_password(password: str, name: str) -> None:
    """Raises INVALID_ARGUMENTS, which never contains the password. Takes up to half a second."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise invalid("password", f"must have {MIN_PASSWORD} to {MAX_PASSWORD} characters")
    if not is_text(password):
        raise invalid("password", "must be valid UTF-8 text")
    problem = _too_easy(password, name)
    if problem is not None:
        raise problem


def is_text(typed: str) -> bool:
    """False for text with a lone surrogate, which a form can contain: it can be neither hashed nor stored."""
    return not any("\ud800" <= letter <= "\udfff" for letter in typed)


def _too_easy(password: str, name: str) -> BrokerError | None:
    from zxcvbn import zxcvbn  # its word lists take half a second to load

    known = [*name.split(), *OWN_WORDS]
    result = zxcvbn(password[:MOST_CHECKED], user_inputs=known)
    if _length_without(password, known) < LEAST_BESIDE_KNOWN_WORDS:
        why = "It consists of your name or the broker's"
    elif result["guesses"] < LEAST_GUESSES:
        why = result["feedback"]["warning"].rstrip(".") or "It consists of common words, names or patterns"
    else:
        return None
    return invalid(
        "password",
        f"is too easy to guess. {why}. Choose a longer one, for example four words picked at random",
    )


def _length_without(password: str, words: list[str]) -> int:
    """The number of letters and digits that remain without these words."""
    rest = password.casefold()
    for word in sorted(words, key=len, reverse=True):
        rest = rest.replace(word.casefold(), " ") if len(word) > 2 else rest
    return sum(letter.isalnum() for letter in rest)
