"""`python -m integration.cli` is `crosshatch`."""

from integration.cli import main

main()
