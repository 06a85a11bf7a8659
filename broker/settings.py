"""The environment, typed. Units stand in the names, as operators write them."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from .errors import StartError

LATER = {
    "REDIS_URL": "Redis",
    "METRICS_TOKEN": "metrics",
}
"""Settings of a later release. They are refused, never ignored: somebody relies on what he sets."""


OWN_NAME = "broker.localhost"
"""A name of this machine that only the broker uses. Browsers send its cookies to no server on localhost or
127.0.0.1. Chromium and Firefox know it without asking anybody (RFC 6761); Safari may not.
"""
DEFAULT_CASH: Final = ",".join(
    [
        *("USDT", "USDC", "FDUSD", "TUSD", "USDP", "DAI", "USD1", "USDE", "BFUSD"),
        *("ARS", "AUD", "BRL", "COP", "CZK", "EUR", "GBP", "IDR", "JPY", "MXN", "NGN", "PLN", "RON", "RUB"),
        *("TRY", "UAH", "ZAR"),
    ]
)
"""Stablecoins of the US dollar and fiat currencies, as Binance lists them."""

ASSET_NAME: Final = re.compile(r"[A-Z0-9]{1,20}", re.ASCII)


MOST_USDT = 10**15
"""Whoever wants no limit: with its cents it still fits the decimal context, so that cards can show it."""


class Mode(StrEnum):
    PAPER = "paper"
    TESTNET = "testnet"
    LIVE = "live"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_file=".env", extra="forbid", frozen=True, env_ignore_empty=True)

    port: int = Field(3606, ge=0, le=65535)
    host: str = "127.0.0.1"
    mcp_api_key: SecretStr | None = Field(None, min_length=16)
    binance_api_key: SecretStr | None = None
    binance_api_secret: SecretStr | None = None
    binance_futures_api_key: SecretStr | None = None
    binance_futures_api_secret: SecretStr | None = None
    binance_testnet: bool = True
    binance_futures_testnet: bool = True
    max_order_value_usdt: Decimal = Field(Decimal(1000), gt=0, le=MOST_USDT)
    max_daily_volume_usdt: Decimal = Field(Decimal(10000), gt=0, le=MOST_USDT)
    max_leverage: int = Field(20, ge=1, le=125)
    max_pending_per_agent: int = Field(50, ge=1, le=1_000_000)
    max_calls_per_minute_per_agent: int = Field(600, ge=1, le=1_000_000)
    max_connections: int = Field(8192, ge=64, le=60_000)
    max_anonymous_connections: int = Field(1024, ge=16, le=30_000)
    max_anonymous_connections_per_address: int = Field(512, ge=8, le=30_000)
    request_timeout_seconds: int = Field(20, ge=1, le=300)
    keep_alive_seconds: int = Field(5, ge=1, le=300)
    max_position_size_pct: Decimal = Field(Decimal(5), gt=0, le=100)
    cash_assets: str = DEFAULT_CASH
    limit_collar_pct: Decimal = Field(Decimal(5), gt=0, lt=100)
    price_tolerance_pct: Decimal = Field(Decimal("0.5"), ge=0, lt=100)
    exit_price_tolerance_pct: Decimal | None = Field(None, ge=0, lt=100)
    intent_ttl_seconds: int = Field(300, ge=30, le=86400)
    intent_exit_ttl_seconds: int = Field(1800, ge=30, le=86400)
    approval_validity_seconds: int = Field(30, ge=1, le=3600)
    confirm_protective_cancels: bool = False
    allow_withdrawal_keys: bool = False
    notify_allow_private: bool = False
    heartbeat_url: SecretStr | None = None
    mcp_tasks: bool = False
    mcp_url_elicitation: bool = False
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_file: Path | None = None
    data_dir: Path | None = None
    database_url: str | None = None
    public_url: str | None = None
    paper_url: str | None = None
    paper_seed: int = 1
    redis_url: str | None = None
    metrics_token: SecretStr | None = None

    @field_validator("log_level", mode="before")
    @classmethod
    def _any_case(cls, value: Any) -> Any:
        return value.lower() if isinstance(value, str) else value

    @field_validator("cash_assets")
    @classmethod
    def _asset_names(cls, value: str) -> str:
        """USDT has to be in it: limits are counted in USDT, and most exits sell for it."""
        names = [name.strip().upper() for name in value.split(",")]
        wrong = next((name for name in names if not ASSET_NAME.fullmatch(name)), None)
        if wrong is not None:
            raise ValueError(
                f"{wrong[:20]!r} is no asset: names of letters and digits, with commas between them"
            )
        if "USDT" not in names:
            raise ValueError("USDT is missing: limits are counted in it")
        return ",".join(dict.fromkeys(names))

    @field_validator("public_url", "paper_url")
    @classmethod
    def _plain_origin(cls, value: str | None) -> str | None:
        if value is None:
            return None
        bare = value.rstrip("/")
        if not _is_http(bare) or "@" in bare or bare.partition("://")[2] != urlsplit(bare).netloc:
            raise ValueError("must be http(s)://host[:port] without a path")
        return bare.lower()

    @field_validator("heartbeat_url")
    @classmethod
    def _http(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _is_http(value.get_secret_value()):
            raise ValueError("must be http(s)://host[:port]/path, in printable ASCII without spaces")
        return value

    @field_validator("mcp_api_key", "binance_api_key", "binance_futures_api_key")
    @classmethod
    def _fits_a_header(cls, value: SecretStr | None) -> SecretStr | None:
        """No request can carry another key. A secret may be a PEM text, of many lines."""
        key = value.get_secret_value() if value else ""
        if not _is_plain(key) or key != key.strip():
            raise ValueError("must be printable ASCII without spaces around it")
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
                raise ValueError(f"{pair}_{missing} is missing: set both halves of the key pair, or neither")
        if self.binance_futures_api_key is not None and self.binance_api_key is None:
            raise ValueError(
                "BINANCE_FUTURES_API_KEY is set without BINANCE_API_KEY: set both pairs, or the latter alone"
            )
        if self.binance_testnet != self.binance_futures_testnet:
            raise ValueError("BINANCE_TESTNET and BINANCE_FUTURES_TESTNET disagree: set both alike")
        if self.paper_url is not None:
            if self.mode is not Mode.PAPER:
                raise ValueError("PAPER_URL is set together with Binance keys or BINANCE_TESTNET=false")
            if urlsplit(self.paper_url).hostname not in ("127.0.0.1", "localhost", "::1"):
                raise ValueError("PAPER_URL must be on this machine (127.0.0.1)")
        return self

    @cached_property
    def cash(self) -> frozenset[str]:
        """Assets that are money: holding one is no position, and to sell a position for one is an exit."""
        return frozenset(self.cash_assets.split(","))

    @property
    def mode(self) -> Mode:
        if not self.binance_testnet:
            return Mode.LIVE
        return Mode.TESTNET if self.binance_api_key else Mode.PAPER

    @property
    def account(self) -> str:
        """The account that a database belongs to: a fingerprint of its keys, never the keys."""
        if self.mode is Mode.PAPER:
            return "paper"
        keys = [self.binance_api_key, self.binance_futures_api_key]
        told = " ".join(key.get_secret_value() for key in keys if key is not None)
        return sha256(told.encode()).hexdigest()[:16] if told else "no-keys"

    @property
    def configured(self) -> bool:
        """Whether tools that need an account can work at all."""
        return self.mode is Mode.PAPER or self.binance_api_key is not None

    @property
    def folder(self) -> Path:
        if self.data_dir is not None:
            return self.data_dir
        base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
        return Path(base) / "confirmation-broker"

    @property
    def database(self) -> Path:
        """The SQLite file. Its driver is the broker's own choice, so the URL's is not looked at."""
        if self.database_url is None:
            return self.folder / f"{self.mode}.db"
        scheme, _, path = self.database_url.partition("://")
        names_a_file = path.startswith("/") and bool(Path(path[1:]).name) and "?" not in path
        if scheme not in ("sqlite", "sqlite+aiosqlite") or not names_a_file:
            raise StartError("DATABASE_URL must be sqlite+aiosqlite:///PATH in this release")
        return Path(path[1:])

    @property
    def url(self) -> str:
        """Where a person's browser finds the pages; all links lead there, so that one sign-in is enough."""
        on_own_name = self.host in ("127.0.0.1", "localhost")
        return self.public_url or (f"http://{OWN_NAME}:{self.port}" if on_own_name else self.local_url)

    @property
    def agents_url(self) -> str:
        """Where agents find the broker: most do not know names under localhost."""
        return self.public_url or self.local_url

    @property
    def opens_elsewhere(self) -> bool:
        """Whether a link to its pages leads anywhere on another device, as far as that can be seen."""
        return opens_elsewhere(self.url)

    @property
    def local_url(self) -> str:
        """Where this machine finds the broker."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "localhost") else self.host  # noqa: S104
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def opens_elsewhere(url: str) -> bool:
    """False for this machine, by any of its names that can be told from their text."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost") or host.startswith("127."):
        return False
    try:
        address = ip_address(host)
    except ValueError:
        return True
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return not ((mapped or address).is_loopback or address.is_unspecified)


def _is_http(url: str) -> bool:
    """Whether something can be asked there; what cannot would be found out only when it is needed."""
    try:
        parts = urlsplit(url)
        asked = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of its port or its brackets
        return False
    return asked and _is_plain(url) and " " not in url


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def load(overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the environment and `.env`; one clear line when a setting is malformed.

    Raises StartError.
    """
    try:
        settings = Settings(**(overrides or {}))
        _ = settings.database
    except ValidationError as error:
        raise StartError("; ".join(_line(item) for item in error.errors())) from None
    return settings


def _line(item: Any) -> str:
    name = "_".join(str(part) for part in item["loc"]).upper()
    problem = item["msg"].removeprefix("Value error, ")
    if item["type"] == "extra_forbidden":
        return f"{name} in .env is not a setting of the broker"
    return f"{name}: {problem}" if name else problem
