"""Parses order parameters of futures, whose errors differ from those of spot."""

import re
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

from ..http.errors import Refusal, mandatory
from ..http.params import Params
from .errors import position_side_mismatch
from .orders import TimeInForce

Choice = TypeVar("Choice", bound=StrEnum)

_CLIENT_ID = re.compile(r"^[.A-Z:/a-z0-9_-]{1,36}$")
_NUMBER = re.compile(r"^-?[0-9]{1,20}(\.[0-9]{1,20})?$")
_MAX_ID_CHARS = 36


class _PositionSide(StrEnum):
    BOTH = "BOTH"
    LONG = "LONG"
    SHORT = "SHORT"


def client_id(params: Params, name: str) -> str | None:
    value = params.values.get(name)
    if value is not None and len(value) > _MAX_ID_CHARS:
        raise Refusal(-4015, f"Client order id length should not be more than {_MAX_ID_CHARS} chars")
    if value is not None and not _CLIENT_ID.match(value):
        raise Refusal(-4015, "Client order id is not valid.")
    return value


def check_position_side(params: Params) -> None:
    invalid = Refusal(-4060, "Invalid position side.")
    side = params.choice("positionSide", _PositionSide, invalid) or _PositionSide.BOTH
    if side is not _PositionSide.BOTH:
        raise position_side_mismatch()


def needed(params: Params, name: str, choices: type[Choice], code: int, msg: str) -> Choice:
    chosen = params.choice(name, choices, Refusal(code, msg))
    if chosen is None:
        raise mandatory(name)
    return chosen


def read_time_in_force(params: Params) -> TimeInForce:
    invalid = Refusal(-1115, "Invalid timeInForce.")
    return params.choice("timeInForce", TimeInForce, invalid) or TimeInForce.GTC


def amount(params: Params, name: str) -> Decimal:
    """Return the amount, or zero if it is not sent."""
    value = params.values.get(name)
    if value is None:
        return Decimal(0)
    if not _NUMBER.match(value):
        raise mandatory(name)
    return Decimal(value)
