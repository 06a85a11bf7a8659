"""The environment: typed, refused where it is malformed, never ignored."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import SecretStr

from broker.errors import StartError
from broker.settings import Mode, Settings, load

ROOT = Path(__file__).parent.parent
KEYS = {"BINANCE_API_KEY": "k" * 64, "BINANCE_API_SECRET": "s" * 64}
NAMES = {name.upper() for name in Settings.model_fields}

CONTRACT = {
    "PORT": ("3700", "port", 3700),
    "HOST": ("0.0.0.0", "host", "0.0.0.0"),
    "BINANCE_TESTNET": ("true", "binance_testnet", True),
    "BINANCE_FUTURES_TESTNET": ("true", "binance_futures_testnet", True),
    "MAX_ORDER_VALUE_USDT": ("250.5", "max_order_value_usdt", Decimal("250.5")),
    "MAX_DAILY_VOLUME_USDT": ("5000", "max_daily_volume_usdt", Decimal(5000)),
    "MAX_LEVERAGE": ("10", "max_leverage", 10),
    "MAX_PENDING_PER_AGENT": ("5", "max_pending_per_agent", 5),
    "MAX_CALLS_PER_MINUTE_PER_AGENT": ("60", "max_calls_per_minute_per_agent", 60),
    "MAX_CONNECTIONS": ("500", "max_connections", 500),
    "MAX_ANONYMOUS_CONNECTIONS": ("100", "max_anonymous_connections", 100),
    "MAX_ANONYMOUS_CONNECTIONS_PER_ADDRESS": ("20", "max_anonymous_connections_per_address", 20),
    "REQUEST_TIMEOUT_SECONDS": ("30", "request_timeout_seconds", 30),
    "KEEP_ALIVE_SECONDS": ("60", "keep_alive_seconds", 60),
    "MAX_POSITION_SIZE_PCT": ("7.5", "max_position_size_pct", Decimal("7.5")),
    "CASH_ASSETS": (" usdt, EUR,eur ", "cash", frozenset({"USDT", "EUR"})),
    "LIMIT_COLLAR_PCT": ("3", "limit_collar_pct", Decimal(3)),
    "PRICE_TOLERANCE_PCT": ("0.1", "price_tolerance_pct", Decimal("0.1")),
    "EXIT_PRICE_TOLERANCE_PCT": ("2", "exit_price_tolerance_pct", Decimal(2)),
    "INTENT_TTL_SECONDS": ("60", "intent_ttl_seconds", 60),
    "INTENT_EXIT_TTL_SECONDS": ("600", "intent_exit_ttl_seconds", 600),
    "APPROVAL_VALIDITY_SECONDS": ("10", "approval_validity_seconds", 10),
    "NOTIFY_ALLOW_PRIVATE": ("true", "notify_allow_private", True),
    "HEARTBEAT_URL": (
        "https://monitor.example/x",
        "heartbeat_url",
        SecretStr("https://monitor.example/x"),
    ),
    "ALLOW_WITHDRAWAL_KEYS": ("true", "allow_withdrawal_keys", True),
    "CONFIRM_PROTECTIVE_CANCELS": ("true", "confirm_protective_cancels", True),
    "MCP_TASKS": ("true", "mcp_tasks", True),
    "MCP_URL_ELICITATION": ("true", "mcp_url_elicitation", True),
    "LOG_LEVEL": ("WARNING", "log_level", "warning"),
    "LOG_FILE": ("/var/log/broker.jsonl", "log_file", Path("/var/log/broker.jsonl")),
    "DATA_DIR": ("/data", "data_dir", Path("/data")),
    "DATABASE_URL": ("sqlite+aiosqlite:////d/b.db", "database_url", "sqlite+aiosqlite:////d/b.db"),
    "PUBLIC_URL": ("https://broker.example/", "public_url", "https://broker.example"),
    "PAPER_URL": ("http://127.0.0.1:9", "paper_url", "http://127.0.0.1:9"),
    "PAPER_SEED": ("42", "paper_seed", 42),
}

REFUSED = [
    ({"PORT": "http"}, "PORT: "),
    ({"PORT": "70000"}, "PORT: "),
    ({"MCP_API_KEY": "short"}, "MCP_API_KEY: "),
    ({"MAX_ORDER_VALUE_USDT": "0"}, "MAX_ORDER_VALUE_USDT: "),
    ({"MAX_ORDER_VALUE_USDT": "NaN"}, "MAX_ORDER_VALUE_USDT: "),
    ({"MAX_DAILY_VOLUME_USDT": "-1"}, "MAX_DAILY_VOLUME_USDT: "),
    ({"MAX_ORDER_VALUE_USDT": "1e16"}, "MAX_ORDER_VALUE_USDT: "),
    ({"MAX_DAILY_VOLUME_USDT": "1e30"}, "MAX_DAILY_VOLUME_USDT: "),
    ({"MCP_API_KEY": "hidden-behind-a-space "}, "MCP_API_KEY: must be printable ASCII"),
    ({"MCP_API_KEY": " " * 16}, "MCP_API_KEY: must be printable ASCII"),
    ({"MCP_API_KEY": "hidden\nin-two-lines"}, "MCP_API_KEY: must be printable ASCII"),
    ({"MCP_API_KEY": "hidden-in-ümlauts"}, "MCP_API_KEY: must be printable ASCII"),
    ({"MAX_LEVERAGE": "126"}, "MAX_LEVERAGE: "),
    ({"MAX_PENDING_PER_AGENT": "0"}, "MAX_PENDING_PER_AGENT: "),
    ({"MAX_CALLS_PER_MINUTE_PER_AGENT": "0"}, "MAX_CALLS_PER_MINUTE_PER_AGENT: "),
    ({"MAX_CONNECTIONS": "63"}, "MAX_CONNECTIONS: "),
    ({"MAX_ANONYMOUS_CONNECTIONS": "15"}, "MAX_ANONYMOUS_CONNECTIONS: "),
    ({"MAX_ANONYMOUS_CONNECTIONS_PER_ADDRESS": "7"}, "MAX_ANONYMOUS_CONNECTIONS_PER_ADDRESS: "),
    ({"REQUEST_TIMEOUT_SECONDS": "0"}, "REQUEST_TIMEOUT_SECONDS: "),
    ({"KEEP_ALIVE_SECONDS": "0"}, "KEEP_ALIVE_SECONDS: "),
    ({"MAX_POSITION_SIZE_PCT": "101"}, "MAX_POSITION_SIZE_PCT: "),
    ({"CASH_ASSETS": "USDC,EUR"}, "CASH_ASSETS: USDT is missing"),
    ({"CASH_ASSETS": "USDT,,EUR"}, "CASH_ASSETS: '' is not an asset name"),
    ({"CASH_ASSETS": "USDT;EUR"}, "CASH_ASSETS: 'USDT;EUR' is not an asset name"),
    ({"CASH_ASSETS": "USDT,EU RO"}, "CASH_ASSETS: 'EU RO' is not an asset name"),
    ({"LIMIT_COLLAR_PCT": "100"}, "LIMIT_COLLAR_PCT: "),
    ({"PRICE_TOLERANCE_PCT": "-0.1"}, "PRICE_TOLERANCE_PCT: "),
    ({"INTENT_TTL_SECONDS": "29"}, "INTENT_TTL_SECONDS: "),
    ({"INTENT_EXIT_TTL_SECONDS": "86401"}, "INTENT_EXIT_TTL_SECONDS: "),
    ({"APPROVAL_VALIDITY_SECONDS": "0"}, "APPROVAL_VALIDITY_SECONDS: "),
    ({"LOG_LEVEL": "loud"}, "LOG_LEVEL: "),
    ({"BINANCE_TESTNET": "perhaps"}, "BINANCE_TESTNET: "),
    ({"PUBLIC_URL": "broker.example"}, "PUBLIC_URL: "),
    ({"PUBLIC_URL": "https://broker.example/path"}, "PUBLIC_URL: "),
    ({"PUBLIC_URL": "https://broker.example?a"}, "PUBLIC_URL: "),
    ({"PUBLIC_URL": "https://broker.example?"}, "PUBLIC_URL: "),
    ({"PUBLIC_URL": "https://broker.example:port"}, "PUBLIC_URL: "),
    ({"PUBLIC_URL": "https://broker.example:70000"}, "PUBLIC_URL: "),
    ({"PUBLIC_URL": "https://broker.example "}, "PUBLIC_URL: "),
    ({"PUBLIC_URL": "https://bröker.example"}, "PUBLIC_URL: "),
    ({"PUBLIC_URL": "https://user:hidden@broker.example"}, "PUBLIC_URL: "),
    ({"HEARTBEAT_URL": "monitor.example/hidden"}, "HEARTBEAT_URL: "),
    ({"HEARTBEAT_URL": "https://monitor.example:port/hidden"}, "HEARTBEAT_URL: "),
    ({"HEARTBEAT_URL": "https://monitor.example:70000/hidden"}, "HEARTBEAT_URL: "),
    ({"HEARTBEAT_URL": "https://monitor.example/hidden-ü"}, "HEARTBEAT_URL: "),
    ({"HEARTBEAT_URL": "https://monitor.example/hidden \n"}, "HEARTBEAT_URL: "),
    ({"HEARTBEAT_URL": "http://8.8.8.8/hidden"}, "HEARTBEAT_URL: http is only for private addresses"),
    ({"HEARTBEAT_URL": "http://[2001:4860:4860::8888]/hidden"}, "HEARTBEAT_URL: http is only for private"),
    ({"HEARTBEAT_URL": "https://169.254.169.254/hidden"}, "HEARTBEAT_URL: points to an address that"),
    ({"PAPER_URL": "http://127.0.0.1:port"}, "PAPER_URL: "),
    ({"PAPER_URL": "http://192.0.2.1:9"}, "PAPER_URL must be on this machine"),
    ({"PAPER_URL": "http://127.0.0.1:9", **KEYS}, "PAPER_URL is set together with"),
    ({"PAPER_URL": "http://127.0.0.1:9", "BINANCE_TESTNET": "false"}, "differ"),
    ({**KEYS, "BINANCE_API_KEY": "hidden\n"}, "BINANCE_API_KEY: must be printable ASCII"),
    ({**KEYS, "BINANCE_FUTURES_API_KEY": " hidden"}, "BINANCE_FUTURES_API_KEY: must be printable ASCII"),
    ({"BINANCE_API_KEY": "k"}, "BINANCE_API_SECRET is missing"),
    ({"BINANCE_API_SECRET": "s"}, "BINANCE_API_KEY is missing"),
    ({**KEYS, "BINANCE_FUTURES_API_KEY": "k"}, "BINANCE_FUTURES_API_SECRET is missing"),
    ({"BINANCE_FUTURES_API_KEY": "k", "BINANCE_FUTURES_API_SECRET": "s"}, "without BINANCE_API_KEY"),
    ({"BINANCE_TESTNET": "false"}, "BINANCE_TESTNET and BINANCE_FUTURES_TESTNET differ"),
    ({"REDIS_URL": "redis://127.0.0.1"}, "REDIS_URL: this release has no"),
    ({"METRICS_TOKEN": "t" * 32}, "METRICS_TOKEN: this release has no"),
    ({"DATABASE_URL": "postgresql+asyncpg://u:hidden@h/d"}, "DATABASE_URL must be sqlite"),
    ({"DATABASE_URL": "sqlite+aiosqlite:///"}, "DATABASE_URL must be sqlite"),
    ({"DATABASE_URL": "sqlite+aiosqlite:////"}, "DATABASE_URL must be sqlite"),
    ({"DATABASE_URL": "sqlite+aiosqlite:////d/b.db?mode=ro"}, "DATABASE_URL must be sqlite"),
]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", CONTRACT)
def test_each_setting_is_read_from_the_environment(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text, field, value = CONTRACT[name]
    monkeypatch.setenv(name, text)
    assert getattr(load(), field) == value


def test_there_are_no_settings_but_those_of_the_contract() -> None:
    secret = {*KEYS, "MCP_API_KEY", "BINANCE_FUTURES_API_KEY", "BINANCE_FUTURES_API_SECRET"}
    assert NAMES == CONTRACT.keys() | secret | {"REDIS_URL", "METRICS_TOKEN"}


@pytest.mark.parametrize(("environment", "line"), REFUSED, ids=lambda value: str(value)[:60])
def test_a_bad_setting_is_refused_in_one_line_that_names_it(
    environment: dict[str, str], line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StartError) as refused:
        load()
    assert line in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "hidden" not in str(refused.value)


def test_an_unknown_name_in_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MAX_ORDER_VALUE=5\n")
    with pytest.raises(StartError, match=r"MAX_ORDER_VALUE in \.env is not a setting"):
        load()


def test_an_empty_value_is_no_value(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MCP_API_KEY=\nEXIT_PRICE_TOLERANCE_PCT=\nPORT=4000\n")
    settings = load()
    assert settings.mcp_api_key is None
    assert settings.exit_price_tolerance_pct is None
    assert settings.port == 4000


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("PORT=4000\n")
    monkeypatch.setenv("PORT", "5000")
    assert load().port == 5000


@pytest.mark.parametrize(
    "url",
    ["http://192.168.1.5:3001/x", "http://[fd00::1]/x", "https://8.8.8.8/x", "http://monitor.lan/x"],
)
def test_a_heartbeat_goes_over_https_or_to_a_private_address(url: str) -> None:
    """What a name stands for is checked when it is resolved."""
    assert load({"heartbeat_url": url}).heartbeat_url == SecretStr(url)


@pytest.mark.parametrize(
    ("environment", "mode", "configured"),
    [
        ({}, Mode.PAPER, True),
        (KEYS, Mode.TESTNET, True),
        ({**KEYS, "BINANCE_TESTNET": "false", "BINANCE_FUTURES_TESTNET": "false"}, Mode.LIVE, True),
        ({"BINANCE_TESTNET": "false", "BINANCE_FUTURES_TESTNET": "false"}, Mode.LIVE, False),
    ],
)
def test_keys_and_flags_make_the_mode_and_live_without_keys_never_becomes_paper(
    environment: dict[str, str], mode: Mode, configured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = load()
    assert (settings.mode, settings.configured) == (mode, configured)


def test_an_account_is_known_by_a_fingerprint_that_does_not_show_the_key() -> None:
    one, other = (
        Settings(_env_file=None, binance_api_key=key, binance_api_secret="s" * 64)
        for key in ("k" * 64, "l" * 64)
    )
    assert one.account != other.account
    assert "kkk" not in one.account
    assert Settings(_env_file=None).account == "paper"


def test_secrets_are_not_printed() -> None:
    settings = Settings(_env_file=None, mcp_api_key="do-not-print-this")
    assert "do-not-print-this" not in repr(settings)


def test_the_database_is_named_by_mode_unless_a_url_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    assert load().database == tmp_path / "paper.db"
    monkeypatch.setenv("DATABASE_URL", f"sqlite+aiosqlite:///{tmp_path / 'else.db'}")
    assert load().database == tmp_path / "else.db"


def test_the_data_folder_is_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/home/ana/data")
    assert load().folder == Path("/home/ana/data/confirmation-broker")


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://broker.localhost:3606"),
        ("localhost", "http://broker.localhost:3606"),
        ("0.0.0.0", "http://127.0.0.1:3606"),
        ("::1", "http://[::1]:3606"),
        ("::", "http://127.0.0.1:3606"),
    ],
)
def test_a_browser_is_told_an_address_that_it_can_open(host: str, url: str) -> None:
    assert Settings(_env_file=None, host=host).url == url


def test_agents_are_told_an_address_that_every_program_knows() -> None:
    assert Settings(_env_file=None).agents_url == "http://127.0.0.1:3606"
    public = Settings(_env_file=None, public_url="https://broker.example")
    assert (public.url, public.agents_url) == ("https://broker.example", "https://broker.example")


def test_an_address_is_known_in_small_letters_however_it_was_typed() -> None:
    """As browsers write it: whether cookies go over https alone, and what an origin is, hang on it."""
    assert load({"public_url": "HTTPS://Broker.Example:8443/"}).url == "https://broker.example:8443"


def test_every_setting_stands_in_the_example_with_its_meaning() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    for name in NAMES:
        at = next((at for at, line in enumerate(lines) if re.match(rf"#?\s?{name}=", line)), None)
        assert at is not None, f"{name} is missing in .env.example"
        assert lines[at - 1].startswith("# "), f"{name} has no comment in .env.example"


def test_the_example_names_nothing_that_is_no_setting() -> None:
    named = re.findall(r"^#? ?([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert sorted(named) == sorted(NAMES)


def test_the_example_as_it_stands_is_a_valid_environment(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text((ROOT / ".env.example").read_text())
    assert load().mode is Mode.PAPER


def test_every_setting_is_documented() -> None:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    text = "\n".join(page.read_text() for page in pages)
    assert [name for name in sorted(NAMES) if name not in text] == []


def test_a_short_key_is_told_in_characters() -> None:
    with pytest.raises(StartError, match="MCP_API_KEY: must have at least 16 characters"):
        load({"mcp_api_key": "short"})
