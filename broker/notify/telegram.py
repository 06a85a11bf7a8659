"""A phone with Telegram, through a bot of the trader's own (core.telegram.org/bots/api).

A message has the buttons Open and Reject, and is brought up to date once its request is decided. Its text is
plain: without a parse mode nothing in it is markup.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, TypeGuard

from ..addresses import opens_elsewhere
from .message import Message
from .sender import Reply, Sender

SERVER: Final = "https://api.telegram.org"
REJECT: Final = "r"
TOKEN_LETTERS: Final = 32
"""Of a link's token, 192 bits: a button carries 64 bytes at most."""

MOST_TEXT: Final = 4000
"""Characters; Telegram takes 4,096."""

MOST_READ: Final = 64 * 1024
"""Bytes of an answer: it holds the whole message once more."""

MOST_NUMBER: Final = 2**63 - 1
"""Telegram's own ids have 52 bits at most."""

NOT_MODIFIED: Final = "message is not modified"


async def send(sender: Sender, config: Mapping[str, Any], message: Message, handles: Sequence[str]) -> Reply:
    """A new message, or another text for those of these handles. Raises NoReply."""
    body: dict[str, Any] = {
        "chat_id": config["chat"],
        "text": _text(message),
        "link_preview_options": {"is_disabled": True},
        "reply_markup": {"inline_keyboard": [_buttons(message)]},
    }
    if not handles:
        return await call(sender, config, "sendMessage", body)
    for handle in handles:
        reply = await call(sender, config, "editMessageText", {**body, "message_id": int(handle)})
        if reply.status >= 300:
            break
    return reply


async def call(
    sender: Sender,
    config: Mapping[str, Any],
    method: str,
    body: Mapping[str, Any],
    *,
    seconds: float | None = None,
) -> Reply:
    """One method of the bot API. Raises NoReply."""
    url = f"{config['url']}/bot{config['token']}/{method}"
    reply = await sender.post(
        url, json.dumps(body, ensure_ascii=False).encode(), {}, most=MOST_READ, seconds=seconds
    )
    told = answer(reply)
    if told.get("description", "").endswith(NOT_MODIFIED):  # repeated, and the first had arrived
        return Reply(status=200, body=b"{}", retry_after=None)
    rest = told.get("parameters", {}).get("retry_after")
    if not isinstance(rest, int) or isinstance(rest, bool):
        return reply
    seconds = max(0, min(rest, 10**6))
    return Reply(status=reply.status, body=reply.body, retry_after=timedelta(seconds=seconds))


def answer(reply: Reply) -> Mapping[str, Any]:
    """The answer's JSON; nothing where it is none, or not an object."""
    try:
        told = json.loads(reply.body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(told, dict):
        return {}
    kept = {"description": str, "parameters": dict}
    return {name: value for name, value in told.items() if isinstance(value, kept.get(name, object))}


def handle_of(reply: Reply) -> str | None:
    """Of a message that was taken."""
    result = answer(reply).get("result")
    message_id = result.get("message_id") if isinstance(result, dict) else None
    return str(message_id) if is_number(message_id) else None


def is_number(value: object) -> TypeGuard[int]:
    """As Telegram counts. A hostile server writes what it likes."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MOST_NUMBER


def reject_data(link: str) -> str:
    """What the button carries of a reject link."""
    delivery_id, token = link.rsplit("/", 2)[1:]
    return f"{REJECT}:{delivery_id}:{token[:TOKEN_LETTERS]}"


def _buttons(message: Message) -> Sequence[Mapping[str, Any]]:
    """Telegram takes no link to the machine that it runs on: where PUBLIC_URL is unset, there is no Open."""
    opens = [{"text": "Open", "url": message.link}] if opens_elsewhere(message.link) else []
    if message.reject is None:
        return opens
    return [*opens, {"text": "Reject", "callback_data": reject_data(message.reject)}]


def _text(message: Message) -> str:
    figures = [f"{figure.label}: {figure.value}" for figure in message.figures]
    lines = (message.title, "", message.sentence, *figures, *message.lines[1:])
    return "\n".join(lines)[:MOST_TEXT]
