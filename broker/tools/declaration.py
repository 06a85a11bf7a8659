"""How a tool is declared: once, and everything else is drawn from it."""

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
"""In an answer: a JSON number where a double carries it exactly as written, else a string."""

A_NUMBER = "Positive, of up to 15 significant digits; a string may hold it."

Positive = Annotated[Decimal, BeforeValidator(parse), Field(gt=0), WithJsonSchema(NUMBER_SCHEMA)]
"""In an argument; its description ends with A_NUMBER."""


def _no_boolean(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("must be a whole number")
    return value


WHOLE = BeforeValidator(_no_boolean)
"""On an int: a whole number, or a string that holds one; `true` is none. It stands behind the int's limits,
or the schema would not show them.
"""

Symbol = Annotated[
    str,
    Field(
        min_length=1,
        max_length=30,
        description="As Binance writes it: BTCUSDT (BTC/USDT is taken too). Prices are in its quote asset "
        "(USDT), amounts in its base asset (BTC).",
    ),
]

MarketName = Annotated[
    Literal["spot", "futures"],
    Field(description="spot is the default; futures are perpetuals that are margined in USDT."),
]


class Risk(StrEnum):
    LOW = "LOW"
    MEDIUM = "MEDIUM"
    HIGH = "HIGH"


class Input(BaseModel):
    """Arguments. What is not declared is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Output(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True, kw_only=True)
class Look:
    """A market tool that an agent read on a symbol, and when it last did."""

    tool: str
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Call(AgentContext):
    """One tool call, and what this agent read of a market's symbol before."""

    hub: Hub
    looked_at: Callable[[str, str], Sequence[Look]]
    progress: Callable[[float], Awaitable[None]] | None = None


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool that passes straight through. `market` is what it reads when it has no argument of that name.

    `harmless` says that it reaches nothing at Binance and may be called twice, so that hosts need not ask
    before it.
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
    """Raises INVALID_ARGUMENTS that names each field and what it may be."""
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
