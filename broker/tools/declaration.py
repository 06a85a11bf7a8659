"""How a tool is declared: once, and everything else is drawn from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, ClassVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)

from ..cards import Figure
from ..clock import Clock
from ..errors import BrokerError, Code
from ..exchange import Exchange, OrderState, Sent
from ..hub import Hub
from ..intents import Intent, Request
from ..money import parse, to_json
from ..settings import Settings
from ..store import Store

NUMBER_SCHEMA = {"type": ["number", "string"]}

Number = Annotated[Decimal, PlainSerializer(to_json, when_used="json"), WithJsonSchema(NUMBER_SCHEMA)]
"""In an answer: a JSON number where a double carries it exactly as written, else a string."""

Positive = Annotated[
    Decimal,
    BeforeValidator(parse),
    Field(gt=0),
    WithJsonSchema(
        {
            **NUMBER_SCHEMA,
            "description": "A positive number of up to 15 significant digits, or a string that holds one.",
        }
    ),
]

Symbol = Annotated[
    str, Field(min_length=1, max_length=30, description="A Binance id such as BTCUSDT, or BTC/USDT.")
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
class Call:
    """One tool call: who asks, and what the tool may use."""

    agent: str
    settings: Settings
    exchange: Exchange
    store: Store
    hub: Hub
    clock: Clock
    progress: Callable[[float], Awaitable[None]] | None = None


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool that passes straight through."""

    name: str
    title: str
    description: str
    risk: Risk
    input: type[Input]
    output: type[Output]
    run: Callable[[Call, Any], Awaitable[Output]]
    reads_only: bool = True


class HighTool(ABC):
    """A tool whose call waits for a trader."""

    name: ClassVar[str]
    title: ClassVar[str]
    description: ClassVar[str]
    input: ClassVar[type[HighInput]]
    output: ClassVar[type[Output]]
    risk: ClassVar[Risk] = Risk.HIGH
    reads_only: ClassVar[bool] = False

    @abstractmethod
    def rounded(self, call: Call, arguments: Any) -> Mapping[str, str]:
        """The trading arguments as they would be sent: decimals as plain strings. Reads nothing."""

    @abstractmethod
    async def prepare(self, call: Call, arguments: Any, rounded: Mapping[str, str]) -> Request:
        """Read the figures, run the checks, draw the card. Raises BrokerError; then nothing is parked."""

    @abstractmethod
    async def submit(
        self, exchange: Exchange, arguments: Mapping[str, str], client_order_id: str, timestamp_ms: int
    ) -> Sent:
        """The one POST, built from the canonical text's arguments alone."""

    @abstractmethod
    async def worse_than_shown(self, exchange: Exchange, terms: Mapping[str, Any]) -> str | None:
        """Why it must not be sent any more: it would now cost more than the card said. Raises BrokerError."""

    @abstractmethod
    async def look_up(
        self, exchange: Exchange, arguments: Mapping[str, str], client_order_id: str
    ) -> OrderState | None:
        """What became of it; None when Binance knows no such order now."""

    @abstractmethod
    def result(self, intent: Intent) -> dict[str, Any]:
        """The contract's result of a placed intent."""

    @abstractmethod
    async def figures_now(self, exchange: Exchange, intent: Intent) -> list[Figure]:
        """The figures that move while the trader reads. Raises BrokerError."""


class HighInput(Input):
    """What every HIGH tool also takes."""

    reason: Annotated[str, Field(max_length=500, description="Why, in your words; the trader reads it.")] = ""
    ttlSeconds: Annotated[
        int | None,
        Field(ge=30, le=86400, description="How long the request waits for the trader."),
    ] = None
    idempotencyKey: Annotated[
        str | None,
        Field(
            min_length=8,
            max_length=128,
            description="Generate once per intended action and REUSE it when you retry that action "
            "(a time-out, a lost answer). A new value means a new order.",
        ),
    ] = None

    def asked(self) -> dict[str, Any]:
        """The trading arguments as they were asked for, before rounding."""
        own = set(HighInput.model_fields)
        return {
            name: value if isinstance(value, bool | int) else str(value)
            for name, value in self.model_dump(exclude=own, exclude_none=True).items()
        }


AnyTool = Tool | HighTool


def validated(tool: AnyTool, arguments: Mapping[str, Any]) -> Input:
    """Raises INVALID_ARGUMENTS that names each field and what it may be."""
    try:
        return tool.input.model_validate(dict(arguments))
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
