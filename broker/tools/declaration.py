"""How a tool is declared. MCP, HTTP and the tool reference are built from the declaration."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)

from ..errors import BrokerError, Code
from ..exchange import Market
from ..hub import Hub
from ..money import parse, to_json
from ..orders.context import AgentContext

NUMBER_SCHEMA = {"type": ["number", "string"]}

Number = Annotated[Decimal, PlainSerializer(to_json, when_used="json"), WithJsonSchema(NUMBER_SCHEMA)]
"""A decimal in an answer: a JSON number if a double holds it exactly, else a string."""

A_NUMBER = "Positive, up to 15 significant digits, as a number or a string."

Positive = Annotated[Decimal, BeforeValidator(parse), Field(gt=0), WithJsonSchema(NUMBER_SCHEMA)]
"""A decimal argument. End its description with A_NUMBER."""


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a whole number")
    return value


WHOLE = BeforeValidator(_no_boolean)
"""Validator for int arguments: accepts a whole number or its string, refuses booleans.

Put it after the limits of the int: pydantic leaves them out of the schema otherwise.
"""

Symbol = Annotated[
    str,
    Field(
        min_length=1,
        max_length=30,
        description="As on Binance: BTCUSDT (BTC/USDT works too). Prices are in the quote asset (USDT), "
        "amounts in the base asset (BTC).",
    ),
]

MarketName = Annotated[
    Literal["spot", "futures"],
    Field(description="spot is the default; futures are USDT-margined perpetuals."),
]


class Risk(StrEnum):
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class Input(BaseModel):
    """Base class of tool arguments. Unknown arguments are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Output(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, kw_only=True)
class Look:
    """A market tool that an agent called for a symbol, and the time of the last call."""

    tool: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Call(AgentContext):
    """The context of one tool call.

    `looked_at(market, symbol)`: the market data that the agent read before, latest first.
    """

    hub: Hub
    looked_at: Callable[[str, str], Sequence[Look]]
    progress: Callable[[float], Awaitable[None]] | None = None


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool that runs at once, without a trader's approval.

    `market`: the market that it reads if it has no `market` argument. `harmless`: it changes nothing at
    Binance and may be called twice, so MCP hosts need not ask before they call it.
    """

    name: str
    title: str
    description: str
    risk: Risk
    input: type[Input]
    output: type[Output]
    run: Callable[[Call, Any], Awaitable[Output]]
    reads_only: bool = True
    harmless: bool = False
    market: Market = Market.SPOT


def validated(model: type[Input], arguments: Mapping[str, Any]) -> Input:
    """The arguments as `model`. Raises INVALID_ARGUMENTS, which names each wrong field and what it allows."""
    try:
        return model.model_validate(dict(arguments))
    except ValidationError as error:
        fields = [_problem(item) for item in error.errors(include_url=False)]
        raise BrokerError(
            Code.INVALID_ARGUMENTS,
            "; ".join(f"{item['field']}: {item['problem']}" for item in fields),
            details={"fields": fields},
        ) from None


def _problem(item: Any) -> dict[str, Any]:
    field = ".".join(str(part)[:64] for part in item["loc"]) or "arguments"
    problem = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        problem = "is not an argument of this tool"
    allowed = {
        name: value if isinstance(value, int | str) else str(value)
        for name, value in item.get("ctx", {}).items()
        if name in ("ge", "le", "gt", "lt", "min_length", "max_length", "expected")
    }
    return {"field": field, "problem": problem[:300], **allowed}
