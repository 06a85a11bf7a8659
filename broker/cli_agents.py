"""The commands about agents: who may call, and with what limits. They take effect in a running broker."""

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

agents = typer.Typer(help="Who may ask, and within which limits.", no_args_is_help=True)

Tools = Annotated[str | None, typer.Option(help="Those it may call, with commas between; all: every one.")]
Symbols = Annotated[str | None, typer.Option(help="Those it may trade and read, such as BTCUSDT,ETHUSDT.")]
OrderValue = Annotated[str | None, typer.Option(help="The largest value of one order, in USDT.")]
DailyVolume = Annotated[str | None, typer.Option(help="The largest sum of its own in a UTC day, in USDT.")]
Leverage = Annotated[str | None, typer.Option(help="The largest leverage.")]
Pending = Annotated[str | None, typer.Option(help="How many of its requests may wait at a time.")]
Calls = Annotated[str | None, typer.Option(help="How often it may call within a minute.")]


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
    """Let one more agent ask. Its key is printed once; every page says so."""
    typed = _typed(tools, symbols, max_order_value, max_daily_volume, max_leverage, max_pending, max_calls)
    settings = settings_in(data_dir)
    agent = _checked(Agent(name=name).typed(typed), settings)
    with opened(settings, f"agents add {quote(name)}", may_make=True) as store:
        key = store.database.write_now(
            lambda connection: store.agents.add(connection, agent, actor=COMMAND_LINE)
        )
    _show(key, f"{name} may call with this key, which is shown only now:")


@agents.command("list")
def list_agents(data_dir: DataDir = None) -> None:
    """Who may ask, since when, and within which limits."""
    with opened(settings_in(data_dir), "agents list") as store:
        for known in store.database.read_now(store.agents.all):
            print(_line(known))


@agents.command("rotate")
def rotate_key(
    name: str,
    overlap: Annotated[
        int, typer.Option(min=0, max=720, help="Hours that the old key holds beside the new one.")
    ] = 0,
    data_dir: DataDir = None,
) -> None:
    """A new key, printed once. The old one ends, at once unless there is an overlap."""
    settings, hours = settings_in(data_dir), timedelta(hours=overlap)
    with opened(settings, f"agents rotate {quote(name)}") as store:
        key = store.database.write_now(
            lambda connection: store.agents.rotate(connection, name, hours, actor=COMMAND_LINE)
        )
    _show(key, f"{name} may call with this key, which is shown only now:")
    print(f"The old one {f'ends in {overlap} hours' if overlap else 'has ended'}.")
    if name == DEFAULT:
        _keep(settings, key)


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
    """Change what is named, and leave the rest; `none` takes a limit away. It holds from now on."""
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
    """Its keys end at once; what it has waiting is withdrawn, and what is approved is not sent."""
    with opened(settings_in(data_dir), f"agents revoke {quote(name)}") as store:
        stopped = store.database.write_now(
            lambda connection: store.agents.revoke(connection, name, actor=COMMAND_LINE)
        )
    print(f"{name} can no longer call. Requests withdrawn or not sent: {stopped}.")
    print(f"It stays so, also at the next start, until `broker agents rotate {name}`.")


def _typed(*given: str | None) -> dict[str, str]:
    """In the order of the commands' options."""
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


def _keep(settings: Settings, key: str) -> None:
    from .files import keep_api_key

    try:
        kept = keep_api_key(settings, key)
    except OSError as error:
        raise StartError(f"The new key could not be kept for `broker call`: {error.strerror}") from None
    if not kept:
        print("MCP_API_KEY still is the old one: put the new key there.")


def _show(key: str, words: str) -> None:
    print(f"{words}\n\n    {key}\n")


def _line(known: Known) -> str:
    if known.revoked_at is not None:
        return f"{one_line(known.agent.name)}\trevoked {known.revoked_at:%Y-%m-%d %H:%M} UTC"
    keys = ", ".join(
        f"key of {key.created_at:%Y-%m-%d %H:%M} UTC"
        + ("" if key.ends_at is None else f" until {key.ends_at:%Y-%m-%d %H:%M} UTC")
        for key in known.keys
    )
    return (
        f"{one_line(known.agent.name)}\t{keys or 'no key'}\t{known.pending} waiting\t{_rights(known.agent)}"
    )


def _rights(agent: Agent) -> str:
    told = {name: ",".join(v) if isinstance(v, list) else v for name, v in agent.rights().items()}
    return (
        ", ".join(f"{name} {one_line(str(value))}" for name, value in told.items()) or "no limits of its own"
    )
