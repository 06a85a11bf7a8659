"""Faults on demand: which request fails, how, and at which moment."""

from dataclasses import dataclass
from enum import StrEnum
from types import NoneType
from typing import Any, TypeVar

Choice = TypeVar("Choice", bound=StrEnum)


class Moment(StrEnum):
    RECEIVED = "received"
    """Before the request is executed."""
    EXECUTED = "executed"
    """After the change is written, before any byte of the answer."""
    ANSWERED = "answered"
    """After half of the answer is sent."""


class Action(StrEnum):
    DROP = "drop"
    """The connection is closed (FIN)."""
    RESET = "reset"
    """The connection is reset (RST)."""
    CUT = "cut"
    """Half of an answer is sent, then the connection is closed."""
    HANG = "hang"
    """Nothing is sent for `seconds`, then the connection is closed."""
    HOLD = "hold"
    """The request waits until it is released, then continues normally."""
    LATE = "late"
    """The request is executed `seconds` later, if still valid. The connection is closed, or hangs."""
    HTML = "html"
    """A gateway's error page instead of the answer."""
    EMPTY = "empty"
    """An answer without a body."""
    STATUS = "status"
    """An HTTP status, with `msg` as plain text."""
    CODE = "code"
    """One of Binance's errors."""


@dataclass(slots=True)
class Fault:
    """`method` or `path` None matches any. It skips `skip` matching requests, then affects `times`."""

    when: Moment
    do: Action
    method: str | None = None
    path: str | None = None
    http: int | None = None
    code: int | None = -1000
    """The error code. None: the answer has only a message, as futures answer for an unknown outcome."""
    msg: str = "An unknown error occurred while processing the request."
    seconds: float | None = None
    hangs: bool = False
    """For a late request: the connection hangs until the client gives up."""
    times: int = 1
    skip: int = 0

    def matches(self, method: str, path: str) -> bool:
        return self.method in (None, method) and self.path in (None, path)


class Faults:
    """The pending faults, in the order in which they were added."""

    def __init__(self) -> None:
        self.pending: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self.pending.append(fault)

    def clear(self) -> None:
        self.pending.clear()

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault for this request, if any, and count it."""
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
    """Parse a fault. Raises ValueError with the field and its allowed values."""
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
        raise ValueError("hangs: for a late request only")
    fault = Fault(moment, action, **values)
    if fault.times < 1 or fault.skip < 0:
        raise ValueError("times, skip: at least 1 and 0")
    return fault


def _one_of(choices: type[Choice], name: str, value: Any) -> Choice:
    try:
        return choices(value)
    except ValueError:
        raise ValueError(f"{name}: one of {', '.join(choices)}") from None
