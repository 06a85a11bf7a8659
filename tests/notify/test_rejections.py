"""What is refused of links, by whichever way it comes, in a running broker."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from broker import app
from broker.clock import utc_now
from broker.events import Topic
from broker.notifications import Kind
from broker.notify.rejections import REFUSALS
from broker.store.refusals import ONE_BY_ONE

from ..support import Randomness, settings_in, trusted
from .support import ANA, BOT
from .test_telegram import serving

pytestmark = pytest.mark.anyio


async def test_pages_and_taps_together_record_no_more_than_ten_an_hour(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, notify_allow_private=True)
    async with serving() as telegram, app.running(settings, clock=utc_now, random=Randomness()) as broker:
        config = {"url": telegram.url, "token": BOT, "user": ANA, "chat": ANA}
        await broker.store.channels.add(
            "Ana", Kind.TELEGRAM, "phone", "x", config, set(Topic), None, standing=trusted
        )
        transport = httpx2.ASGITransport(app=broker.app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as stranger:
            for number in range(REFUSALS.amount - 2):
                assert (await stranger.post(f"/reject/{number}/guessed")).status_code == 410
            for number in range(1, 6):
                telegram.tap("buy-everything")
                assert (await telegram.said(number))[-1].startswith("This button has expired")
            assert (await stranger.post("/reject/one-more/guessed")).status_code == 429
        counted = await broker.store.read(
            lambda c: c.exec_driver_sql("SELECT count(*) FROM audit WHERE kind = 'link:refused'").scalar()
        )
    assert counted == ONE_BY_ONE
