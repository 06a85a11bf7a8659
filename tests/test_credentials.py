"""Keys, passwords and tokens are kept only as hashes."""

from __future__ import annotations

from broker.clock import random_bytes
from broker.credentials import (
    hash_key,
    hash_password,
    new_key,
    new_token,
    same,
    verify_password,
)


def test_keys_and_tokens_hold_all_256_random_bits() -> None:
    assert new_key(lambda size: b"\xff" * size) == "cbk_" + "_" * 42 + "8"
    assert len(new_token(random_bytes)) == 43
    assert new_token(random_bytes) != new_token(random_bytes)


def test_a_hash_is_the_same_each_time_and_does_not_show_the_key() -> None:
    assert hash_key("a-key") == hash_key("a-key") != hash_key("b-key")
    assert "a-key" not in hash_key("a-key")


def test_a_password_is_known_again_and_no_other_is() -> None:
    hashed = hash_password("correct horse")
    assert "correct" not in hashed
    assert verify_password(hashed, "correct horse")
    assert not verify_password(hashed, "correct hors")


def test_the_same_password_is_salted_anew() -> None:
    assert hash_password("correct horse") != hash_password("correct horse")


def test_nobody_has_no_password() -> None:
    assert not verify_password(None, "the password of nobody")
    assert not verify_password("no hash at all", "anything")


def test_comparing_takes_any_text() -> None:
    assert same("clé", "clé")
    assert not same("clé", "cle")
