"""Posts to any endpoint, signed as in Standard Webhooks (standardwebhooks.com).

The schema of the body is in docs/notifications.md.
"""

from __future__ import annotations

import hmac
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from ..clock import Randomness, from_ms, iso, to_ms
from ..untrusted import one_line
from .message import Message
from .sender import Reply, Sender

VERSION: Final = 1
PREFIX: Final = "whsec_"
OVERLAP: Final = timedelta(hours=24)
"""How long the old secret also signs after a rotation."""


def new_secret(random: Randomness) -> str:
    return PREFIX + b64encode(random(32)).decode()


def rotated(config: Mapping[str, Any], *, secret: str, now: datetime) -> Mapping[str, Any]:
    """The configuration with a new secret. The old secrets also sign until 24 hours after their rotation."""
    old = {"secret": config["secret"], "until": to_ms(now + OVERLAP)}
    return {"url": config["url"], "secret": secret, "old": [old, *_still_old(config, now)]}


async def send(
    sender: Sender, config: Mapping[str, Any], message: Message, delivery_id: str, now: datetime
) -> Reply:
    """Post the message. Its id is the delivery's id, the same for each attempt. Raises NoReply."""
    body = json.dumps(_body(message), ensure_ascii=False, separators=(",", ":")).encode()
    return await sender.post(config["url"], body, signed(_secrets(config, now), delivery_id, now, body))


def signed(secrets: Sequence[str], delivery_id: str, now: datetime, body: bytes) -> Mapping[str, str]:
    """The signature headers, with one signature for each secret."""
    seconds = str(to_ms(now) // 1000)
    content = f"{delivery_id}.{seconds}.".encode() + body
    signatures = (
        hmac.digest(b64decode(secret.removeprefix(PREFIX)), content, "sha256") for secret in secrets
    )
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{b64encode(signature).decode()}" for signature in signatures),
    }


def _secrets(config: Mapping[str, Any], now: datetime) -> Sequence[str]:
    return [config["secret"], *(old["secret"] for old in _still_old(config, now))]


def _still_old(config: Mapping[str, Any], now: datetime) -> Sequence[Mapping[str, Any]]:
    """The old secrets that still sign."""
    return [old for old in config.get("old", ()) if now < from_ms(old["until"])]


def _body(message: Message) -> Mapping[str, Any]:
    intent = message.intent
    about = None
    if intent is not None:
        about = {
            "id": intent.id,
            "tool": intent.tool,
            "agent": intent.agent,
            "market": intent.market,
            "status": str(intent.state),
            "digest": intent.digest,
            "reason": None if intent.reason is None else one_line(intent.reason),
        }
    return {
        "type": message.type,
        "timestamp": iso(message.at),
        "data": {
            "version": VERSION,
            "mode": message.mode,
            "title": message.title,
            "sentence": message.sentence,
            "details": list(message.lines[1:]),
            "figures": [{"label": figure.label, "value": figure.value} for figure in message.figures],
            "intent": about,
            "url": message.link,
            "expiresAt": None if message.expires_at is None else to_ms(message.expires_at),
        },
    }
