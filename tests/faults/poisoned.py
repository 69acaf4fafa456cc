"""`python -m tests.faults.poisoned`: a worker whose encoder takes its process along when a text holds `POISON`.

No text does that to the real encoder, as far as is known; what befalls one of a user's is not ours to know.
"""

import os
import signal
from collections.abc import Sequence
from functools import cache

from encoders.api import Codes, Encoder, Item

POISON = "poison"


class Mortal:
    """The real encoder, until it meets the word."""

    def __init__(self, real: Encoder) -> None:
        self._real = real
        self.card = real.card

    def encode(self, items: Sequence[Item]) -> list[Codes]:
        """One result an item."""
        if any(POISON in (item.text or "") for item in items):
            os.kill(os.getpid(), signal.SIGKILL)
        return self._real.encode(items)

    def encode_query(self, item: Item) -> Codes:
        """Queries hold no poison."""
        return self._real.encode_query(item)


if __name__ == "__main__":
    from workers import __main__, process

    real = process.encoder

    @cache
    def mortal(reference: str, digest: str) -> Encoder:
        """The encoder of this process."""
        return Mortal(real(reference, digest))

    process.encoder = mortal
    __main__.main()
