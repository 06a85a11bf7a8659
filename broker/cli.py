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
from .events import COMMAND_LINE
from .halt import Level
from .settings import Settings, load
from .untrusted import one_line

if TYPE_CHECKING:  # imported at run time only by commands that open the database
    from sqlalchemy import Connection

    from .store import Store

app = typer.Typer(
    help="A trader approves each order of a trading agent before the broker sends it to Binance.",
    pretty_exceptions_enable=False,
    add_completion=False,
)
traders = typer.Typer(help="Manage traders, who approve and reject requests.", no_args_is_help=True)
audit = typer.Typer(help="Verify or export the audit log.", no_args_is_help=True)
db = typer.Typer(help="Back up, restore or upgrade the database.", no_args_is_help=True)
app.add_typer(agents, name="agents")
app.add_typer(traders, name="traders")
app.add_typer(audit, name="audit")
app.add_typer(db, name="db")


def main() -> None:
    """Errors that the operator can fix are printed without a traceback; exit code 2."""
    try:
        app()
    except StartError as error:
        print(f"broker: {_clean(str(error))}", file=sys.stderr)
        sys.exit(2)
    except BrokerError as error:
        print(f"broker: {one_line(error.message)}", file=sys.stderr)
        sys.exit(2)


def _clean(text: str) -> str:
    """Removes characters that could mislead a terminal. Keeps line breaks and indentation."""
    return "\n".join(line[: len(line) - len(line.lstrip(" "))] + one_line(line) for line in text.splitlines())


@contextmanager
def _loading() -> Iterator[None]:
    """Disables the garbage collector during imports, which makes the start a quarter faster, and excludes the
    imported objects from later collections.
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
    """Run the broker: the page, the agents' tools, the executor. `broker` without a command does the same."""
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
    """Prints the addresses and, before the first trader exists, the sign-up link."""
    from .files import API_KEY

    key = "MCP_API_KEY" if settings.mcp_api_key else f"the key in {settings.folder / API_KEY}"
    print(f"Confirmation broker {__version__}, {settings.mode.upper()} mode")
    print(f"  Page    {settings.url}")
    if settings.url != settings.agents_url:
        print(f"          {settings.local_url} for browsers that cannot open that address, such as Safari")
    print(f"  Agents  {settings.agents_url}/mcp with {key}")
    if invitation is not None:
        print(f"  First trader, one-time link: {settings.url}/welcome?token={invitation}")
    print("Press Ctrl-C to stop.", flush=True)


@app.command()
def call(
    tool: Annotated[str, typer.Argument(help="For example binance_get_ticker.")],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE …")] = None,
) -> None:
    """Call a tool of the running broker as the agent `default`. Exit code 1 if the call fails."""
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
        raise StartError(f"There is no key {path}. Set DATA_DIR or MCP_API_KEY to the broker's value")
    print(json.dumps(body, indent=2))
    if answer.status_code != 200 or body.get("success") is False:
        raise typer.Exit(1)


def _argument(text: str) -> tuple[str, Any]:
    """Name and value. Booleans and whole-number arguments are converted; decimals stay text, so no digit is
    lost.
    """
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
    """MCP over standard input and output, forwarded to the running broker. MCP clients start this command."""
    import asyncio

    from .files import api_key
    from .stdio import serve as run

    settings = load({"_env_file": None})  # clients start it in any folder; a .env there is not the broker's
    asyncio.run(run(settings.local_url, api_key(settings, random_bytes)))


@traders.command("add")
def add_trader(
    name: str,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
    data_dir: DataDir = None,
) -> None:
    """Add a trader. Recorded in the audit log, and shown on every page."""
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
    """List the traders and when each was added."""
    with opened(settings_in(data_dir), "traders list") as store:
        for trader in store.people.traders():
            print(f"{one_line(trader.name)}\t{trader.created_at:%Y-%m-%d %H:%M} UTC")


@traders.command("remove")
def remove_trader(name: str, data_dir: DataDir = None) -> None:
    """Remove a trader. Their sessions end at once."""
    with opened(settings_in(data_dir), f"traders remove {quote(name)}") as store:
        store.people.remove_trader(name, actor=COMMAND_LINE)
    print(f"{one_line(name)} can no longer sign in.")


@audit.command("verify")
def verify_audit(data_dir: DataDir = None) -> None:
    """Check the audit log's hash chain. Exit code 1 if a row was changed, added or removed."""
    with opened(settings_in(data_dir), "audit verify", to_verify=True) as store:
        broken = store.verify()
    if broken is not None:
        print(f"The audit log is broken: {one_line(broken.problem)}.")
        raise typer.Exit(1)
    print("The audit log is intact.")


@audit.command("export")
def export_audit(data_dir: DataDir = None) -> None:
    """Print the audit log as JSON Lines: one line per intent, and one per event that belongs to none."""
    from .store.export import lines

    def write(connection: Connection) -> None:
        for line in lines(connection):
            print(json.dumps(line))  # ASCII only: exact, and safe for a terminal

    with opened(settings_in(data_dir), "audit export", to_verify=True) as store:
        try:
            store.database.read_now(write)
        except (ValueError, OverflowError):
            raise StartError(
                "A row of the audit log was changed and cannot be read; `broker audit verify` names the first"
            ) from None


@db.command("upgrade")
def upgrade_database(data_dir: DataDir = None) -> None:
    """Upgrade the database to this release's schema. Every start does the same."""
    with opened(settings_in(data_dir), "db upgrade"):
        print("The database has this release's schema.")


@db.command("backup")
def back_up_database(file: Path, data_dir: DataDir = None) -> None:
    """Copy the database to FILE. Also works while the broker runs."""
    import os
    from contextlib import nullcontext

    from .files import AuditFiles
    from .locks import hold
    from .store.backup import back_up

    settings = settings_in(data_dir)
    command = f"db backup {quote(str(file))}"
    if not settings.database.exists():
        raise missing(settings, command)
    # A read-only folder needs no lock: nothing there can be replaced.
    writable = os.access(settings.database.parent, os.W_OK)
    with hold(settings.database) if writable else nullcontext():
        mode = back_up(settings.database, file)
    tell(mode, settings.database)
    key = AuditFiles.of(settings.database, settings.folder).key
    print(f"Copied to {file}. Also keep a copy of {key}: without it the audit log cannot be continued.")
    if not is_served(settings.database):
        show_others(settings, command)


@db.command("restore")
def restore_database(file: Path, data_dir: DataDir = None) -> None:
    """Replace the database with a copy, while no broker runs. Requests that are open in it are never sent."""
    from .files import prepare_folder
    from .locks import hold_alone, take_lock
    from .store.backup import restore
    from .store.opening import open_store

    settings = settings_in(data_dir)

    def open_copy(copy: Path) -> Store:
        return open_store(settings, utc_now, random_bytes, may_make=True, path=copy, to_verify=True)

    prepare_folder(settings.database.parent)
    with take_lock(settings.database), hold_alone(settings.database):
        say(f"{settings.mode.upper()} mode, database {settings.database.absolute()}, not served")
        old = restore(file, settings.database, open_copy, utc_now())
    print(f"Restored from {file}." + (f" The old database is {old}." if old else ""))
    print("Trading is halted, and all traders must sign in again.")
    print("The broker asks Binance what became of the requests that were open in the copy.")
    print("Traders and agents' keys are those of the copy: check them before you resume trading.")


@app.command()
def halt(
    exits_only: Annotated[bool, typer.Option("--exits-only", help="Still allow exits.")] = False,
    reason: Annotated[str | None, typer.Option(help="The reason, shown on every page.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Halt trading at once: HIGH requests are refused, and approved ones are not sent.

    A trader resumes trading on the page. Exit code 1 if no broker serves the database: the halt is recorded,
    and applies from the next start.
    """
    level = Level.EXITS_ONLY if exits_only else Level.HALTED
    settings = settings_in(data_dir)
    # `to_verify`: halting must work even if the audit log's head does not match.
    with opened(settings, "halt", to_verify=True) as store:
        now = store.halts.tighten(level, COMMAND_LINE, reason)
        print(one_line(now.sentence))
        served = is_served(settings.database)
        if not served:
            print("Recorded. No broker serves this database now.", flush=True)
    if not served:
        raise typer.Exit(1)


@app.command()
def doctor() -> None:
    """Check whether this set-up is safe for trading. Exit code 1 if a finding is BAD."""
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
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1; 0 takes a free port.")] = 0,
    folder: Annotated[Path | None, typer.Option(help="Folder for its state.")] = None,
) -> None:
    """Run the paper exchange alone (API key `paper-key`, secret `paper-secret`)."""
    from .paper import run
    from .paper.http.errors import FolderInUse

    settings = load()
    try:
        run(folder or settings.folder / "paper-exchange", port, settings.paper_seed)
    except (OSError, FolderInUse) as error:
        raise StartError(f"The paper exchange cannot start: {error}") from None
