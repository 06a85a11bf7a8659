from __future__ import annotations

import asyncio

import pytest

from broker.notify import Sender, beat

from ..support import Clock, running
from .support import Endpoint

pytestmark = pytest.mark.anyio


async def test_a_monitor_is_pinged_while_all_is_well_whatever_it_answers(there: Endpoint) -> None:
    well = True
    there.answers = [200, 500, "reset", 302]
    sender = Sender(allow_private=True, clock=Clock(), seconds=1)
    async with running(beat(sender, f"{there.url}/ping/abc?x=1", lambda: well, every=0.01)):
        received = await there.count(6)
        assert {one.path for one in received} == {"/ping/abc?x=1"}
        well = False
        await asyncio.sleep(0.05)
        before = len(there.received)
        await asyncio.sleep(0.1)
        assert len(there.received) == before
        well = True
        await there.count(before + 1)
