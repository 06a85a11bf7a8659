"""The page of a trader's notification channels and recent deliveries."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from ..errors import BrokerError, invalid
from ..events import Topic
from ..money import parse
from ..notifications import Channel, Delivery, Kind
from ..notify.sender import checked_url, shown
from ..notify.telegram import SERVER
from ..notify.webhook import new_secret, rotated
from ..store import Session, Standing
from .assets import html
from .auth import for_traders
from .deps import Desk
from .posts import post
from .view_builder import Drawing
from .wording import as_quoted

MOST_SHOWN: Final = 50
NTFY: Final = "https://ntfy.sh"
TOPIC: Final = re.compile(r"[-_A-Za-z0-9]{1,64}", re.ASCII)
BOT_TOKEN: Final = re.compile(r"[0-9]{1,20}:[-_A-Za-z0-9]{10,100}", re.ASCII)
USER: Final = re.compile(r"[1-9][0-9]{0,15}", re.ASCII)
CHAT: Final = re.compile(r"-?[1-9][0-9]{0,15}", re.ASCII)
TOKEN: Final = re.compile(r"[\x21-\x7e]{0,200}", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Form:
    """The submitted form that adds a channel, as text."""

    kind: str
    topics: Sequence[str]
    typed: Mapping[str, str]

    @classmethod
    def of(cls, sent: FormData) -> Form:
        names = ("name", "address", "topic", "token", "user", "chat", "minimum")
        return cls(
            kind=str(sent.get("kind", "")),
            topics=[str(topic) for topic in sent.getlist("events")],
            typed={name: as_quoted(str(sent.get(name, ""))) for name in names},
        )

    def chosen(self) -> set[Topic]:
        """The selected topics. Raises INVALID_ARGUMENTS."""
        if any(topic not in list(Topic) for topic in self.topics):
            raise invalid("events", "must be among the options", allowed=list(Topic))
        return {Topic(topic) for topic in self.topics}

    def minimum(self) -> Decimal | None:
        """Minimum value of a request in USDT; None for no minimum. Raises INVALID_ARGUMENTS."""
        text = self.typed["minimum"]
        if not text:
            return None
        try:
            value = parse(text)
        except ValueError as error:
            raise invalid("minimum", f"{error} (use a dot for decimals)") from None
        if not 0 < value <= 10**9:
            raise invalid("minimum", "must be above zero and at most 1,000,000,000 USDT")
        return value


@dataclass(frozen=True, kw_only=True)
class ChannelsView:
    """`secret`: the new secret of the channel named `secret_of`, shown once."""

    channels: Sequence[Channel]
    deliveries: Sequence[Delivery]
    names: Mapping[str, str]
    form: Form | None = None
    problem: str | None = None
    secret: str | None = None
    secret_of: str | None = None
    topics: Mapping[Topic, str] = field(default_factory=lambda: TOPIC_NAMES)


class ChannelPages:
    def __init__(self, desk: Desk, drawing: Drawing) -> None:
        self._desk = desk
        self._drawing = drawing
        self._channels = desk.store.channels

    def routes(self) -> list[BaseRoute]:
        def posted(path: str, endpoint: Callable[[Request, Session], Any]) -> Route:
            return post(path, for_traders(self._desk, endpoint))

        return [
            Route("/channels", for_traders(self._desk, self.show)),
            Route("/channels/deliveries", for_traders(self._desk, self.deliveries)),
            posted("/channels", self.add),
            posted("/channels/{id}/test", self.test),
            posted("/channels/{id}/pause", self.pause),
            posted("/channels/{id}/resume", self.resume),
            posted("/channels/{id}/renew", self.renew),
            posted("/channels/{id}/remove", self.remove),
        ]

    async def show(self, request: Request, session: Session) -> Response:
        return await self._page(session)

    async def deliveries(self, request: Request, session: Session) -> Response:
        """Only the list of deliveries, for htmx."""
        return html("deliveries.html", page=await self._view(session))

    async def add(self, request: Request, session: Session) -> Response:
        async with request.form(max_files=0, max_fields=20) as sent:
            form = Form.of(sent)
        try:
            kind, config, address = self._config(form)
            channel = await self._channels.add(
                session.trader,
                kind,
                form.typed["name"],
                address,
                config,
                form.chosen(),
                form.minimum(),
                standing=self._standing(session),
            )
        except BrokerError as error:
            if error.http_status != 400:
                raise
            return await self._page(session, 422, form=form, problem=error.message)
        await self._channels.test(channel.id, session.trader, standing=self._standing(session))
        if kind is not Kind.WEBHOOK:
            return _back()
        return await self._page(session, secret=config["secret"], secret_of=channel.name)

    async def test(self, request: Request, session: Session) -> Response:
        return await self._act(request, session, self._channels.test)

    async def pause(self, request: Request, session: Session) -> Response:
        return await self._act(request, session, partial(self._channels.pause, paused=True))

    async def resume(self, request: Request, session: Session) -> Response:
        return await self._act(request, session, partial(self._channels.pause, paused=False))

    async def remove(self, request: Request, session: Session) -> Response:
        return await self._act(request, session, self._channels.remove)

    async def _act(self, request: Request, session: Session, act: Callable[..., Awaitable[bool]]) -> Response:
        return _done(await act(request.path_params["id"], session.trader, standing=self._standing(session)))

    async def renew(self, request: Request, session: Session) -> Response:
        """Make a new webhook secret. The old one stays valid for a day."""
        secret = new_secret(self._channels.random)
        channel = await self._channels.reconfigure(
            request.path_params["id"],
            session.trader,
            Kind.WEBHOOK,
            partial(rotated, secret=secret, now=self._desk.clock()),
            standing=self._standing(session),
        )
        if channel is None:
            return _done(False)
        return await self._page(session, secret=secret, secret_of=channel.name)

    def _standing(self, session: Session) -> Standing:
        return self._desk.store.people.standing(session)

    def _config(self, form: Form) -> tuple[Kind, Mapping[str, Any], str]:
        """The channel's kind, its config, and its address as it may be shown. Raises INVALID_ARGUMENTS."""
        private = self._desk.settings.notify_allow_private
        if form.kind == Kind.WEBHOOK:
            url = checked_url(form.typed["address"], allow_private=private)
            return Kind.WEBHOOK, {"url": url, "secret": new_secret(self._channels.random)}, shown(url)
        if form.kind == Kind.TELEGRAM:
            return _telegram(form.typed, private)
        if form.kind != Kind.NTFY:
            raise invalid("kind", "must be one of the options", allowed=list(Kind))
        server = _server(form.typed["address"] or NTFY, private)
        topic, token = form.typed["topic"], form.typed["token"]
        if not TOPIC.fullmatch(topic):
            raise invalid("topic", "must have 1 to 64 letters, digits, - or _")
        if not TOKEN.fullmatch(token):
            raise invalid("token", "must be an access token of that server, at most 200 characters")
        config = {"url": server, "topic": topic, **({"token": token} if token else {})}
        # Whoever knows the whole topic can read the messages.
        return Kind.NTFY, config, f"{shown(server)}/{topic[:3]}…"

    async def _page(self, session: Session, status: int = 200, **more: Any) -> Response:
        return html(
            "channels.html",
            status,
            frame=await self._drawing.frame(session.trader),
            page=await self._view(session, **more),
            reachable=self._desk.settings.opens_elsewhere,
            url=self._desk.settings.url,
        )

    async def _view(self, session: Session, **more: Any) -> ChannelsView:
        def read(connection: Connection) -> ChannelsView:
            channels = self._channels.of_trader(connection, session.trader)
            return ChannelsView(
                channels=channels,
                deliveries=self._desk.store.outbox.of_trader(connection, session.trader, MOST_SHOWN),
                names={channel.id: channel.name for channel in channels},
                **more,
            )

        return await self._desk.store.read(read)


def _server(url: str, allow_private: bool) -> str:
    """The checked URL without a slash at its end. Raises INVALID_ARGUMENTS."""
    return checked_url(url, allow_private=allow_private, field="server").rstrip("/")


def _telegram(typed: Mapping[str, str], allow_private: bool) -> tuple[Kind, Mapping[str, Any], str]:
    """As `_config`. Raises INVALID_ARGUMENTS."""
    server = _server(typed["address"] or SERVER, allow_private)
    if not BOT_TOKEN.fullmatch(typed["token"]):
        raise invalid("bot token", "must be the token from @BotFather: a number, a colon, letters and digits")
    if not USER.fullmatch(typed["user"]):
        raise invalid("user id", "must be your account's number; @userinfobot shows it")
    if typed["chat"] and not CHAT.fullmatch(typed["chat"]):
        raise invalid("chat id", "must be a number, or empty for your own chat with the bot")
    user, chat = int(typed["user"]), int(typed["chat"] or typed["user"])
    config = {"url": server, "token": typed["token"], "user": user, "chat": chat}
    return Kind.TELEGRAM, config, f"bot {typed['token'].partition(':')[0]}, chat {chat}"


TOPIC_NAMES: Final[Mapping[Topic, str]] = {
    Topic.REQUESTS: "New requests",
    Topic.OUTCOMES: "Outcomes that need attention",
    Topic.CANCELS: "Cancelled protective orders",
    Topic.ALERTS: "Alerts",
}


def _back() -> Response:
    return RedirectResponse("/channels", 303)


def _done(found: bool) -> Response:
    if found:
        return _back()
    return html("message.html", 404, title="No such channel", message="You have no channel with this id.")
