"""What nobody should have to read: texts, symbols and numbers that break pages, logs and parsers."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any, Final

LONGEST_REASON: Final = 500

STACKED: Final = "e" + "\u0301\u0323\u20dd" * 160
STACKED_EACH: Final = "".join(f"{letter}\u0489\u0336\u0353\u0310" for letter in "approve this at once") * 5
JAMO: Final = "\u1112" * 240 + "\u1161" * 240
BIDI: Final = "\u202eTDSU 000,09 YUB\u202c \u2066buy\u2069 \u200f\u061c" * 10
INVISIBLE: Final = "\u3164\u2800\u200b\u2060\ufeff\u00ad\U000e0041" * 20
CONTROL: Final = "\x00\x07\x1b[2J\x1b]0;owned\x07\r\nINFO approved\x9b31m\u2028\u2029"
UNBROKEN: Final = "W" * LONGEST_REASON
MARKUP: Final = '<script>document.title="x"</script><img src=x onerror=alert(1)>{{7*7}}{% raw %}&lt;'
SURROGATE: Final = "half a pair: \ud83d"
EMOJI: Final = "👩\u200d👩\u200d👧\u200d👦" * 60 + "🏴" + "\U000e0067" * 100

REASONS: Final = (
    STACKED,
    STACKED_EACH,
    JAMO,
    BIDI,
    INVISIBLE,
    CONTROL,
    UNBROKEN,
    MARKUP,
    SURROGATE,
    EMOJI,
    "\u0600" * 300,
    "x" * 100_000,
)
SYMBOLS: Final = (
    "BTCUSDT\u0301",
    "\u202eTDSUCTB",
    "BTC\u3164USDT",
    "\U0001d401TCUSDT",
    "btcusdt\x00",
    "B" * 20_000,
    "../../etc/passwd",
    "<b>BTCUSDT",
    "BTC/USDT:USDT/" * 10,
    "",
)
NUMBERS: Final[tuple[Any, ...]] = (
    float("nan"),
    float("inf"),
    -float("inf"),
    10**400,
    -1,
    "1e999999999",
    "9" * 10_000,
    "0." + "0" * 10_000 + "1",
    "NaN",
    "\u0661\u0662",
    "1_000",
    True,
    None,
    [],
    {"amount": 1},
)
BODIES: Final = (
    b"[" * 30_000,
    b'{"a":' * 10_000,
    b'{"amount": 1e400, "amount": 1E-400}',
    b'{"symbol": "\\ud800", "side": "\\udfff"}',
    b"\xff\xfe\x00",
    b"null",
    b"0" * 60_000,
    b'{"symbol": "' + b"a" * 65_000 + b'"}',
    b'{"amount": ' + b"1" * 60_000 + b"}",
)


def reads_badly(random: Random, order: Mapping[str, Any]) -> dict[str, Any]:
    """An order that may well be parked, whose words are hostile."""
    reason = random.choice(REASONS)
    key = f"{random.choice(REASONS)[:60]}{random.getrandbits(60):x}"
    return {**order, "reason": reason[:LONGEST_REASON], "idempotencyKey": key}


def is_nonsense(random: Random, order: Mapping[str, Any]) -> dict[str, Any] | bytes:
    """A call that has to be refused; seldom one that is not."""
    name, values = random.choice(
        (
            ("reason", REASONS),
            ("symbol", SYMBOLS),
            ("amount", NUMBERS),
            ("price", NUMBERS),
            ("ttlSeconds", NUMBERS),
            ("idempotencyKey", REASONS),
            (STACKED, NUMBERS),
        )
    )
    key = f"nonsense-{random.getrandbits(60):x}"
    wrong = {**order, "idempotencyKey": key, name: random.choice(values)}
    return random.choice((wrong, wrong, wrong, random.choice(BODIES)))
