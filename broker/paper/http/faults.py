"""Faults to order: what goes wrong with which request, at which moment."""

from dataclasses import dataclass
from enum import StrEnum
from types import NoneType
from typing import Any, TypeVar

Choice = TypeVar("Choice", bound=StrEnum)


class Moment(StrEnum):
    RECEIVED = "received"
    """Before it is executed."""
    EXECUTED = "executed"
    """After it is written down, before any byte of the answer."""
    ANSWERED = "answered"
    """After half of the answer."""


class Action(StrEnum):
    DROP = "drop"
    """The connection is closed (FIN)."""
    RESET = "reset"
    """The connection is reset (RST)."""
    CUT = "cut"
    """Half an answer, then the connection is closed."""
    HANG = "hang"
    """Nothing is sent for `seconds`, then the connection is closed."""
    HOLD = "hold"
    """It waits until it is released, and goes on as if nothing had been."""
    LATE = "late"
    """It is executed `seconds` later, if it is still valid then; the connection is closed or hangs."""
    HTML = "html"
    """A gateway's page instead of the answer."""
    EMPTY = "empty"
    """An answer without a body."""
    STATUS = "status"
    """An HTTP status with `msg` as plain text."""
    CODE = "code"
    """An error of Binance."""


@dataclass(slots=True)
class Fault:
    """`method` and `path` None: any. It passes by `skip` requests, then strikes `times` times."""

    when: Moment
    do: Action
    method: str | None = None
    path: str | None = None
    http: int | None = None
    code: int | None = -1000
    """Of an error; null: the answer has a message only, as futures have where they don't know."""
    msg: str = "An unknown error occurred while processing the request."
    seconds: float | None = None
    hangs: bool = False
    """Of a late request: the connection hangs, until the client gives up."""
    times: int = 1
    skip: int = 0

    def matches(self, method: str, path: str) -> bool:
        return self.method in (None, method) and self.path in (None, path)


class Faults:
    """Those that have not struck yet, in the order in which they came."""

    def __init__(self) -> None:
        self.pending: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self.pending.append(fault)

    def clear(self) -> None:
        self.pending.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """The one that strikes this request."""
        for fault in [fault for fault in self.pending if fault.matches(method, path)]:
            if fault.skip:
                fault.skip -= 1
                continue
            fault.times -= 1
            if not fault.times:
                self.pending.remove(fault)
            return fault
        return None


_TORN = frozenset({Action.DROP, Action.RESET, Action.CUT, Action.HANG, Action.HOLD})
_TYPES: dict[str, type | tuple[type, ...]] = {
    "method": str,
    "path": str,
    "http": int,
    "code": (int, NoneType),
    "msg": str,
    "seconds": (int, float),
    "hangs": bool,
    "times": int,
    "skip": int,
}


def parsed(body: dict[str, Any]) -> Fault:
    """Raises ValueError with the field and what is allowed."""
    values = dict(body)
    moment = _one_of(Moment, "when", values.pop("when", None))
    action = _one_of(Action, "do", values.pop("do", None))
    for name, value in values.items():
        if name not in _TYPES or not isinstance(value, _TYPES[name]):
            raise ValueError(f"{name}: allowed are when, do, {', '.join(_TYPES)}, each of its type")
    if action is Action.LATE and moment is not Moment.RECEIVED:
        raise ValueError("when: a late request can only be 'received'")
    if moment is Moment.ANSWERED and action not in _TORN:
        raise ValueError(f"do: when 'answered', one of {', '.join(sorted(_TORN))}")
    if values.get("hangs") and action is not Action.LATE:
        raise ValueError("hangs: of a late request only")
    fault = Fault(moment, action, **values)
    if fault.times < 1 or fault.skip < 0:
        raise ValueError("times, skip: at least 1 and 0")
    return fault


def _one_of(choices: type[Choice], name: str, value: Any) -> Choice:
    try:
        return choices(value)
    except ValueError:
        raise ValueError(f"{name}: one of {', '.join(choices)}") from None
