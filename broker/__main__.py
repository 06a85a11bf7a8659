"""`python -m broker` is the command `broker`."""

from .cli import main

main()
