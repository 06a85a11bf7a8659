"""The first trader is told exactly what reaches Binance without an approval."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from .support import CountedBytes, MovableClock, world

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("confirms", [False, True])
async def test_what_passes_without_an_approval_is_said_as_it_is_set(tmp_path: Path, confirms: bool) -> None:
    async with world(tmp_path, MovableClock(), CountedBytes(), confirm_protective_cancels=confirms) as desk:
        token = desk.store.people.invite()
        transport = httpx2.ASGITransport(desk.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as stranger:
            page = (await stranger.get("/welcome", params={"token": token or ""})).text
    assert "no order, no close and no change of leverage reaches Binance without" in page
    assert ("needs an approval too" in page) is confirms
    assert ("Set CONFIRM_PROTECTIVE_CANCELS=true" in page and "it is off now" in page) is not confirms
