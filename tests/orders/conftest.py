"""The same brokers as the tests of the tools have."""

from ..tools.conftest import futures

__all__ = ["futures"]
