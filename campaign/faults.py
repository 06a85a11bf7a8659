"""Every way in which a POST can go wrong at the exchange.

Where an order was executed, what is answered instead of that is only what Binance could answer then: that its
outcome is not known, or nothing that says anything (Binance's rest-api.md and general-info).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .kinds import KINDS, LEVERAGE, SPOT_ORDER, Kind

SPOT: Final = "spot"
FUTURES: Final = "futures"
BOTH: Final = (SPOT, FUTURES)

BANNED: Final = frozenset({418, 429})
"""Statuses after which a broker asks nothing more for a minute or two: no other case can run beside them."""

HANGS_SHORT_SECONDS: Final = 1.5
HANGS_LONG_SECONDS: Final = 25
"""Longer than the executor waits."""

IN_TIME_SECONDS: Final = 1.5
JUST_IN_TIME_SECONDS: Final = 4
TOO_LATE_SECONDS: Final = 7
"""Within recvWindow, near its end, and beyond it."""


GROUPS: Final = {
    "drop": "cut off",
    "reset": "cut off",
    "cut": "cut off",
    "hold": "hanging",
    "hang": "hanging",
    "html": "not JSON",
    "status": "not JSON",
    "empty": "not JSON",
    "code": "an error",
    "late": "executed late",
}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`look_up`: what goes wrong besides, with this many look-ups of each request."""

    body: Mapping[str, Any]
    markets: tuple[str, ...] = BOTH
    look_up: Mapping[str, Any] | None = None

    @property
    def group(self) -> str:
        """Its line in the table."""
        beside = "" if self.look_up is None else ", look-ups too"
        return f"{self.body['when']}, {GROUPS[self.body['do']]}{beside}"

    @property
    def name(self) -> str:
        beside = [] if self.look_up is None else [self.look_up]
        return ", then ".join(" ".join(str(it) for it in body.values()) for body in (self.body, *beside))

    @property
    def bans(self) -> bool:
        return self.body.get("http") in BANNED

    def kinds(self) -> list[Kind]:
        """Those that can meet it."""
        return [kind for kind in KINDS.values() if self._fits(kind)]

    def _fits(self, kind: Kind) -> bool:
        if kind.tool == LEVERAGE and self.body.get("code") in OF_ORDERS:
            return False
        return (SPOT if kind.post == SPOT_ORDER else FUTURES) in self.markets


OF_ORDERS: Final = frozenset(
    {-1013, -1111, -1116, -2010, -2018, -2021, -2022, -4003, -4014, -4015, -4116, -4120, -4131, -4164}
    | {-5021, -5022, -5028, -20132}
)
"""Codes that speak of an order's price, amount or kind: no change of leverage is answered so."""

TORN: Final = ("drop", "reset", "cut")
NOBODY_KNOWS: Final = (200, 400, 403, 404, 451, 500, 502, 503, 504)
"""Statuses of a page or a text in place of Binance's JSON."""

UNCERTAIN: Final = (
    # code, HTTP status, markets: Binance does not say whether it was executed.
    (-1000, 400, BOTH),
    (-1000, 500, BOTH),
    (-1001, 503, BOTH),
    (-1006, 400, BOTH),
    (-1007, 200, BOTH),
    (-1007, 400, BOTH),
    (-1007, 408, BOTH),
    (-1007, 504, BOTH),
    (-1008, 503, (SPOT,)),
    (-1010, 400, BOTH),
    (-1016, 503, BOTH),
    (-4116, 400, (FUTURES,)),
    (-20132, 400, (SPOT,)),
    (-9999, 400, BOTH),
)
CERTAIN: Final = (
    # Nothing was executed, and Binance says so.
    (-1003, 418, BOTH),
    (-1003, 429, BOTH),
    (-1015, 429, BOTH),
    (-1008, 503, (FUTURES,)),
    (-1013, 400, BOTH),
    (-1021, 400, BOTH),
    (-1022, 400, BOTH),
    (-1100, 400, BOTH),
    (-1102, 400, BOTH),
    (-1111, 400, BOTH),
    (-1116, 400, BOTH),
    (-1121, 400, BOTH),
    (-2008, 401, BOTH),
    (-2010, 400, BOTH),
    (-2014, 401, BOTH),
    (-2015, 401, BOTH),
    (-2015, 400, BOTH),
    (-2018, 400, (FUTURES,)),
    (-2019, 400, (FUTURES,)),
    (-2021, 400, (FUTURES,)),
    (-2022, 400, (FUTURES,)),
    (-2027, 400, (FUTURES,)),
    (-4003, 400, (FUTURES,)),
    (-4014, 400, (FUTURES,)),
    (-4015, 400, (FUTURES,)),
    (-4061, 400, (FUTURES,)),
    (-4120, 400, (FUTURES,)),
    (-4131, 400, (FUTURES,)),
    (-4164, 400, (FUTURES,)),
    (-5021, 400, (FUTURES,)),
    (-5022, 400, (FUTURES,)),
    (-5028, 400, (FUTURES,)),
)
DUPLICATE: Final = {"code": -2010, "http": 400, "msg": "Duplicate order sent."}
UNKNOWN_503: Final = {
    "code": None,
    "http": 503,
    "msg": "Unknown error, please check your request or try again later.",
}
FAILED_503: Final = (
    "Service Unavailable.",
    "Internal error; unable to process your request. Please try again.",
)


def _every() -> Iterator[Fault]:
    for when in ("received", "executed"):
        yield from _silent(when)
        yield from _gateways(when)
        yield from (_code(when, *row) for row in UNCERTAIN)
        yield Fault(body={"when": when, "do": "code", **DUPLICATE})
        yield Fault(body={"when": when, "do": "code", **UNKNOWN_503})
    yield from _silent("answered")
    yield from (_code("received", *row) for row in CERTAIN)
    for msg in FAILED_503:
        body = {"when": "received", "do": "code", "code": None, "http": 503, "msg": msg}
        yield Fault(body=body, markets=(FUTURES,))
    yield from _late()
    yield from _lost_twice()


def _silent(when: str) -> Iterator[Fault]:
    yield from (Fault(body={"when": when, "do": do}) for do in (*TORN, "hold"))
    for seconds in (HANGS_SHORT_SECONDS, HANGS_LONG_SECONDS):
        yield Fault(body={"when": when, "do": "hang", "seconds": seconds})


def _gateways(when: str) -> Iterator[Fault]:
    statuses = (*NOBODY_KNOWS, 408) if when == "received" else (*NOBODY_KNOWS, 408, 429)
    answers = {"html": NOBODY_KNOWS, "status": statuses, "empty": (200, 502)}
    for do, allowed in answers.items():
        yield from (Fault(body={"when": when, "do": do, "http": http}) for http in allowed)
    yield Fault(body={"when": when, "do": "status", "http": 503, "msg": "Service Unavailable"})


def _code(when: str, code: int, http: int, markets: tuple[str, ...]) -> Fault:
    return Fault(body={"when": when, "do": "code", "code": code, "http": http}, markets=markets)


def _late() -> Iterator[Fault]:
    for seconds in (IN_TIME_SECONDS, JUST_IN_TIME_SECONDS, TOO_LATE_SECONDS):
        for hangs in (False, True):
            yield Fault(body={"when": "received", "do": "late", "seconds": seconds, "hangs": hangs})


def _lost_twice() -> Iterator[Fault]:
    """The answer is lost, and the first look-ups go wrong as well: none of that says that it never was."""
    missing = {"do": "code", "code": -2013, "http": 400, "msg": "Order does not exist."}
    wrong: tuple[Mapping[str, Any], ...] = (
        {"do": "drop"},
        {"do": "empty"},
        {"do": "html", "http": 200},
        {"do": "html", "http": 502},
        {"do": "status", "http": 404},
        {"do": "code", "code": -1000, "http": 500},
        {"do": "code", "code": -2015, "http": 401},
        missing,
    )
    for when in ("received", "executed"):
        for look_up in wrong:
            yield Fault(body={"when": when, "do": "drop"}, look_up={"when": "received", **look_up})


FAULTS: Final = tuple(_every())

SAMPLE: Final = tuple(
    Fault(body=body)
    for body in (
        {"when": "executed", "do": "drop"},
        {"when": "received", "do": "late", "seconds": JUST_IN_TIME_SECONDS},
    )
)
"""For every day: one that is found at once, and one that is not there yet when it is looked for."""
