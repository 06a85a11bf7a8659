"""The commands `broker agents`: keys, rights and limits. They take effect at once in a running broker."""

from __future__ import annotations

from datetime import timedelta
from shlex import quote
from typing import TYPE_CHECKING, Annotated

import typer

from .agents import DEFAULT, Agent
from .cli_store import DataDir, opened, settings_in
from .errors import StartError
from .events import COMMAND_LINE
from .settings import Settings
from .untrusted import one_line

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from .store import Known

agents = typer.Typer(help="Manage agents: their keys, rights and limits.", no_args_is_help=True)

Tools = Annotated[str | None, typer.Option(help="Tools it may call, separated by commas, or `all`.")]
Symbols = Annotated[
    str | None, typer.Option(help="Symbols it may trade and read, such as BTCUSDT,ETHUSDT, or `all`.")
]
OrderValue = Annotated[str | None, typer.Option(help="Largest value of one order, in USDT.")]
DailyVolume = Annotated[
    str | None, typer.Option(help="Largest total value of its orders in one UTC day, in USDT.")
]
Leverage = Annotated[str | None, typer.Option(help="Largest leverage.")]
Pending = Annotated[str | None, typer.Option(help="How many of its requests may wait at the same time.")]
Calls = Annotated[str | None, typer.Option(help="How many calls it may make in a minute.")]


@agents.command("add")
def add_agent(
    name: str,
    tools: Tools = None,
    symbols: Symbols = None,
    max_order_value: OrderValue = None,
    max_daily_volume: DailyVolume = None,
    max_leverage: Leverage = None,
    max_pending: Pending = None,
    max_calls: Calls = None,
    data_dir: DataDir = None,
) -> None:
    """Add an agent, and print its key. The key is shown only once. Every page shows that it was added."""
    typed = _typed(tools, symbols, max_order_value, max_daily_volume, max_leverage, max_pending, max_calls)
    settings = settings_in(data_dir)
    agent = _checked(Agent(name=name).typed(typed), settings)
    with opened(settings, f"agents add {quote(name)}", may_make=True) as store:
        key = store.database.write_now(
            lambda connection: store.agents.add(connection, agent, actor=COMMAND_LINE)
        )
    _show(key, f"API key of {name}, shown only once:")


@agents.command("list")
def list_agents(data_dir: DataDir = None) -> None:
    """List the agents with their keys, waiting requests and limits."""
    with opened(settings_in(data_dir), "agents list") as store:
        for known in store.database.read_now(store.agents.all):
            print(_line(known))


@agents.command("rotate")
def rotate_key(
    name: str,
    overlap: Annotated[
        int, typer.Option(min=0, max=720, help="Hours for which the old key still works.")
    ] = 0,
    data_dir: DataDir = None,
) -> None:
    """Make a new key, and print it once. The old key stops working at once, or after the overlap."""
    settings, hours = settings_in(data_dir), timedelta(hours=overlap)
    with opened(settings, f"agents rotate {quote(name)}") as store:
        key = store.database.write_now(
            lambda connection: store.agents.rotate(connection, name, hours, actor=COMMAND_LINE)
        )
    _show(key, f"New API key of {name}, shown only once:")
    print(f"The old key {f'stops working in {overlap} hours' if overlap else 'no longer works'}.")
    if name == DEFAULT:
        _save_key(settings, key)


@agents.command("limit")
def limit_agent(
    name: str,
    tools: Tools = None,
    symbols: Symbols = None,
    max_order_value: OrderValue = None,
    max_daily_volume: DailyVolume = None,
    max_leverage: Leverage = None,
    max_pending: Pending = None,
    max_calls: Calls = None,
    data_dir: DataDir = None,
) -> None:
    """Change the given rights and limits; the others stay. `none` removes a limit. Takes effect at once."""
    typed = _typed(tools, symbols, max_order_value, max_daily_volume, max_leverage, max_pending, max_calls)
    settings = settings_in(data_dir)

    def transaction(connection: Connection) -> Agent:
        agent = _checked(store.agents.entry(connection, name).typed(typed), settings)
        store.agents.limit(connection, agent, actor=COMMAND_LINE)
        return agent

    with opened(settings, f"agents limit {quote(name)} …") as store:
        agent = store.database.write_now(transaction)
    print(f"{agent.name}: {_rights(agent)}")


@agents.command("revoke")
def revoke_agent(name: str, data_dir: DataDir = None) -> None:
    """Revoke an agent. Its keys stop working at once. Its waiting requests are withdrawn, and approved ones
    are not sent.
    """
    with opened(settings_in(data_dir), f"agents revoke {quote(name)}") as store:
        stopped = store.database.write_now(
            lambda connection: store.agents.revoke(connection, name, actor=COMMAND_LINE)
        )
    print(f"{name} is revoked. Requests withdrawn or not sent: {stopped}.")
    print(f"It stays revoked after a restart. `broker agents rotate {name}` makes a new key.")


def _typed(*given: str | None) -> dict[str, str]:
    """The options that were given, by limit; `given` is in the order of the commands' options."""
    names = (
        "tools",
        "symbols",
        "max_order_value_usdt",
        "max_daily_volume_usdt",
        "max_leverage",
        "max_pending",
        "max_calls_per_minute",
    )
    return {name: text for name, text in zip(names, given, strict=True) if text is not None}


def _checked(agent: Agent, settings: Settings) -> Agent:
    from .tools import TOOLS

    return agent.checked(settings, TOOLS)


def _save_key(settings: Settings, key: str) -> None:
    from .files import keep_api_key

    try:
        kept = keep_api_key(settings, key)
    except OSError as error:
        raise StartError(f"The new key could not be saved for `broker call`: {error.strerror}") from None
    if not kept:
        print("MCP_API_KEY still holds the old key: set it to the new one.")


def _show(key: str, heading: str) -> None:
    print(f"{heading}\n\n    {key}\n")


def _line(known: Known) -> str:
    if known.revoked_at is not None:
        return f"{one_line(known.agent.name)}\trevoked {known.revoked_at:%Y-%m-%d %H:%M} UTC"
    keys = ", ".join(
        f"key from {key.created_at:%Y-%m-%d %H:%M} UTC"
        + ("" if key.ends_at is None else f" until {key.ends_at:%Y-%m-%d %H:%M} UTC")
        for key in known.keys
    )
    return (
        f"{one_line(known.agent.name)}\t{keys or 'no key'}\t{known.pending} waiting\t{_rights(known.agent)}"
    )


def _rights(agent: Agent) -> str:
    rights = {name: ",".join(v) if isinstance(v, list) else v for name, v in agent.rights().items()}
    return (
        ", ".join(f"{name} {one_line(str(value))}" for name, value in rights.items())
        or "no limits of its own"
    )
