"""Keys, passwords and session tokens: made here, kept only as hashes."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from functools import cache
from hashlib import sha256

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from .clock import Randomness

MIN_PASSWORD, MAX_PASSWORD = 8, 200
MAX_NAME = 40

_hasher = PasswordHasher()


@cache
def _hash_of_nobody() -> str:
    return _hasher.hash("the password of nobody")


def new_key(random: Randomness) -> str:
    """An agent's API key: 256 random bits."""
    return "cbk_" + _token(random)


def new_token(random: Randomness) -> str:
    """A session's cookie or a one-time link: 256 random bits."""
    return _token(random)


def hash_key(key: str) -> str:
    """A key has too much entropy to guess, so a plain hash is enough, and fast enough for each call."""
    return sha256(key.encode()).hexdigest()


def same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def hash_password(password: str) -> str:
    return _hasher.hash(password)


def verify_password(hashed: str | None, password: str) -> bool:
    """Takes as long for a name that does not exist."""
    try:
        return _hasher.verify(hashed or _hash_of_nobody(), password) and hashed is not None
    except (VerifyMismatchError, InvalidHashError):
        return False


def _token(random: Randomness) -> str:
    return urlsafe_b64encode(random(32)).rstrip(b"=").decode()
