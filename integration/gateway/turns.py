"""Work of one request that is done side by side, but never much of it at once."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

AT_ONCE = 8
Made = TypeVar("Made")


async def in_turns(work: Iterable[Callable[[], Awaitable[Made]]], *, at_once: int = AT_ONCE) -> list[Made]:
    """What each gives, in order. Raises what the first that fails raises; what has not begun then never begins."""
    gate = asyncio.Semaphore(at_once)

    async def one(act: Callable[[], Awaitable[Made]]) -> Made:
        async with gate:
            return await act()

    tasks = [asyncio.ensure_future(one(act)) for act in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
