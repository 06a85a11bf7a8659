"""Links that a notification carries: one opens what it is about, one can only reject, and only once.

A reject link is bound to its delivery (and so to its recipient's channel), to the intent, to the digest that
was told and to the recipient; nobody can make one without the broker's key.
"""

from __future__ import annotations

from ..credentials import Vault, same
from ..notifications import Delivery


class Links:
    def __init__(self, url: str, vault: Vault) -> None:
        self._url = url
        self._vault = vault

    def page(self, delivery: Delivery) -> str:
        """Opens the page, behind the sign-in, and tells the broker that it was opened."""
        return f"{self._url}/told/{delivery.id}"

    def reject(self, delivery: Delivery, trader: str) -> str:
        return f"{self._url}/reject/{delivery.id}/{self._token(delivery, trader)}"

    def holds(self, delivery: Delivery, trader: str, token: str, letters: int | None = None) -> bool:
        """`letters`: only so many of the token's are carried."""
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
