"""Nobody waits long: for a worker, for what is attached, or for comparisons."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from encoders.api import Item
from integration.engine.client import Cluster
from integration.gateway.attachments import Attachment, Attachments
from integration.gateway.calls import read
from integration.gateway.exchange import Exchange, Header
from integration.gateway.querycodes import QueryCodes
from integration.gateway.searching import Told
from integration.gateway.widening.requests import Widening
from integration.gateway.widening.rules import Rule
from integration.gateway.widening.scripts import Scripts
from integration.gateway.widening.shadow import AT_ONCE, READ, Heard, Search, Shadow
from integration.gateway.widening.words import Words
from integration.search.plan import Target
from integration.settings import Settings
from integration.state import Attached, Bundle
from mappings.code import HashCode
from mappings.errors import EngineUnavailable, RequestError, WorkerUnavailable
from mappings.profile import TargetProfile

CODE = HashCode(16, b"\x0f\xf0")
TARGET = Target("books", "s", {("text", "text"): tuple(1 - d / 16 for d in range(17))})
BUNDLE = Bundle("fake", "fake", 16, "0" * 64)
BOOKS = Attachment(
    Attached("books", "uuid", "s", {"s": BUNDLE}, TargetProfile(name="t", text=("title",)), "secret"), TARGET
)


class Worker:
    """Answers after `seconds`, or not at all."""

    def __init__(self, seconds: float = 0.0, *, away: bool = False) -> None:
        self.seconds, self.away, self.asked = seconds, away, 0

    def __call__(self, item: Item, *_: object) -> dict[str, Any]:
        self.asked += 1
        time.sleep(self.seconds)
        if self.away:
            raise WorkerUnavailable("no worker encoded the query")
        return {"codes": {"text": CODE.base64()}, "problem": None}


def test_a_slow_worker_delays_one_search_and_its_code_is_kept() -> None:
    worker = Worker(0.3)
    scripts = Scripts(QueryCodes(worker, timeout=5), timeout=0.05, pause=0.4)

    async def searches() -> None:
        for words, longest in (("cats", 0.2), ("cats", 0.02), ("dogs", 0.02)):
            began = time.monotonic()
            with pytest.raises(WorkerUnavailable):
                await scripts.score(words, [BOOKS])
            assert time.monotonic() - began < longest
        assert worker.asked == 1
        await asyncio.sleep(0.35)
        script = await scripts.score("cats", [BOOKS])  # still in the pause, but the code came meanwhile
        assert script["params"]["pairs"][0]["code"] == list(CODE.packed)
        assert worker.asked == 1
        await asyncio.sleep(0.2)
        with pytest.raises(WorkerUnavailable):
            await scripts.score("dogs", [BOOKS])
        assert worker.asked == 2  # the pause is over

    asyncio.run(searches())


def test_indices_whose_codes_say_nothing_of_each_other_are_not_ranked_together() -> None:
    worker = Worker()
    other = replace(BOOKS.known, index="more", spaces={"s": replace(BUNDLE, digest="1" * 64)})
    with pytest.raises(RequestError, match="space 's' is of different encoders"):
        asyncio.run(Scripts(QueryCodes(worker, timeout=5), timeout=1).score("cats", [BOOKS, Attachment(other, TARGET)]))
    assert worker.asked == 0


def test_a_worker_that_is_away_is_asked_once_in_a_pause() -> None:
    worker = Worker(away=True)
    scripts = Scripts(QueryCodes(worker, timeout=5), timeout=5, pause=60)

    async def searches() -> None:
        for words in ("cats", "dogs"):
            with pytest.raises(WorkerUnavailable):
                await scripts.score(words, [BOOKS])

    asyncio.run(searches())
    assert worker.asked == 1


class Silent(Attachments):
    """A cluster that does not tell what is attached: after long, or with an error at once."""

    def __init__(self, seconds: float) -> None:
        super().__init__(cast("Cluster", None), Path())
        self.seconds, self.asked = seconds, 0

    async def whole(self, *_: Any) -> list[Attachment]:
        """Nothing."""
        self.asked += 1
        await asyncio.sleep(self.seconds)
        raise EngineUnavailable("the cluster does not answer")


class Unread:
    """An exchange whose body must not be read."""

    call = read("POST", b"/books/_search")


@pytest.mark.parametrize("seconds", [0.0, 30.0])
def test_a_cluster_that_does_not_tell_what_is_attached_delays_one_search(seconds: float) -> None:
    async def nobody(*_: Any) -> Told:
        raise AssertionError("nothing is sent")

    attachments = Silent(seconds)
    settings = Settings(widen=(Rule("books", "rerank"),), widen_timeout=0.1)
    part = Widening(nobody, attachments, QueryCodes(Worker(), timeout=1), settings)

    async def searches() -> None:
        for _ in range(3):
            assert not await part.handle(cast("Exchange", Unread()))

    began = time.monotonic()
    asyncio.run(searches())
    assert time.monotonic() - began < 2
    assert attachments.asked == 1


def test_without_rules_no_search_is_looked_at() -> None:
    for rules in ((), (Rule("*", "off"),)):
        settings = Settings(widen=rules)
        part = Widening(cast("Any", None), cast("Any", None), QueryCodes(Worker(), timeout=1), settings)
        assert part.kinds == ()


def test_no_more_comparisons_than_allowed_are_under_way_and_none_keeps_words() -> None:
    going = asyncio.Event()
    asked: list[bytes] = []

    async def cluster(method: str, path: bytes, headers: Sequence[Header], body: bytes) -> Told:
        asked.append(body)
        await going.wait()
        hits = b'{"hits":{"total":3,"hits":[{"_index":"books","_id":"2"},{"_index":"books","_id":"1"}]}}'
        return Told(200, [(b"content-type", b"application/json")], hits)

    shadow = Shadow(cluster, Scripts(QueryCodes(Worker(), timeout=5), timeout=5))
    call = read("POST", b"/books/_search")
    assert call is not None
    tree = {"query": {"match": {"title": "secret words"}}, "aggs": {"x": {}}, "size": 2}
    search = Search(Rule("books", "shadow"), call, [], tree, Words(("query",), ("secret words",)), [BOOKS])
    own = b'{"hits":{"total":3,"hits":[{"_index":"books","_id":"1"},{"_index":"books","_id":"3"}]}}'

    async def searches() -> None:
        for _ in range(AT_ONCE + 2):
            shadow.begin(search, own, [(b"content-type", b"application/json")])
        while len(asked) < AT_ONCE:
            await asyncio.sleep(0.01)
        going.set()
        while shadow.counts["books compared"] < AT_ONCE:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(searches(), 20))
    told = {
        "busy": 2,
        "compared": 4,
        "hits": 8,
        "hits_kept": 4,
        "hits_in_place": 0,
        "first_kept": 0,
        "total_differs": 0,
    }
    assert shadow.counts == {f"books {name}": number for name, number in told.items()}
    assert all(b"aggs" not in body for body in asked)


def test_an_answer_that_is_too_long_is_not_kept() -> None:
    heard = Heard()
    for piece in (b"a" * (READ - 1), b"bc", b"d"):
        heard(piece)
    assert heard.whole() == b""
    short = Heard()
    short(b"ab")
    short(b"c")
    assert short.whole() == b"abc"
