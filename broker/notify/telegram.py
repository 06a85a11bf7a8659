"""Sends to Telegram through the trader's own bot (core.telegram.org/bots/api).

A message has the buttons Open and Reject. It is edited once its request is decided. No parse mode is set, so
Telegram treats the text as plain text.
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
"""Characters of a link's token in a button (192 bits): Telegram allows 64 bytes of data."""

MOST_TEXT: Final = 4000
"""Characters; Telegram allows 4,096."""

MOST_READ: Final = 64 * 1024
"""Maximum bytes of an answer, which contains the whole message."""

MOST_NUMBER: Final = 2**63 - 1
"""The largest id accepted. Telegram's own ids have at most 52 bits."""

NOT_MODIFIED: Final = "message is not modified"


async def send(sender: Sender, config: Mapping[str, Any], message: Message, handles: Sequence[str]) -> Reply:
    """Send a new message, or edit the messages with these handles. Raises NoReply."""
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
    """Call one method of the bot API. Raises NoReply."""
    url = f"{config['url']}/bot{config['token']}/{method}"
    reply = await sender.post(
        url, json.dumps(body, ensure_ascii=False).encode(), {}, most=MOST_READ, seconds=seconds
    )
    answered = answer(reply)
    if answered.get("description", "").endswith(NOT_MODIFIED):  # a repeated edit: the first one arrived
        return Reply(status=200, body=b"{}", retry_after=None)
    pause = answered.get("parameters", {}).get("retry_after")
    if not isinstance(pause, int) or isinstance(pause, bool):
        return reply
    seconds = max(0, min(pause, 10**6))
    return Reply(status=reply.status, body=reply.body, retry_after=timedelta(seconds=seconds))


def answer(reply: Reply) -> Mapping[str, Any]:
    """The answer's JSON object; empty if the answer is anything else."""
    try:
        parsed = json.loads(reply.body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(parsed, dict):
        return {}
    types = {"description": str, "parameters": dict}
    return {name: value for name, value in parsed.items() if isinstance(value, types.get(name, object))}


def handle_of(reply: Reply) -> str | None:
    """The message's id, if Telegram accepted it."""
    result = answer(reply).get("result")
    message_id = result.get("message_id") if isinstance(result, dict) else None
    return str(message_id) if is_number(message_id) else None


def is_number(value: object) -> TypeGuard[int]:
    """Whether `value` can be a Telegram id. The server may be hostile."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MOST_NUMBER


def reject_data(link: str) -> str:
    """The data of the Reject button: delivery id and the start of the token."""
    delivery_id, token = link.rsplit("/", 2)[1:]
    return f"{REJECT}:{delivery_id}:{token[:TOKEN_LETTERS]}"


def _buttons(message: Message) -> Sequence[Mapping[str, Any]]:
    """Telegram refuses links to localhost: there is no Open button unless PUBLIC_URL is set."""
    opens = [{"text": "Open", "url": message.link}] if opens_elsewhere(message.link) else []
    if message.reject is None:
        return opens
    return [*opens, {"text": "Reject", "callback_data": reject_data(message.reject)}]


def _text(message: Message) -> str:
    figures = [f"{figure.label}: {figure.value}" for figure in message.figures]
    lines = (message.title, "", message.sentence, *figures, *message.lines[1:])
    return "\n".join(lines)[:MOST_TEXT]
