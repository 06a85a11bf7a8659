"""The outbox worker and its channels: who has to know is told, on the phone too."""

from __future__ import annotations

from .heartbeat import beat
from .links import Links
from .rejections import Refused, Rejections
from .sender import Sender
from .telegram_buttons import Taps
from .watch import Watch
from .worker import Worker

__all__ = ["Links", "Refused", "Rejections", "Sender", "Taps", "Watch", "Worker", "beat"]
