"""Handles taps on Telegram buttons. Long polling fetches them, so the broker needs no public address.

Everybody in a chat sees its buttons, but only the trader's own account may use them: the sender of the tap is
checked, never just the chat.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection

from ..errors import BrokerError
from ..logs import get_logger
from ..notifications import Kind
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
"""Seconds: a server that answers at once, or a flood of taps, must not occupy the broker."""

MOST_ID: Final = 64
"""Maximum characters of a tap's id."""

AT_ONCE: Final = 5
"""Maximum updates in one answer."""

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
    """A tap as Telegram reports it. Only the sender can be trusted."""

    id: str
    sender: int
    data: str

    @classmethod
    def of(cls, update: Mapping[str, Any]) -> Tap | None:
        """The tap in an update; None if it has none."""
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
    """The updates that have an id. Raises NoReply."""
    result = telegram.answer(reply).get("result")
    if reply.status != 200 or not isinstance(result, list):
        raise NoReply(f"answered {reply.status}")
    updates = [update for update in result[:AT_ONCE] if isinstance(update, dict)]
    return [update for update in updates if telegram.is_number(update.get("update_id"))]


class Taps:
    def __init__(self, store: Store, rejections: Rejections, sender: Sender) -> None:
        self._store = store
        self._rejections = rejections
        self._sender = sender
        self._polls: dict[Bot, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Poll every bot that a channel uses, until cancelled."""
        try:
            while True:
                try:
                    self._update_polls(await self._store.read(self._bots))
                except BrokerError as error:  # the store logs it, once
                    log.debug("taps: the database is not available", error=error.message)
                except Exception:
                    log.exception("taps: failed")
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            polls = [*self._polls.values()]
            self._update_polls(set())
            await asyncio.gather(*polls, return_exceptions=True)

    def _bots(self, connection: Connection) -> set[Bot]:
        return {
            Bot(config["url"], config["token"])
            for channel, config in self._store.channels.with_configs(connection, Kind.TELEGRAM)
            if channel.paused_at is None
        }

    def _update_polls(self, bots: set[Bot]) -> None:
        for bot, task in [*self._polls.items()]:
            if bot not in bots or task.done():
                self._polls.pop(bot).cancel()
        for bot in bots:
            if bot not in self._polls:
                self._polls[bot] = asyncio.create_task(self._poll(bot))

    async def _poll(self, bot: Bot) -> None:
        after, failures = 0, 0
        while True:
            try:
                updates = await self._updates(bot, after)
                for update in updates:
                    await self._handle(bot, update)
                    after = max(after, update["update_id"] + 1)
            except (NoReply, BrokerError) as error:
                log.warning("taps: asking again later", error=str(error))
            except Exception:  # bad outside data must not end the polling
                log.exception("taps: failed, asking again later")
            else:
                failures = 0
                await asyncio.sleep(BETWEEN_POLLS)
                continue
            await asyncio.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
            failures += 1

    async def _updates(self, bot: Bot, after: int) -> Sequence[Mapping[str, Any]]:
        """The next updates. `after` as offset confirms the earlier ones to Telegram. Raises NoReply."""
        body = {
            "offset": after,
            "limit": AT_ONCE,
            "timeout": POLL_SECONDS,
            "allowed_updates": ["callback_query"],
        }
        reply = await telegram.call(
            self._sender,
            bot.config,
            "getUpdates",
            body,
            seconds=POLL_SECONDS + SLACK_SECONDS,
        )
        return updates_of(reply)

    async def _handle(self, bot: Bot, update: Mapping[str, Any]) -> None:
        """Act on a tap. Raises STORE_UNAVAILABLE; the tap is then fetched again."""
        tap = Tap.of(update)
        if tap is None:
            return
        try:
            text = await self._answer(bot, tap)
        except BrokerError:
            raise
        except Exception:
            log.exception("taps: failed")
            text = "Internal error; see the broker's log."
        body = {"callback_query_id": tap.id, "text": text[:200], "show_alert": True}
        with suppress(NoReply):  # the tap took effect even if this fails
            await telegram.call(self._sender, bot.config, "answerCallbackQuery", body)

    async def _answer(self, bot: Bot, tap: Tap) -> str:
        """The text to show to the person who tapped the button."""
        action, _, rest = tap.data.partition(":")
        delivery_id, _, token = rest.partition(":")
        try:
            if action != telegram.REJECT:
                raise Refused("the broker has no such button")
            held = await self._rejections.held(delivery_id, token, letters=telegram.TOKEN_LETTERS)
            _, config = await self._store.read(
                lambda connection: self._store.channels.with_config(connection, held.channel.id)
            )
            if (config["url"], config["token"], config["user"]) != (bot.url, bot.token, tap.sender):
                raise Refused(f"the button was tapped by another account, {tap.sender}")
            return closed(await self._rejections.reject(held))
        except NotDecidable as error:
            return f"Too late to reject. {closed(error.intent)}"
        except Refused as error:
            await self._rejections.refuse(delivery_id, str(error))
            return "This button has expired, was used, or is not yours. Open the page to see what is waiting."
