"""`python -m tests.campaign.hostile.attacker JSON`: one attacker. It prints each second what it has sent."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Final

from . import insiders, strangers, webhooks
from .wire import SENT, Target

Attacker = Callable[[Target], Awaitable[None]]

ATTACKERS: Final[Mapping[str, Attacker]] = {
    **strangers.ATTACKERS,
    **insiders.ATTACKERS,
    **webhooks.ATTACKERS,
}


async def run(target: Target) -> None:
    telling = asyncio.create_task(_tell())
    with suppress(TimeoutError):
        async with asyncio.timeout(target.seconds):
            await ATTACKERS[target.attacker](target)
    telling.cancel()


async def _tell() -> None:
    while True:
        print(json.dumps(asdict(SENT)), flush=True)
        await asyncio.sleep(1)


def main() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(run(Target(**json.loads(sys.argv[1]))))


if __name__ == "__main__":
    main()
