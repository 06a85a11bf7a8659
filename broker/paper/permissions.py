"""The permissions of the API key. The control API can change them."""

from dataclasses import dataclass


@dataclass(slots=True)
class Permissions:
    withdraw: bool = False
    futures: bool = True
