"""Keys, passwords and session tokens: made here, kept only as hashes. What must be read again is sealed."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from functools import cache
from hashlib import sha256

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from cryptography.fernet import Fernet

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


class Vault:
    """What has to be read again, unlike a hash: it is encrypted, with a key that the database lacks."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._fernet = Fernet(urlsafe_b64encode(hmac.digest(key, b"vault", "sha256")))

    def seal(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Raises cryptography's InvalidToken for what this vault did not seal."""
        return self._fernet.decrypt(sealed.encode()).decode()

    def token(self, purpose: str, *bound_to: str) -> str:
        """256 bits that nobody else can make, always the same for what it is bound to."""
        parts = (purpose, *bound_to)
        text = "".join(f"{len(part)}:{part}" for part in parts)
        return _text(hmac.digest(self._key, f"token {text}".encode(), "sha256"))


def hash_password(password: str) -> str:
    return _hasher.hash(password)


def verify_password(hashed: str | None, password: str) -> bool:
    """Takes as long for a name that does not exist."""
    try:
        return _hasher.verify(hashed or _hash_of_nobody(), password) and hashed is not None
    except (VerifyMismatchError, InvalidHashError):
        return False


def _token(random: Randomness) -> str:
    return _text(random(32))


def _text(token: bytes) -> str:
    return urlsafe_b64encode(token).rstrip(b"=").decode()
