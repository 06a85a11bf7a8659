"""Keys, passwords and session tokens, stored only as hashes. Secrets that must be read back are encrypted."""

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
def _dummy_hash() -> str:
    return _hasher.hash("a password that no trader has")


def new_key(random: Randomness) -> str:
    """An agent's API key: 256 random bits."""
    return "cbk_" + _token(random)


def new_token(random: Randomness) -> str:
    """A session's cookie or a one-time link: 256 random bits."""
    return _token(random)


def hash_key(key: str) -> str:
    """SHA-256: a key of 256 random bits cannot be guessed, and each call has to be fast."""
    return sha256(key.encode()).hexdigest()


def same(one: str, other: str) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())


class Vault:
    """Encrypts secrets that must be read back. Its key is not in the database."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._fernet = Fernet(urlsafe_b64encode(hmac.digest(key, b"vault", "sha256")))

    def seal(self, text: str) -> str:
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str:
        """Raises cryptography's InvalidToken for a text that this vault did not seal."""
        return self._fernet.decrypt(sealed.encode()).decode()

    def token(self, purpose: str, *bound_to: str) -> str:
        """A token of 256 bits that only the key's holder can make; the same arguments give the same token."""
        parts = (purpose, *bound_to)
        text = "".join(f"{len(part)}:{part}" for part in parts)
        return _text(hmac.digest(self._key, f"token {text}".encode(), "sha256"))


def hash_password(password: str) -> str:
    return _hasher.hash(password)


def verify_password(hashed: str | None, password: str) -> bool:
    """`hashed` is None for an unknown name; that takes as long and returns False."""
    try:
        return _hasher.verify(hashed or _dummy_hash(), password) and hashed is not None
    except (VerifyMismatchError, InvalidHashError):
        return False


def _token(random: Randomness) -> str:
    return _text(random(32))


def _text(token: bytes) -> str:
    return urlsafe_b64encode(token).rstrip(b"=").decode()
