"""The outbox worker and its channels: who has to know is told, on the phone too."""

from __future__ import annotations

from .links import Links
from .sender import Sender
from .worker import Worker

__all__ = ["Links", "Sender", "Worker"]
