"""A cold start with 3,500 spot and 700 futures markets: seconds and memory until the broker knows them all.

Each is a process of its own, from its start to its last market; ccxt alone loads the spot markets only.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from tests.acceptance.processes import Process, environment

ROUNDS = 3


def table() -> str:
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        with Process(sys.executable, "-m", "bench.many_markets", cwd=folder, env=environment()) as exchange:
            url = exchange.wait_for(r"Serving at (\S+)").group(1)
            lines = [
                _row("the broker, first start", "broker", url, folder, again=False),
                _row("the broker, again within the hour", "broker", url, folder, again=True),
                _row("floor: ccxt alone, spot only", "ccxt", url, folder, again=False),
                _row("floor: ccxt imported, no market", "nothing", url, folder, again=False),
            ]
    return "\n".join(("", "cold start with 3,500 spot and 700 futures markets", *lines))


def _row(title: str, what: str, url: str, folder: Path, *, again: bool) -> str:
    runs = [
        _measured(what, url, folder if again else folder / f"{what}-{number}") for number in range(ROUNDS)
    ]
    seconds, megabytes = (median(values) for values in zip(*runs, strict=True))
    return f"  {title:48}{seconds:14.2f} s{megabytes:12.0f} MB"


def _measured(what: str, url: str, folder: Path) -> tuple[float, float]:
    folder.mkdir(exist_ok=True)
    command = (sys.executable, "-m", "bench.cold_start", what, url, str(folder))
    started = time.perf_counter()
    with Process(*command, cwd=folder, env=environment()) as process:
        megabytes = float(process.wait_for(r"ready with (\S+) MB").group(1))
        return time.perf_counter() - started, megabytes


def _resident() -> float:
    """Megabytes that this process holds now."""
    status = Path("/proc/self/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


async def _broker(url: str, folder: Path) -> None:
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
    asyncio.run({"broker": _broker, "ccxt": _ccxt, "nothing": _nothing}[what](url, Path(folder)))


if __name__ == "__main__":
    main()
