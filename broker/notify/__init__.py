"""Sends notifications from the outbox to the traders' channels: webhook, ntfy and Telegram."""

from __future__ import annotations

from .heartbeat import beat
from .links import Links
from .rejections import Refused, Rejections
from .sender import Sender
from .telegram_buttons import Taps
from .watch import Watch
from .worker import Worker

__all__ = ["Links", "Refused", "Rejections", "Sender", "Taps", "Watch", "Worker", "beat"]
