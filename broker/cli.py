"""The command `broker`. No command approves anything."""

from __future__ import annotations

import gc
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import __version__
from .cli_agents import agents
from .cli_store import DataDir, is_served, missing, opened, say, settings_in, show_others, tell
from .clock import random_bytes, utc_now
from .errors import BrokerError, StartError
from .halt import Level
from .hub import COMMAND_LINE
from .settings import Settings, load
from .untrusted import one_line

if TYPE_CHECKING:  # a command that only talks to a running broker starts without them
    from sqlalchemy import Connection

    from .store import Store

app = typer.Typer(
    help="A person confirms each order that a trading agent asks for, before it is sent to Binance.",
    pretty_exceptions_enable=False,
    add_completion=False,
)
traders = typer.Typer(help="Who may decide.", no_args_is_help=True)
audit = typer.Typer(help="The audit log.", no_args_is_help=True)
db = typer.Typer(help="The database.", no_args_is_help=True)
app.add_typer(agents, name="agents")
app.add_typer(traders, name="traders")
app.add_typer(audit, name="audit")
app.add_typer(db, name="db")


def main() -> None:
    """One clear line and exit code 2 for what the operator can mend; never a traceback for it."""
    try:
        app()
    except StartError as error:
        print(f"broker: {_clean(str(error))}", file=sys.stderr)
        sys.exit(2)
    except BrokerError as error:
        print(f"broker: {one_line(error.message)}", file=sys.stderr)
        sys.exit(2)


def _clean(text: str) -> str:
    """Without characters that could mislead a terminal; a list of brokers keeps its lines."""
    return "\n".join(line[: len(line) - len(line.lstrip(" "))] + one_line(line) for line in text.splitlines())


@contextmanager
def _loading() -> Iterator[None]:
    """What is imported here stays for good, so that the garbage collector need not look through it: not now,
    which would take a quarter of the start, and not while agents wait for an answer.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@app.callback(invoke_without_command=True)
def default(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit
    if context.invoked_subcommand is None:
        serve()


@app.command()
def serve(data_dir: DataDir = None) -> None:
    """Run the broker: the page, the agents' tools, the executor. This is also what `broker` alone does."""
    with _loading():
        import asyncio

        import uvloop

        from .app import serve as run
        from .logs import configure

    settings = settings_in(data_dir)
    configure(settings)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(
            run(
                settings,
                clock=utc_now,
                random=random_bytes,
                ready=lambda broker: announce(broker.settings, broker.invitation),
            )
        )


def announce(settings: Settings, invitation: str | None) -> None:
    from .files import API_KEY

    key = "MCP_API_KEY" if settings.mcp_api_key else f"the key in {settings.folder / API_KEY}"
    print(f"Confirmation broker {__version__}, {settings.mode.upper()} mode")
    print(f"  Page    {settings.url}")
    if settings.url != settings.agents_url:
        print(f"          {settings.local_url} for a browser that does not find that name, such as Safari")
    print(f"  Agents  {settings.agents_url}/mcp with {key}")
    if invitation is not None:
        print(f"  First trader, one-time link: {settings.url}/welcome?token={invitation}")
    print("Ctrl-C stops it.", flush=True)


@app.command()
def call(
    tool: Annotated[str, typer.Argument(help="For example binance_get_ticker.")],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE …")] = None,
) -> None:
    """Call one tool of the running broker, as the agent "default" would."""
    import httpx2

    from .files import API_KEY, known_api_key

    settings = load()
    key = known_api_key(settings)
    try:
        answer = httpx2.post(
            f"{settings.local_url}/tools/{tool}",
            json=dict(_argument(text) for text in arguments or []),
            headers={} if key is None else {"X-MCP-API-Key": key},
            timeout=60,
            trust_env=False,
        )
        body = answer.json()
    except (httpx2.HTTPError, ValueError):
        raise StartError(f"No broker answers at {settings.local_url}. Start one with `broker`.") from None
    if key is None and answer.status_code == 401:
        path = settings.folder / API_KEY
        raise StartError(f"There is no key {path}: set DATA_DIR or MCP_API_KEY as the broker has them")
    print(json.dumps(body, indent=2))
    if answer.status_code != 200 or body.get("success") is False:
        raise typer.Exit(1)


def _argument(text: str) -> tuple[str, Any]:
    """Whole numbers and booleans as such; all else as text, so that no decimal loses a digit."""
    name, equals, value = text.partition("=")
    if not equals:
        raise StartError(f"{text!r} is not KEY=VALUE")
    if value in ("true", "false"):
        return name, value == "true"
    return name, int(value) if value.isdecimal() and name in _whole_numbers() else value


def _whole_numbers() -> frozenset[str]:
    return frozenset({"limit", "ttlSeconds", "timeoutSeconds", "leverage"})


@app.command()
def stdio() -> None:
    """MCP over standard input and output, passed on to the running broker. An agent's client starts this."""
    import asyncio

    from .files import api_key
    from .stdio import serve as run

    settings = load({"_env_file": None})  # its client starts it in any folder, and a .env there is not ours
    asyncio.run(run(settings.local_url, api_key(settings, random_bytes)))


@traders.command("add")
def add_trader(
    name: str,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read it from standard input.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Let somebody decide. It is recorded, and every page says so."""
    password = (
        sys.stdin.readline().rstrip("\n")
        if password_stdin
        else typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    )
    with opened(settings_in(data_dir), f"traders add {quote(name)}", may_make=True) as store:
        store.people.add_trader(name, password, actor=COMMAND_LINE)
    print(f"{one_line(name)} can sign in.")


@traders.command("list")
def list_traders(data_dir: DataDir = None) -> None:
    """Who may decide, and since when."""
    with opened(settings_in(data_dir), "traders list") as store:
        for trader in store.people.traders():
            print(f"{one_line(trader.name)}\t{trader.created_at:%Y-%m-%d %H:%M} UTC")


@traders.command("remove")
def remove_trader(name: str, data_dir: DataDir = None) -> None:
    """Somebody decides no more; their sessions end at once."""
    with opened(settings_in(data_dir), f"traders remove {quote(name)}") as store:
        store.people.remove_trader(name, actor=COMMAND_LINE)
    print(f"{one_line(name)} can no longer sign in.")


@audit.command("verify")
def verify_audit(data_dir: DataDir = None) -> None:
    """Walk the audit log's chain; exit code 1 at the first row that does not hold."""
    with opened(settings_in(data_dir), "audit verify", to_verify=True) as store:
        broken = store.verify()
    if broken is not None:
        print(f"The audit log does not hold: {one_line(broken.problem)}.")
        raise typer.Exit(1)
    print("The audit log holds.")


@audit.command("export")
def export_audit(data_dir: DataDir = None) -> None:
    """Print the audit log as JSON Lines: a line for each intent, and one for each event beside them."""
    from .store.export import lines

    def write(connection: Connection) -> None:
        for line in lines(connection):
            print(json.dumps(line))  # ASCII: faithful, and harmless to a terminal

    with opened(settings_in(data_dir), "audit export", to_verify=True) as store:
        try:
            store.database.read_now(write)
        except (ValueError, OverflowError):
            raise StartError(
                "A row of the audit log was changed and cannot be read; `broker audit verify` names the first"
            ) from None


@db.command("upgrade")
def upgrade_database(data_dir: DataDir = None) -> None:
    """Bring the database to this release's schema, as every start does."""
    with opened(settings_in(data_dir), "db upgrade"):
        print("The database has this release's schema.")


@db.command("backup")
def back_up_database(file: Path, data_dir: DataDir = None) -> None:
    """Copy the database to FILE, also while it is served."""
    import os
    from contextlib import nullcontext

    from .files import AuditFiles
    from .locks import hold
    from .store.backup import back_up

    settings = settings_in(data_dir)
    command = f"db backup {quote(str(file))}"
    if not settings.database.exists():
        raise missing(settings, command)
    # Where nothing can be written, nothing is being replaced either, and a copy is wanted all the more.
    writable = os.access(settings.database.parent, os.W_OK)
    with hold(settings.database) if writable else nullcontext():
        mode = back_up(settings.database, file)
    tell(mode, settings.database)
    key = AuditFiles.of(settings.database, settings.folder).key
    print(f"Copied to {file}. Without {key} its audit log cannot go on: keep a copy of that too.")
    if not is_served(settings.database):
        show_others(settings, command)


@db.command("restore")
def restore_database(file: Path, data_dir: DataDir = None) -> None:
    """Put a copy in the database's place, while no broker runs. Nothing that waited in it is ever sent."""
    from .files import prepare_folder
    from .locks import hold_alone, take_lock
    from .store.backup import restore
    from .store.opening import open_store

    settings = settings_in(data_dir)

    def open_copy(copy: Path) -> Store:
        return open_store(settings, utc_now, random_bytes, path=copy, to_verify=True)

    prepare_folder(settings.database.parent)
    with take_lock(settings.database), hold_alone(settings.database):
        say(f"{settings.mode.upper()} mode, database {settings.database.absolute()}, not served")
        old = restore(file, settings.database, open_copy, utc_now())
    print(f"Restored from {file}." + (f" What it replaced lies in {old}." if old else ""))
    print("Trading is halted, and everybody has to sign in again. What was open is settled by asking.")
    print("Traders and agents' keys are as they were in the copy: look at them before you resume.")


@app.command()
def halt(
    exits_only: Annotated[bool, typer.Option("--exits-only", help="Let exits pass.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why; it stands on every page.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Stop everything HIGH at once, also what is approved already. A trader resumes on the page.

    Exit code 1 where no broker serves the database: the halt is recorded, and holds from the next start.
    """
    level = Level.EXITS_ONLY if exits_only else Level.HALTED
    settings = settings_in(data_dir)
    # Also where its head does not hold: halting is always right.
    with opened(settings, "halt", to_verify=True) as store:
        now = store.halts.tighten(level, COMMAND_LINE, reason)
        print(one_line(now.sentence))
        served = is_served(settings.database)
        if not served:
            print("Recorded; no broker serves it now.", flush=True)
    if not served:
        raise typer.Exit(1)


@app.command()
def doctor() -> None:
    """Is this set-up safe to trade with? Exit code 1 when something is bad."""
    with _loading():
        import asyncio

        from .app import diagnosed
        from .exchange import Level

    marks = {Level.OK: "ok   ", Level.WARN: "WARN ", Level.BAD: "BAD  "}
    settings = load()
    findings = asyncio.run(diagnosed(settings, utc_now))
    print(f"{settings.mode.upper()} mode, data in {settings.folder}")
    for finding in findings:
        print(f"{marks[finding.level]} {finding.subject}: {one_line(finding.text)}")
    if any(finding.level is Level.BAD for finding in findings):
        raise typer.Exit(1)


@app.command()
def paper(
    port: Annotated[int, typer.Option(help="On 127.0.0.1; 0 takes a free one.")] = 0,
    folder: Annotated[Path | None, typer.Option(help="Where it keeps its state.")] = None,
) -> None:
    """Run the paper exchange alone (API key `paper-key`, secret `paper-secret`)."""
    from .paper import run
    from .paper.http.errors import FolderInUse

    settings = load()
    try:
        run(folder or settings.folder / "paper-exchange", port, settings.paper_seed)
    except (OSError, FolderInUse) as error:
        raise StartError(f"The paper exchange cannot start: {error}") from None
