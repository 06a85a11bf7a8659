"""Taps on the buttons of Telegram messages, fetched by long polling: nothing has to reach the broker.

Everybody in a chat sees its buttons. Only the trader's own account may tap them: the sender is looked at, and
the chat alone never counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection

from ..notifications import Kind
from ..errors import BrokerError
from ..logs import get_logger
from ..store import NotDecidable, Store
from . import telegram
from .message import closed
from .rejections import Refused, Rejections
from .sender import NoReply, Reply, Sender

LOOK_SECONDS: Final = 0.5
POLL_SECONDS: Final = 25
SLACK_SECONDS: Final = 10.0
PAUSES: Final = (1.0, 5.0, 30.0, 60.0)
BETWEEN_POLLS: Final = 0.5
"""Seconds: a server that answers at once, or a flood of taps, must not keep the broker busy."""

MOST_ID: Final = 64
"""Characters of a tap's id."""

AT_ONCE: Final = 5
"""Updates in one answer."""

log = get_logger(__name__)


@dataclass(frozen=True)
class Bot:
    """One bot, which may serve several channels."""

    url: str
    token: str = field(repr=False)

    @property
    def config(self) -> Mapping[str, Any]:
        return {"url": self.url, "token": self.token}


@dataclass(frozen=True, kw_only=True)
class Tap:
    """A tap, as Telegram tells it; nothing of it is known to be so but who sent it."""

    id: str
    sender: int
    data: str

    @classmethod
    def of(cls, update: Mapping[str, Any]) -> Tap | None:
        """None for what is no tap."""
        match update.get("callback_query"):
            case {"id": str(tap_id), "from": {"id": int(sender)}, "data": str(data)}:
                if (
                    len(tap_id) <= MOST_ID
                    and tap_id.isascii()
                    and data.isascii()
                    and telegram.is_number(sender)
                ):
                    return cls(id=tap_id, sender=sender, data=data)
        return None


def updates_of(reply: Reply) -> Sequence[Mapping[str, Any]]:
    """Those with a number. Raises NoReply."""
    result = telegram.answer(reply).get("result")
    if reply.status != 200 or not isinstance(result, list):
        raise NoReply(f"answered {reply.status}")
    found = [one for one in result[:AT_ONCE] if isinstance(one, dict)]
    return [one for one in found if telegram.is_number(one.get("update_id"))]


class Taps:
    def __init__(self, store: Store, rejections: Rejections, sender: Sender) -> None:
        self._store = store
        self._rejections = rejections
        self._sender = sender
        self._listening: dict[Bot, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Listen to each bot that a channel has, until cancelled."""
        try:
            while True:
                try:
                    self._follow(await self._store.read(self._bots))
                except BrokerError as error:  # the store logs it, once
                    log.debug("taps: the database is not available", error=error.message)
                except Exception:
                    log.exception("taps: failed")
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            listening = [*self._listening.values()]
            self._follow(set())
            await asyncio.gather(*listening, return_exceptions=True)

    def _bots(self, connection: Connection) -> set[Bot]:
        return {
            Bot(config["url"], config["token"])
            for channel, config in self._store.channels.with_configs(connection, Kind.TELEGRAM)
            if channel.paused_at is None
        }

    def _follow(self, bots: set[Bot]) -> None:
        for bot, task in [*self._listening.items()]:
            if bot not in bots or task.done():
                self._listening.pop(bot).cancel()
        for bot in bots:
            if bot not in self._listening:
                self._listening[bot] = asyncio.create_task(self._listen(bot))

    async def _listen(self, bot: Bot) -> None:
        after, failures = 0, 0
        while True:
            try:
                updates = await self._updates(bot, after)
                for update in updates:
                    await self._take(bot, update)
                    after = max(after, update["update_id"] + 1)
            except (NoReply, BrokerError) as error:
                log.warning("taps: asking again later", error=str(error))
            except Exception:  # what comes from outside ends no listening
                log.exception("taps: failed, asking again later")
            else:
                failures = 0
                await asyncio.sleep(BETWEEN_POLLS)
                continue
            await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
            failures += 1

    async def _updates(self, bot: Bot, after: int) -> Sequence[Mapping[str, Any]]:
        """What came since; asking for what is after it tells Telegram that it was taken. Raises NoReply."""
        asked = {
            "offset": after,
            "limit": AT_ONCE,
            "timeout": POLL_SECONDS,
            "allowed_updates": ["callback_query"],
        }
        reply = await telegram.call(
            self._sender,
            bot.config,
            "getUpdates",
            asked,
            seconds=POLL_SECONDS + SLACK_SECONDS,
        )
        return updates_of(reply)

    async def _take(self, bot: Bot, update: Mapping[str, Any]) -> None:
        """Raises STORE_UNAVAILABLE: it is taken once it can be."""
        tap = Tap.of(update)
        if tap is None:
            return
        try:
            said = await self._answer(bot, tap)
        except BrokerError:
            raise
        except Exception:
            log.exception("taps: failed")
            said = "An error of the broker's own, now in its log."
        body = {"callback_query_id": tap.id, "text": said[:200], "show_alert": True}
        with suppress(NoReply):  # it counted all the same
            await telegram.call(self._sender, bot.config, "answerCallbackQuery", body)

    async def _answer(self, bot: Bot, tap: Tap) -> str:
        """What the button came to, for whoever tapped it."""
        what, _, rest = tap.data.partition(":")
        delivery_id, _, token = rest.partition(":")
        try:
            if what != telegram.REJECT:
                raise Refused("no button of the broker says that")
            held = await self._rejections.held(delivery_id, token, letters=telegram.TOKEN_LETTERS)
            _, config = await self._store.read(
                lambda connection: self._store.channels.with_config(connection, held.channel.id)
            )
            if (config["url"], config["token"], config["user"]) != (bot.url, bot.token, tap.sender):
                raise Refused(f"it was tapped by another account, {tap.sender}")
            return closed(await self._rejections.reject(held))
        except NotDecidable as late:
            return f"Too late to reject. {closed(late.intent)}"
        except Refused as why:
            await self._rejections.refuse(delivery_id, str(why))
            return "This button does not hold. Open the page to see what waits."
