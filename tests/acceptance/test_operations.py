"""What an operator meets: Binance down, the wheel, the image."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from playwright.async_api import Browser, expect

from .people import agent, first_trader
from .processes import ROOT, BrokerProcess, PaperProcess, Process, environment, free_port

pytestmark = pytest.mark.anyio


async def test_it_starts_while_binance_is_down_says_so_and_recovers_by_itself(
    browser: Browser, tmp_path: Path
) -> None:
    port = free_port()
    with BrokerProcess(tmp_path, PAPER_URL=f"http://127.0.0.1:{port}") as broker:
        async with httpx2.AsyncClient(base_url=broker.url) as http:
            assert (await http.get("/health")).status_code == 200
        page = await first_trader(browser, broker)
        problem = page.get_by_text("Binance is not available")
        await expect(problem).to_be_visible()
        async with agent(broker) as asking:
            loop = asyncio.get_running_loop()
            asked_at = loop.time()
            read = await asking.call("binance_get_ticker", symbol="BTCUSDT")
            assert loop.time() - asked_at < 10
            assert (read["success"], read["error"]) == (False, "BINANCE_UNAVAILABLE")
            order = await asking.call("binance_create_order", symbol="BTCUSDT", side="buy", amount="0.01")
            assert (order["success"], order["error"]) == (False, "BINANCE_UNAVAILABLE")
            assert (await asking.call("intent_list"))["count"] == 0
            with PaperProcess(tmp_path, port=port):
                await expect(problem).to_be_hidden(timeout=15_000)
                await asking.park()


def test_the_wheel_runs_from_an_empty_directory(tmp_path: Path) -> None:
    dist, site, empty = tmp_path / "dist", tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(dist), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    [wheel] = dist.glob("*.whl")
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(site),
        str(wheel),
    ]
    subprocess.run(install, check=True, capture_output=True)

    env = environment(DATA_DIR=str(tmp_path / "data"), PORT=str(free_port())) | {"PYTHONPATH": str(site)}
    where = subprocess.run(
        [sys.executable, "-c", "import broker; print(broker.__file__)"],
        cwd=empty,
        env=env,
        check=True,
        capture_output=True,
        text=True,
    )
    assert where.stdout.startswith(str(site))
    with Process(sys.executable, "-m", "broker", cwd=empty, env=env) as broker:
        url = broker.wait_for(r"Agents\s+(\S+)/mcp").group(1)
        broker.wait_for("Ctrl-C")
        page = httpx2.get(f"{url}/signin")
        assert page.status_code == 200
        for path in re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text):
            assert httpx2.get(url + path).status_code == 200, path
    assert list(empty.iterdir()) == []


def test_the_image_starts_and_its_health_check_tells_health_from_its_lack(tmp_path: Path) -> None:
    image = (ROOT / "Dockerfile").read_text()
    settings = dict(pair.split("=") for pair in _instruction(image, "ENV").split())
    assert settings["HOST"] == "0.0.0.0"
    command = json.loads(_instruction(image, "CMD"))
    health = json.loads(re.sub(r".*CMD ", "", _instruction(image, "HEALTHCHECK")))
    settings |= {"DATA_DIR": str(tmp_path / "data"), "PORT": str(free_port())}
    env = environment(**settings)
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"

    def check() -> int:
        return subprocess.run(health, cwd=tmp_path, env=env, capture_output=True, check=False).returncode

    assert check() == 1
    with Process(*command, cwd=tmp_path, env=env) as broker:
        broker.wait_for("Ctrl-C")
        assert check() == 0
        assert broker.stop() == 0
    assert check() == 1


def test_the_image_is_not_root_and_its_health_check_has_the_agreed_times() -> None:
    image = (ROOT / "Dockerfile").read_text()
    assert _instruction(image, "USER") == "broker"
    assert _instruction(image, "VOLUME") == "/data"
    times = dict(part.split("=") for part in shlex.split(_instruction(image, "HEALTHCHECK")) if "=" in part)
    assert times == {"--interval": "30s", "--timeout": "10s", "--start-period": "5s", "--retries": "3"}


def _instruction(image: str, name: str) -> str:
    """The last of that name, as Docker takes it."""
    found = re.findall(rf"^{name} (.+)$", image, re.MULTILINE)
    assert found, name
    return str(found[-1])
