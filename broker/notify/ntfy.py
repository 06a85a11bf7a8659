"""Sends to ntfy as JSON (docs.ntfy.sh/publish), with the buttons Open and Reject.

There is no approve button: traders approve on the page, which shows the whole order.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from .message import Message, Priority
from .sender import Reply, Sender

MOST_BYTES: Final = 3500
"""Maximum length of a message. ntfy turns more than 4,096 bytes into an attachment."""

MOST_FIGURES: Final = 4


async def send(sender: Sender, config: Mapping[str, Any], message: Message, delivery_id: str) -> Reply:
    """Post the message. Sent again, it replaces the first: the sequence_id is the same. Raises NoReply."""
    token = config.get("token")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    body = json.dumps(_body(config["topic"], message, delivery_id), ensure_ascii=False).encode()
    return await sender.post(config["url"], body, headers)


def _body(topic: str, message: Message, delivery_id: str) -> Mapping[str, Any]:
    actions: list[Mapping[str, Any]] = [{"action": "view", "label": "Open", "url": message.link}]
    if message.reject is not None:
        reject = {"action": "http", "label": "Reject", "url": message.reject, "method": "POST", "clear": True}
        actions.append(reject)
    return {
        "topic": topic,
        "sequence_id": delivery_id,
        "title": message.title,
        "message": _text(message),
        "priority": int(message.priority),
        "tags": ["warning"] if message.priority > Priority.NORMAL and message.reject is None else [],
        "click": message.link,
        "actions": actions,
    }


def _text(message: Message) -> str:
    figures = [f"{figure.label}: {figure.value}" for figure in message.figures[:MOST_FIGURES]]
    text = "\n".join((message.sentence, *figures, *message.lines[1:]))
    return text.encode()[:MOST_BYTES].decode(errors="ignore")
