"""Codes of queries: remembered, asked for once, and never waited for longer than was said."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from encoders.api import Item
from integration.engine import redis_server
from integration.gateway.querycodes import COMING, QUEUED, QueryCodes, worker
from integration.jobs import QUERY_QUEUE
from integration.state import Bundle
from mappings.code import HashCode
from mappings.errors import RequestError, WorkerUnavailable

BUNDLE = Bundle("r", "n", 16, "d" * 64)
CATS = Item("cats")


class Slow:
    """A worker that takes its time, and counts."""

    def __init__(self, seconds: float, problem: str | None = None) -> None:
        self.seconds, self.problem, self.asked = seconds, problem, 0

    def __call__(self, item: Item, bundle: Bundle, timeout: float) -> dict[str, Any]:
        self.asked += 1
        time.sleep(self.seconds)
        return {"codes": {"text": HashCode(16, (item.text or "")[:2].encode()).base64()}, "problem": self.problem}


def test_the_same_query_is_encoded_once() -> None:
    ask = Slow(0.05)
    codes = QueryCodes(ask, timeout=5)

    async def several() -> None:
        made = await asyncio.gather(*(codes.codes(CATS, BUNDLE) for _ in range(5)))
        assert {one["text"].packed for one in made} == {b"ca"}
        assert codes.remembered(Item("dogs"), BUNDLE) is None
        assert codes.remembered(CATS, Bundle("r", "n", 16, "e" * 64)) is None
        await codes.codes(CATS, BUNDLE)

    asyncio.run(several())
    assert ask.asked == 1
    assert codes.remembered(CATS, BUNDLE) == {"text": HashCode(16, b"ca")}


def test_without_workers_the_queue_does_not_grow_for_ever(tmp_path: Path) -> None:
    with redis_server.embedded(tmp_path) as (url, _), Redis.from_url(url) as broker:
        ask = worker(url)
        with pytest.raises(WorkerUnavailable, match="TimeoutError"):
            ask(CATS, BUNDLE, 0.01)
        assert broker.llen(QUERY_QUEUE) == 1
        assert broker.pubsub_channels() == []  # nobody listens for an answer that nobody waits for
        broker.lpush(QUERY_QUEUE, *("x" for _ in range(QUEUED - 1)))
        with pytest.raises(WorkerUnavailable, match="no worker takes them"):
            ask(CATS, BUNDLE, 0.01)
        assert broker.llen(QUERY_QUEUE) == QUEUED


def test_the_oldest_is_forgotten() -> None:
    codes = QueryCodes(Slow(0), timeout=5, kept=2)

    async def three() -> None:
        for text in ("aa", "bb", "aa", "cc"):
            await codes.codes(Item(text), BUNDLE)

    asyncio.run(three())
    assert [codes.remembered(Item(text), BUNDLE) is None for text in ("aa", "bb", "cc")] == [False, True, False]


def test_a_slow_worker_is_not_waited_for_but_its_answer_is_kept() -> None:
    codes = QueryCodes(Slow(0.3), timeout=0.05)

    async def impatient() -> None:
        with pytest.raises(WorkerUnavailable, match=r"within 0\.05 s"):
            await codes.codes(CATS, BUNDLE)
        assert codes.remembered(CATS, BUNDLE) is None  # it is not there yet: nobody waited for it
        await asyncio.sleep(0.5)
        assert codes.remembered(CATS, BUNDLE) is not None

    asyncio.run(impatient())


def test_a_picture_that_cannot_be_read_is_the_callers() -> None:
    codes = QueryCodes(Slow(0, "no picture"), timeout=5)
    with pytest.raises(RequestError, match="the query's picture cannot be used: no picture"):
        asyncio.run(codes.codes(CATS, BUNDLE))


def test_a_broker_that_is_away_is_no_worker() -> None:
    codes = QueryCodes(worker("redis://127.0.0.1:1/0"), timeout=2)
    with pytest.raises(WorkerUnavailable, match="no worker encoded the query"):
        asyncio.run(codes.codes(CATS, BUNDLE))


def test_no_more_queries_wait_than_could_be_answered() -> None:
    codes = QueryCodes(Slow(0.2), timeout=5)

    async def many() -> None:
        asked = [asyncio.ensure_future(codes.codes(Item(f"w{n}"), BUNDLE)) for n in range(COMING)]
        await asyncio.sleep(0.01)
        with pytest.raises(WorkerUnavailable, match="too many"):
            await codes.codes(Item("one more"), BUNDLE)
        for one in asked:
            one.cancel()
        codes.close()

    asyncio.run(many())
