"""The listen key of the user data stream: one for the account, valid for an hour after the last request."""

from collections.abc import Callable

from ..http.errors import Refusal

VALID_MS = 3_600_000


class ListenKeys:
    """`new_key` creates a key. Times are UTC milliseconds."""

    def __init__(self, clock: Callable[[], int], new_key: Callable[[], str]) -> None:
        self._clock = clock
        self._new_key = new_key
        self._key = ""
        self._until = 0

    def create(self) -> str:
        """Extend and return the valid key, or return a new one."""
        if not self.is_valid(self._key):
            self._key = self._new_key()
        return self._extended()

    def extend(self) -> str:
        if not self.is_valid(self._key):
            raise Refusal(
                -1125,
                "This listenKey does not exist. Please use `POST /fapi/v1/listenKey` to recreate `listenKey`",
            )
        return self._extended()

    def close(self) -> None:
        self._key = ""

    def is_valid(self, key: str) -> bool:
        return bool(key) and key == self._key and self._clock() < self._until

    def _extended(self) -> str:
        self._until = self._clock() + VALID_MS
        return self._key
