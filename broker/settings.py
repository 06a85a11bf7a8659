"""The settings, read from the environment and `.env`. The unit is part of a setting's name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from .addresses import is_http, is_plain, opens_elsewhere, require_reachable
from .cash import DEFAULT_CASH, cash_assets
from .errors import StartError

LATER = {
    "REDIS_URL": "Redis",
    "METRICS_TOKEN": "metrics",
}
"""Settings of a later release. They are refused instead of ignored, because the operator relies on them."""


OWN_NAME = "broker.localhost"
"""A host name of this machine that only the broker uses, so that browsers do not send its cookies to other
servers on localhost or 127.0.0.1. Chromium and Firefox resolve it themselves (RFC 6761); Safari may not.
"""
MOST_USDT = 10**15
"""Upper bound of limits in USDT. With two decimals it still fits the decimal context."""


class Mode(StrEnum):
    PAPER = "paper"
    TESTNET = "testnet"
    LIVE = "live"


def setting(
    default: Any,
    meaning: str,
    *,
    section: str | None = None,
    unset: str | None = None,
    example: str | None = None,
    **bounds: Any,
) -> Any:
    """A field, with its texts for docs/settings.md and .env.example (see `python -m tests.generate_docs`).

    `section` starts a new section. `unset` explains the default None. `example` is shown if there is no
    default.
    """
    shown: dict[str, Any] = {"section": section, "unset": unset, "example": example}
    return Field(default, description=meaning, json_schema_extra=shown, **bounds)


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_file=".env", extra="forbid", frozen=True, env_ignore_empty=True)

    port: int = setting(
        3606, "Port of the page, the tools and MCP. 0 takes a free port.", section="Address", ge=0, le=65535
    )
    host: str = setting("127.0.0.1", "Address to listen on. 0.0.0.0 opens it to the network.")
    public_url: str | None = setting(
        None,
        "The address of the page in a browser, if it is not http://broker.localhost:PORT: "
        "http(s)://host[:port], without a path. All links use it. For Safari on this machine: "
        "http://127.0.0.1:3606.",
        example="https://broker.example.com",
    )
    mcp_api_key: SecretStr | None = setting(
        None,
        "API key of the agent `default`, at least 16 characters. `broker agents add` adds other agents.",
        section="Agents",
        unset="made at the first start",
        min_length=16,
    )
    max_pending_per_agent: int = setting(
        50, "How many requests of one agent may wait for a trader at the same time.", ge=1, le=1_000_000
    )
    max_calls_per_minute_per_agent: int = setting(
        600,
        "How many calls one agent may make in a minute. Calls of intent_* tools do not count.",
        ge=1,
        le=1_000_000,
    )
    max_connections: int = setting(
        8192,
        "How many connections may be open. The system's limit on open files may allow fewer; 128 of them"
        " are kept for Binance, the database and notifications.",
        section="Connections",
        ge=64,
        le=60_000,
    )
    max_anonymous_connections: int = setting(
        1024,
        "How many of them may be anonymous (their last request had no valid key or session): at most half of"
        " all. For a new one, the broker closes the one that has kept it waiting longest.",
        ge=16,
        le=30_000,
    )
    max_anonymous_connections_per_address: int = setting(
        512,
        "The same from one address. IPv6 addresses with the same first 64 bits count as one address.",
        ge=8,
        le=30_000,
    )
    request_timeout_seconds: int = setting(
        20, "How many seconds a client may take to send a whole request.", ge=1, le=300
    )
    keep_alive_seconds: int = setting(
        5, "How many seconds an idle connection stays open between two requests.", ge=1, le=300
    )
    binance_api_key: SecretStr | None = setting(
        None,
        "API key of the spot account. Set it together with its secret. Unset: paper mode; with "
        "BINANCE_TESTNET=false live market data and no account.",
        section="Binance",
    )
    binance_api_secret: SecretStr | None = setting(None, "API secret of the spot account.")
    binance_futures_api_key: SecretStr | None = setting(
        None, "API key for USDT-M futures, if it is not the spot key.", unset="the spot pair"
    )
    binance_futures_api_secret: SecretStr | None = setting(
        None, "API secret for USDT-M futures.", unset="the spot pair"
    )
    binance_testnet: bool = setting(
        True, "true: Binance's testnet, or paper mode without keys. false: real money."
    )
    binance_futures_testnet: bool = setting(
        True, "The same for futures. Must have the same value as BINANCE_TESTNET."
    )
    allow_withdrawal_keys: bool = setting(
        False, "true: live mode also starts with a key that may withdraw. A key that cannot is safer."
    )
    max_order_value_usdt: Decimal = setting(
        Decimal(1000),
        "Largest value of one order, in USDT.",
        section="Limits. None but LIMIT_COLLAR_PCT refuses an exit: its card shows that it is above a limit",
        gt=0,
        le=MOST_USDT,
    )
    max_daily_volume_usdt: Decimal = setting(
        Decimal(10000), "Largest total value of one UTC day's orders, in USDT.", gt=0, le=MOST_USDT
    )
    max_leverage: int = setting(20, "Largest leverage on futures.", ge=1, le=125)
    max_position_size_pct: Decimal = setting(
        Decimal(5), "Largest position after an entry, in percent of its market's equity.", gt=0, le=100
    )
    cash_assets: str = setting(
        DEFAULT_CASH,
        "Assets that count as cash, separated by commas; must include USDT. To sell a position for cash is an"
        " exit. To sell for anything else is an entry. Cash is not a position.",
    )
    limit_collar_pct: Decimal = setting(
        Decimal(5),
        "How far beyond the market price a limit price may be, in percent. Beyond that it is refused as a "
        "typing error, for exits too.",
        gt=0,
        lt=100,
    )
    price_tolerance_pct: Decimal = setting(
        Decimal("0.5"),
        "A market order is not sent if its price got worse by more than this, in percent. The broker checks"
        " it just before sending; Binance does not enforce it, so the order may fill at a worse price.",
        ge=0,
        lt=100,
    )
    exit_price_tolerance_pct: Decimal | None = setting(
        None, "The same for an exit.", unset="any price", example="2", ge=0, lt=100
    )
    intent_ttl_seconds: int = setting(
        300,
        "How many seconds a request waits for a trader, unless the call sets ttlSeconds.",
        section="Time",
        ge=30,
        le=86400,
    )
    intent_exit_ttl_seconds: int = setting(1800, "The same for an exit.", ge=30, le=86400)
    approval_validity_seconds: int = setting(
        30, "How many seconds after its approval an order may still be sent.", ge=1, le=3600
    )
    confirm_protective_cancels: bool = setting(
        False,
        "true: an agent's cancel of a protective order (stop, take-profit, reduce-only) waits for a trader "
        "too. false: it reaches Binance without an approval, and can leave a position unprotected. Use true "
        "with real money.",
        section="Confirmation",
    )
    notify_allow_private: bool = setting(
        False,
        "true: notifications may also go to loopback and private addresses, and there over plain http.",
        section="Notifications",
    )
    heartbeat_url: SecretStr | None = setting(
        None,
        "Gets a request (GET) each minute while broker, database, executor and notifications work. A monitor "
        "outside can alert when these stop. https, or http to a private address.",
        example="https://monitor.example/ping/abc",
    )
    mcp_tasks: bool = setting(
        False,
        "true: MCP clients that support tasks get a waiting request as a task. They block until it is "
        "decided.",
        section="MCP clients (docs/mcp.md). Neither setting lets a client approve anything",
    )
    mcp_url_elicitation: bool = setting(
        False,
        "true: MCP clients that can open links get the request's page, and wait up to two minutes.",
    )
    data_dir: Path | None = setting(
        None,
        "Folder of the database, the keys and the paper exchange.",
        section="Data and logs",
        unset="confirmation-broker in the user's data folder (XDG_DATA_HOME); /data in the image",
        example="/data",
    )
    database_url: str | None = setting(
        None,
        "The database: sqlite+aiosqlite:///PATH.",
        unset="a file in DATA_DIR, named by mode",
        example="sqlite+aiosqlite:////data/paper.db",
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "debug, info, warning or error."
    )
    log_file: Path | None = setting(
        None, "A file for the log as JSON Lines, in addition to the terminal.", example="/data/broker.jsonl"
    )
    paper_url: str | None = setting(
        None,
        "Address of a paper exchange that already runs on this machine (`broker paper`). Only in paper mode.",
        section="The paper exchange",
        unset="it runs inside the broker",
        example="http://127.0.0.1:3607",
    )
    paper_seed: int = setting(
        1,
        "Any whole number: the seed of the paper exchange's prices. The same number gives the same prices.",
    )
    redis_url: str | None = setting(
        None, "Refused in this release.", section="Settings of later releases", unset="memory"
    )
    metrics_token: SecretStr | None = setting(None, "Refused in this release.")

    @field_validator("log_level", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("cash_assets")
    @classmethod
    def _asset_names(cls, value: str) -> str:
        return ",".join(cash_assets(value))

    @field_validator("public_url", "paper_url")
    @classmethod
    def _plain_origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        bare = value.rstrip("/")
        if not is_http(bare) or "@" in bare or bare.partition("://")[2] != urlsplit(bare).netloc:
            raise ValueError("must be http(s)://host[:port] without a path")
        return bare.lower()

    @field_validator("heartbeat_url")
    @classmethod
    def _http(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            require_reachable(value.get_secret_value())
        return value

    @field_validator("mcp_api_key", "binance_api_key", "binance_futures_api_key")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        """A key is sent in an HTTP header. (A secret is not: it may be a PEM text of many lines.)"""
        key = value.get_secret_value() if value else ""
        if not is_plain(key) or key != key.strip():
            raise ValueError("must be printable ASCII, without spaces at the start or end")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for name, what in LATER.items():
            if getattr(self, name.lower()) is not None:
                raise ValueError(f"{name}: this release has no {what} yet; remove the setting")
        for pair in ("BINANCE_API", "BINANCE_FUTURES_API"):
            key, secret = (getattr(self, f"{pair}_{half}".lower()) for half in ("KEY", "SECRET"))
            if (key is None) != (secret is None):
                missing = "SECRET" if secret is None else "KEY"
                raise ValueError(f"{pair}_{missing} is missing: set both key and secret, or neither")
        if self.binance_futures_api_key is not None and self.binance_api_key is None:
            raise ValueError(
                "BINANCE_FUTURES_API_KEY is set without BINANCE_API_KEY: set both, or only BINANCE_API_KEY"
            )
        if self.binance_testnet != self.binance_futures_testnet:
            raise ValueError("BINANCE_TESTNET and BINANCE_FUTURES_TESTNET differ: set both to the same value")
        if self.paper_url is not None:
            if self.mode is not Mode.PAPER:
                raise ValueError("PAPER_URL is set together with Binance keys or BINANCE_TESTNET=false")
            if urlsplit(self.paper_url).hostname not in ("127.0.0.1", "localhost", "::1"):
                raise ValueError("PAPER_URL must be on this machine (127.0.0.1)")
        return self

    @cached_property
    def cash(self) -> frozenset[str]:
        """The assets in CASH_ASSETS: holding one is not a position, and selling a position for one is an
        exit.
        """
        return frozenset(self.cash_assets.split(","))

    @property
    def mode(self) -> Mode:
        if not self.binance_testnet:
            return Mode.LIVE
        return Mode.TESTNET if self.binance_api_key else Mode.PAPER

    @property
    def account(self) -> str:
        """The account that a database belongs to: a hash of its API keys, "paper" or "no-keys"."""
        if self.mode is Mode.PAPER:
            return "paper"
        keys = [self.binance_api_key, self.binance_futures_api_key]
        text = " ".join(key.get_secret_value() for key in keys if key is not None)
        return sha256(text.encode()).hexdigest()[:16] if text else "no-keys"

    @property
    def configured(self) -> bool:
        """Whether there is an account: paper mode, or API keys."""
        return self.mode is Mode.PAPER or self.binance_api_key is not None

    @property
    def folder(self) -> Path:
        if self.data_dir is not None:
            return self.data_dir
        base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
        return Path(base) / "confirmation-broker"

    @property
    def database(self) -> Path:
        """The SQLite file. The driver in the URL is ignored. Raises StartError for another kind of URL."""
        if self.database_url is None:
            return self.folder / f"{self.mode}.db"
        scheme, _, path = self.database_url.partition("://")
        names_a_file = path.startswith("/") and bool(Path(path[1:]).name) and "?" not in path
        if scheme not in ("sqlite", "sqlite+aiosqlite") or not names_a_file:
            raise StartError("DATABASE_URL must be sqlite+aiosqlite:///PATH in this release")
        return Path(path[1:])

    @property
    def url(self) -> str:
        """The pages' address. All links use it, so that a trader needs to sign in only once."""
        on_own_name = self.host in ("127.0.0.1", "localhost")
        return self.public_url or (f"http://{OWN_NAME}:{self.port}" if on_own_name else self.local_url)

    @property
    def agents_url(self) -> str:
        """The agents' address: most agents cannot resolve names under localhost."""
        return self.public_url or self.local_url

    @property
    def opens_elsewhere(self) -> bool:
        """Whether a link to the pages can work on another device, judged by its host."""
        return opens_elsewhere(self.url)

    @property
    def local_url(self) -> str:
        """The broker's address on this machine."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "localhost") else self.host  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def load(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Reads the environment and `.env`. Raises StartError, with one line that names each wrong setting."""
    try:
        settings = Settings(**(overrides or {}))
        _ = settings.database
    except ValidationError as error:
        raise StartError("; ".join(_line(item) for item in error.errors())) from None
    return settings


def _line(item: Any) -> str:
    name = "_".join(str(part) for part in item["loc"]).upper()
    problem = item["msg"].removeprefix("Value error, ")
    if item["type"] == "too_short":
        problem = f"must have at least {item['ctx']['min_length']} characters"
    if item["type"] == "extra_forbidden":
        return f"{name} in .env is not a setting of the broker"
    return f"{name}: {problem}" if name else problem
