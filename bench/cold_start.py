"""A cold start with 3,500 spot and 700 futures markets: seconds since the start, and memory, of each process.

`broker serve` is timed until its first healthy answer, and until its tools know all markets. The other rows
are its parts: the exchange layer alone, and ccxt alone, which loads only the spot markets.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import httpx2

from tests.acceptance.processes import Process, environment, free_port

ROUNDS = 3
POLL_SECONDS = 0.02
KEY = "the-bench-agents-own-key"
AUTHORISED = {"X-MCP-API-Key": KEY}


def table() -> str:
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with Process(sys.executable, "-m", "bench.many_markets", cwd=folder, env=environment()) as exchange:
            url = exchange.wait_for(r"Serving at (\S+)").group(1)
            lines = [
                *_served("broker serve, first start", url, folder, again=False),
                *_served("broker serve, again within the hour", url, folder, again=True),
                _row("its exchange layer alone, first start", "exchange", url, folder, again=False),
                _row("its exchange layer alone, again", "exchange", url, folder, again=True),
                _row("floor: ccxt alone, spot only", "ccxt", url, folder, again=False),
                _row("floor: ccxt imported, no market", "nothing", url, folder, again=False),
            ]
    return "\n".join(("", "cold start with 3,500 spot and 700 futures markets", *lines))


def _row(title: str, what: str, url: str, folder: Path, *, again: bool) -> str:
    runs = [
        _measured(what, url, folder if again else folder / f"{what}-{number}") for number in range(ROUNDS)
    ]
    return _line(title, runs)


def _line(title: str, runs: Sequence[tuple[float, float]]) -> str:
    seconds, megabytes = (median(values) for values in zip(*runs, strict=True))
    return f"  {title:48}{seconds:14.2f} s{megabytes:12.0f} MB"


def _served(title: str, url: str, folder: Path, *, again: bool) -> list[str]:
    runs = [
        _serving(url, folder if again else folder / f"serve-{number}", free_port())
        for number in range(ROUNDS)
    ]
    healthy, ready = zip(*runs, strict=True)
    return [_line(f"{title}: healthy", healthy), _line(f"{title}: all markets", ready)]


def _serving(url: str, folder: Path, port: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return seconds and megabytes of `broker serve`: at its first healthy answer, and with all markets."""
    folder.mkdir(exist_ok=True)
    settings = {"PORT": str(port), "DATA_DIR": str(folder), "PAPER_URL": url, "MCP_API_KEY": KEY}
    started = time.perf_counter()
    with (
        Process(sys.executable, "-m", "broker", "serve", cwd=folder, env=environment(**settings)) as process,
        httpx2.Client(base_url=f"http://127.0.0.1:{port}", headers=AUTHORISED, trust_env=False) as client,
    ):

        def once(answers: Callable[[httpx2.Client], bool]) -> tuple[float, float]:
            while not _answers(answers, client):
                time.sleep(POLL_SECONDS)
            return time.perf_counter() - started, _resident(process.pid)

        return once(_is_healthy), once(_knows_the_markets)


def _answers(holds: Callable[[httpx2.Client], bool], client: httpx2.Client) -> bool:
    try:
        return holds(client)
    except httpx2.TransportError:
        return False


def _is_healthy(client: httpx2.Client) -> bool:
    return client.get("/health").status_code == 200


def _knows_the_markets(client: httpx2.Client) -> bool:
    """Whether it knows the rules of a spot symbol, and that a futures symbol does not exist."""
    spot = client.post("/tools/binance_get_exchange_info", json={"symbol": "BTCUSDT"})
    futures = client.post("/tools/binance_get_funding_rate", json={"symbol": "NOPE"})
    return spot.status_code == 200 and futures.json()["error"] == "UNKNOWN_SYMBOL"


def _measured(what: str, url: str, folder: Path) -> tuple[float, float]:
    folder.mkdir(exist_ok=True)
    command = (sys.executable, "-m", "bench.cold_start", what, url, str(folder))
    started = time.perf_counter()
    with Process(*command, cwd=folder, env=environment()) as process:
        megabytes = float(process.wait_for(r"ready with (\S+) MB").group(1))
        return time.perf_counter() - started, megabytes


def _resident(process: int | str = "self") -> float:
    """Return the resident memory of a process in megabytes."""
    status = Path(f"/proc/{process}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


async def _exchange(url: str, folder: Path) -> None:
    from broker.clock import utc_now
    from broker.exchange import Exchange
    from broker.settings import Settings

    settings = Settings(_env_file=None, data_dir=folder, paper_url=url)
    exchange = Exchange(settings, paper_url=url, clock=utc_now, cache_folder=folder)
    await exchange.start()
    await asyncio.gather(exchange.spot.until_ready(), exchange.futures.until_ready())
    print(f"ready with {_resident():.1f} MB", flush=True)
    await exchange.close()


async def _ccxt(url: str, _: Path) -> None:
    client: Any = await _client(url)
    await client.load_markets()
    print(f"ready with {_resident():.1f} MB", flush=True)
    await client.close()


async def _nothing(url: str, _: Path) -> None:
    client: Any = await _client(url)
    print(f"ready with {_resident():.1f} MB", flush=True)
    await client.close()


async def _client(url: str) -> Any:
    import ccxt.pro

    from .ccxt_alone import OPTIONS

    client: Any = ccxt.pro.binance({"enableRateLimit": False, "options": OPTIONS})
    client.timeout_on_exit = 0
    client.urls["api"] = {"public": f"{url}/api/v3", "private": f"{url}/api/v3"}
    return client


def main() -> None:
    what, url, folder = sys.argv[1:]
    asyncio.run({"exchange": _exchange, "ccxt": _ccxt, "nothing": _nothing}[what](url, Path(folder)))


if __name__ == "__main__":
    main()
