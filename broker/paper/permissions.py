"""What the API key may do; the control surface changes it."""

from dataclasses import dataclass


@dataclass(slots=True)
class Permissions:
    withdraw: bool = False
    futures: bool = True
