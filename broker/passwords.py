"""Which passwords are taken: long enough, and not among those that are guessed first (NIST SP 800-63B).

Passwords of before are not checked again.
"""

from __future__ import annotations

from typing import Final

from .credentials import MAX_PASSWORD, MIN_PASSWORD
from .errors import BrokerError, invalid

LEAST_GUESSES: Final = 100_000_000
"""As zxcvbn counts them. Strangers have 172,800 guesses a day at one name (web/allowances.py): 578 days."""

LEAST_BESIDE_KNOWN_WORDS: Final = 4
"""Letters and digits beside the trader's name and the product's words."""

LOOKED_AT: Final = 64
"""Letters that zxcvbn reads. Its time grows with the square of them, and more only make a password better."""

OWN_WORDS: Final = ("confirmation", "broker", "confirmationbroker", "binance", "trader", "trading")


def check_password(password: str, name: str) -> None:
    """Takes up to half a second. Raises INVALID_ARGUMENTS that says what is wrong, and never the password."""
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise invalid("password", f"must have {MIN_PASSWORD} to {MAX_PASSWORD} characters")
    if not is_text(password):
        raise invalid("password", "must be characters that UTF-8 can write")
    problem = _too_easy(password, name)
    if problem is not None:
        raise problem


def is_text(typed: str) -> bool:
    """A form can be sent with half a surrogate pair, which can be neither hashed nor stored."""
    return not any("\ud800" <= letter <= "\udfff" for letter in typed)


def _too_easy(password: str, name: str) -> BrokerError | None:
    from zxcvbn import zxcvbn  # its word lists take half a second to load

    known = [*name.split(), *OWN_WORDS]
    found = zxcvbn(password[:LOOKED_AT], user_inputs=known)
    if _without(password, known) < LEAST_BESIDE_KNOWN_WORDS:
        why = "It is made of your name or the broker's"
    elif found["guesses"] < LEAST_GUESSES:
        why = found["feedback"]["warning"].rstrip(".") or "It is made of common words, names or patterns"
    else:
        return None
    return invalid(
        "password",
        f"is too easy to guess. {why}. Choose a longer one, for example four words picked at random",
    )


def _without(password: str, words: list[str]) -> int:
    """How many letters and digits are left without these words."""
    rest = password.casefold()
    for word in sorted(words, key=len, reverse=True):
        rest = rest.replace(word.casefold(), " ") if len(word) > 2 else rest
    return sum(letter.isalnum() for letter in rest)
