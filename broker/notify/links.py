"""The two links in a notification: one opens the page, the other rejects the request, once.

A reject link is bound to its delivery, its channel and recipient, the intent and its digest. Nobody can make
one without the broker's secret key.
"""

from __future__ import annotations

from ..credentials import Vault, same
from ..notifications import Delivery


class Links:
    def __init__(self, url: str, vault: Vault) -> None:
        self._url = url
        self._vault = vault

    def page(self, delivery: Delivery) -> str:
        """The link to the page. It needs a sign-in and records that the notification was opened."""
        return f"{self._url}/told/{delivery.id}"

    def reject(self, delivery: Delivery, trader: str) -> str:
        return f"{self._url}/reject/{delivery.id}/{self._token(delivery, trader)}"

    def is_valid(self, delivery: Delivery, trader: str, token: str, letters: int | None = None) -> bool:
        """Whether the token is valid. `letters`: only this many of its first characters are given."""
        return same(token, self._token(delivery, trader)[:letters])

    def _token(self, delivery: Delivery, trader: str) -> str:
        bound_to = (
            delivery.id,
            delivery.channel,
            delivery.event.intent_id or "",
            delivery.digest or "",
            trader,
        )
        return self._vault.token("reject", *bound_to)
