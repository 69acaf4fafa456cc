"""The score of a widened search: the code of its words, asked of a worker in a bounded time."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from encoders.api import Item
from integration.gateway.attachments import Attachment, check_spaces
from integration.gateway.querycodes import QueryCodes
from integration.gateway.widening.reranking import Codes, script_for
from mappings.code import HashCode
from mappings.errors import WorkerUnavailable

PAUSE = 5.0  # seconds in which no search waits, after a worker did not answer


class Scripts:
    """Scripts of scores. Where no worker answers, one search in `pause` seconds waits for it, and no other."""

    def __init__(self, codes: QueryCodes, *, timeout: float, pause: float = PAUSE) -> None:
        self._codes, self._timeout, self._pause = codes, timeout, pause
        self._from = 0.0

    async def score(self, words: str, reached: Sequence[Attachment]) -> dict[str, Any]:
        """The script for these words in these indices.

        Raises WorkerUnavailable, and RequestError as `script_for` and `check_spaces`.
        """
        return script_for([one.target for one in reached], await self.codes(words, reached))

    async def codes(self, words: str, reached: Sequence[Attachment]) -> Codes:
        """The codes of these words by space. Raises WorkerUnavailable, and RequestError as `check_spaces`."""
        check_spaces(reached)
        item = Item(words)
        codes: dict[str, list[tuple[str, HashCode]]] = {}
        for space, one in {one.target.space: one for one in reached}.items():
            bundle = one.known.bundle
            made = self._codes.remembered(item, bundle)
            if made is None:
                made = await self._asked(item, one)
            codes[space] = [(part, code) for part, code in made.items() if part == "text"]
        return codes

    def knows(self, words: str, reached: Sequence[Attachment]) -> bool:
        """Whether no worker has to be asked for these words in these indices."""
        item = Item(words)
        return all(self._codes.remembered(item, one.known.bundle) is not None for one in reached)

    async def _asked(self, item: Item, one: Attachment) -> Any:
        if time.monotonic() < self._from:
            raise WorkerUnavailable("no worker encoded the words of a search just now")
        try:
            async with asyncio.timeout(self._timeout):
                return await self._codes.codes(item, one.known.bundle)
        except TimeoutError as error:
            self._from = time.monotonic() + self._pause
            raise WorkerUnavailable(f"no worker encoded the words within {self._timeout:g} s") from error
        except WorkerUnavailable:
            self._from = time.monotonic() + self._pause
            raise
