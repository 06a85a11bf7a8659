"""Binance's error answers (source: errors.md), and the errors when a paper exchange starts."""

from collections.abc import Mapping


class Refusal(Exception):
    """An error answer with Binance's code and message, the HTTP status and headers."""

    def __init__(
        self, code: int, msg: str, http: int = 400, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(f"{code} {msg}")
        self.code = code
        self.msg = msg
        self.http = http
        self.headers = dict(headers or {})


class FolderInUse(Exception):
    """Another process has its paper exchange in the same folder."""


def invalid_key() -> Refusal:
    return Refusal(-2015, "Invalid API-key, IP, or permissions for action.", 401)


def mandatory(name: str) -> Refusal:
    return Refusal(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def one_of(first: str, second: str) -> Refusal:
    return Refusal(-1102, f"Param '{first}' or '{second}' must be sent, but both were empty/null!")


def illegal(name: str, legal: str) -> Refusal:
    return Refusal(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def not_required(name: str) -> Refusal:
    return Refusal(-1106, f"Parameter '{name}' sent when not required.")


def filter_failure(name: str) -> Refusal:
    return Refusal(-1013, f"Filter failure: {name}")


def rejected(msg: str) -> Refusal:
    """The matching engine rejects a new order."""
    return Refusal(-2010, msg)


def unknown_order() -> Refusal:
    """The matching engine rejects a cancel."""
    return Refusal(-2011, "Unknown order sent.")


def invalid_symbol() -> Refusal:
    return Refusal(-1121, "Invalid symbol.")


def insufficient_balance() -> Refusal:
    return rejected("Account has insufficient balance for requested action.")
