"""API key, signature and timestamp (Binance's SIGNED endpoints: HMAC-SHA256 and recvWindow)."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from .errors import Refusal, invalid_key, mandatory

DEFAULT_WINDOW_MS = 5_000
MAX_WINDOW_MS = 60_000
MAX_AHEAD_MS = 1_000
SIGNING_PARAMETERS = ("timestamp", "recvWindow", "signature")


@dataclass(frozen=True, slots=True)
class Validity:
    """A signed request is valid for `window_ms` after its timestamp, and less than a second before it."""

    timestamp: int
    window_ms: int

    def check(self, now: int) -> None:
        if self.timestamp >= now + MAX_AHEAD_MS:
            raise Refusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
        if now - self.timestamp > self.window_ms:
            raise Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")


@dataclass(frozen=True, slots=True)
class Credentials:
    key: str
    secret: str

    def check(self, sent_key: str, payload: str, signature: str | None) -> None:
        """Raise Refusal if key or signature is wrong. `payload`: query string and body without signature."""
        self.check_key(sent_key)
        if not signature:
            raise mandatory("signature")
        expected = hmac.new(self.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, signature.lower()):
            raise Refusal(-1022, "Signature for this request is not valid.")

    def check_key(self, sent_key: str) -> None:
        if not sent_key:
            raise Refusal(-2014, "API-key format invalid.", 401)
        if not hmac.compare_digest(sent_key.encode(), self.key.encode()):
            raise invalid_key()


def payload(query: str, body: str) -> str:
    return _unsigned(query) + _unsigned(body)


def validity(params: Mapping[str, str]) -> Validity:
    timestamp, window = params.get("timestamp", ""), params.get("recvWindow", str(DEFAULT_WINDOW_MS))
    if not timestamp.isdecimal():
        raise mandatory("timestamp")
    if not window.replace(".", "", 1).isdecimal():
        raise mandatory("recvWindow")
    window_ms = int(window.partition(".")[0])
    if window_ms > MAX_WINDOW_MS:
        raise Refusal(-1131, f"recvWindow must be less than {MAX_WINDOW_MS}.")
    return Validity(int(timestamp), window_ms)


def _unsigned(part: str) -> str:
    return "&".join(pair for pair in part.split("&") if not pair.startswith("signature="))
