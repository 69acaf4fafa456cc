"""The code of a query: out of this process's memory, else from a worker, in a bounded time."""

import asyncio
import base64
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from celery import Celery
from celery.result import AsyncResult
from redis import Redis

from encoders.api import Item
from integration import jobs
from integration.queries import codes_of
from integration.state import Bundle
from mappings.code import HashCode
from mappings.errors import WorkerUnavailable

KEPT = 10_000  # codes in memory, some hundred bytes each
ASKING = 8  # workers asked at once
QUEUED = 32  # queries in the broker's queue, which without workers would grow by a picture with each search
COMING = 200  # queries that wait for that: more could not be answered in time
Codes = Mapping[str, HashCode]
Ask = Callable[[Item, Bundle, float], dict[str, Any]]


class QueryCodes:
    """Codes by content. The same query asked twice at once is encoded once; `ask` gives a worker's answer or raises."""

    def __init__(self, ask: Ask, *, timeout: float, kept: int = KEPT) -> None:
        self._ask, self._timeout, self._most = ask, timeout, kept
        self._known: OrderedDict[bytes, Codes] = OrderedDict()
        self._coming: dict[bytes, asyncio.Future[Codes]] = {}
        self._threads = ThreadPoolExecutor(ASKING, "query-codes")

    def remembered(self, item: Item, bundle: Bundle) -> Codes | None:
        """The codes by part, with weights where their encoder gives some, if this process knows them."""
        key = _key(item, bundle)
        codes = self._known.get(key)
        if codes is not None:
            self._known.move_to_end(key)
        return codes

    async def codes(self, item: Item, bundle: Bundle) -> Codes:
        """The codes by part, `text` and `image`.

        Raises WorkerUnavailable where none answers in time, and RequestError for a picture that cannot be read.
        """
        known = self.remembered(item, bundle)
        if known is not None:
            return known
        key = _key(item, bundle)
        coming = self._coming.get(key)
        if coming is None:
            if len(self._coming) >= COMING:
                raise WorkerUnavailable("too many queries wait for a worker; try again")
            coming = asyncio.ensure_future(self._asked(key, item, bundle))
            self._coming[key] = coming
            coming.add_done_callback(partial(self._came, key))
        try:
            return await asyncio.wait_for(asyncio.shield(coming), self._timeout)
        except TimeoutError as error:
            raise WorkerUnavailable(f"no worker encoded the query within {self._timeout:g} s; try again") from error

    def _came(self, key: bytes, coming: asyncio.Future[Codes]) -> None:
        self._coming.pop(key, None)
        if not coming.cancelled():
            coming.exception()  # who waited was told, or waits no more: it is nothing for the log

    def close(self) -> None:
        """Ask nobody any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _asked(self, key: bytes, item: Item, bundle: Bundle) -> Codes:
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._threads, self._ask, item, bundle, self._timeout)
        codes = codes_of(answer)
        self._known[key] = codes
        if len(self._known) > self._most:
            self._known.popitem(last=False)
        return codes


def worker(broker_url: str) -> Ask:
    """How a worker at this broker is asked; to be called in threads."""
    app: Celery = jobs.queue_app(broker_url)  # its result backend is one a thread
    broker = Redis.from_url(broker_url, socket_connect_timeout=1, socket_timeout=5)

    def ask(item: Item, bundle: Bundle, timeout: float) -> dict[str, Any]:
        pictures = [base64.b64encode(picture).decode() for picture in item.pictures]
        arguments = {"reference": bundle.reference, "digest": bundle.digest, "text": item.text, "pictures": pictures}
        try:
            if broker.llen(jobs.QUERY_QUEUE) >= QUEUED:
                raise WorkerUnavailable(f"{QUEUED} queries wait in the queue: no worker takes them")
            result = app.send_task(jobs.ENCODE_QUERY, kwargs=arguments, retry=False, expires=timeout)
            try:
                answer: dict[str, Any] = result.get(timeout=timeout)
            finally:
                _let_go(result)
        except WorkerUnavailable:
            raise
        except Exception as error:  # a broker that is away, a worker's own error, no answer: one and the same here
            raise WorkerUnavailable(f"no worker encoded the query: {type(error).__name__}") from error
        return answer

    return ask


def _let_go(result: AsyncResult) -> None:
    """Wait for it no more. By itself it would say so to the broker when it is collected, in the loop's thread maybe."""
    backend, result.backend = result.backend, None
    with suppress(Exception):  # a broker that is away forgets it by itself
        backend.remove_pending_result(result)


def _key(item: Item, bundle: Bundle) -> bytes:
    """Digest of what is encoded; the query itself is not kept."""
    content = hashlib.sha256(bundle.digest.encode())
    for part in (b"\0" if item.text is None else b"\1" + item.text.encode(errors="replace"), *item.pictures):
        content.update(len(part).to_bytes(8) + part)
    return content.digest()
