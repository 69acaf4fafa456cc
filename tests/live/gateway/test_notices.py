"""Writes that pass through are noticed: the records get their codes, whatever wrote them and in whatever form.

Workers are `Hands` of tests/live/test_follow.py; the engine is real.
"""

import asyncio
import gzip
import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from integration import attach as attaching
from integration import jobs, lease, permissions, state
from integration.engine.client import Cluster
from integration.gateway import going_on, noticed
from integration.gateway import notices as handler
from integration.gateway.exchange import Header
from integration.gateway.noticed import Noticed
from integration.gateway.notices import Notices
from integration.settings import Settings
from mappings.errors import BrokerUnavailable
from tests.live.fakes import CARD, code_of
from tests.live.gateway.direct import Direct
from tests.live.test_follow import SHARDS, Hands, hands, known, text_code, write
from tests.live.test_roles import Recorded, recorded
from tests.writers import smile

__all__ = ["hands", "known", "recorded"]

SMILE: Sequence[Header] = [
    (b"content-type", b"application/smile"),
    (b"accept", b"application/smile"),
    (b"content-encoding", b"gzip"),
]


class Gateway:
    """The handler of writes, and clients that write through it."""

    def __init__(self, url: str, notices: Notices) -> None:
        self._url, self.notices = url, notices

    def ask(self, method: str, path: str, body: bytes = b"", headers: Sequence[Header] = ()) -> int:
        """One request, to its end; returns the status."""

        async def asked() -> Direct:
            async with httpx.AsyncClient(base_url=self._url) as engine:
                exchange = Direct(engine, method, path, body, headers)
                assert await self.notices.handle(exchange)
                return exchange

        exchange = asyncio.run(asked())
        assert exchange.sent is not None
        for callback in exchange.afterwards:
            callback()
        return exchange.sent[0]


@pytest.fixture
def gateway(recorded: Recorded, hands: Hands, settings: Settings) -> Iterator[Gateway]:
    """A gateway whose thread runs."""
    notices = Notices(Noticed(recorded, "redis://127.0.0.1:1/0", settings, print))
    notices.start()
    yield Gateway(recorded.url, notices)
    notices.stop()
    assert permissions.missing("gateway", recorded.sent) == set()


def until(reached: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def has_code(cluster: Cluster, known: state.Attached, record: str, title: str, **params: Any) -> Callable[[], bool]:
    """Whether a record holds the code of a title."""
    return lambda: text_code(cluster, known, record, **params) == code_of(title.encode())


def test_every_way_to_write_documents_is_noticed(gateway: Gateway, cluster: Cluster, known: state.Attached) -> None:
    lines = b'{"index":{"_id":"b1"}}\n{"title":"json"}\n{"delete":{"_id":"3"}}\n'
    assert gateway.ask("PUT", f"/{known.index}/_doc/d1", b'{"title":"doc"}') == 201
    assert gateway.ask("PUT", f"/{known.index}/_create/c1", b'{"title":"made"}') == 201
    assert gateway.ask("POST", f"/{known.index}/_update/4", b'{"doc":{"title":"changed"}}') == 200
    assert gateway.ask("PUT", f"/{known.index}/_doc/7?routing=r", b'{"title":"routed"}') == 200
    until(has_code(cluster, known, "7", "routed", routing="r"))
    assert gateway.ask("POST", f"/{known.index}/_bulk", lines) == 200
    packed = gzip.compress(smile.bulk({"index": {"_index": known.index, "_id": "s1"}}, {"title": "smile"}))
    assert gateway.ask("POST", "/_bulk", packed, SMILE) == 200
    for record, title in {"d1": "doc", "c1": "made", "4": "changed", "b1": "json", "s1": "smile"}.items():
        until(has_code(cluster, known, record, title))


def test_only_what_was_written_is_worked_at(
    gateway: Gateway, cluster: Cluster, known: state.Attached, hands: Hands
) -> None:
    assert gateway.ask("PUT", f"/{known.index}/_doc/5?routing=5", b'{"title":"one"}') in (200, 201)
    assert gateway.ask("PUT", f"/{known.index}/_doc/6?if_seq_no=999&if_primary_term=9", b'{"title":"no"}') == 409
    until(lambda: "5" in hands.records)
    time.sleep(1)
    assert hands.records == ["5"]


def test_an_index_that_was_attached_a_moment_ago_is_known(
    gateway: Gateway, cluster: Cluster, known: state.Attached, index: Callable[..., str], tmp_path: Path
) -> None:
    assert gateway.ask("PUT", f"/{known.index}/_doc/d1", b'{"title":"doc"}') == 201
    until(lambda: gateway.notices.counts["records"] == 1)  # what is attached was looked up for it
    other = index(SHARDS)
    attaching.attach(cluster, attaching.plan(cluster, other, str(tmp_path / "p.yaml"), CARD))
    assert gateway.ask("PUT", f"/{other}/_doc/d1", b'{"title":"doc"}') == 201
    until(lambda: gateway.notices.counts["records"] == 2)


def test_what_an_answer_does_not_tell_is_found(gateway: Gateway, cluster: Cluster, known: state.Attached) -> None:
    script = b'{"script":"ctx._source.title = \\"swept\\"","query":{"ids":{"values":["8"]}}}'
    cluster.request("POST", f"/{known.index}/_refresh")
    assert gateway.ask("POST", f"/{known.index}/_update_by_query", script) == 200
    until(has_code(cluster, known, "8", "swept"))
    lines = b'{"index":{"_id":"f1"}}\n{"title":"filtered"}\n'
    assert gateway.ask("POST", f"/{known.index}/_bulk?filter_path=errors", lines) == 200
    until(has_code(cluster, known, "f1", "filtered"))


@pytest.mark.parametrize("path", ["/{index}/_update_by_query", "/_reindex"])
def test_a_write_that_goes_on_after_its_answer_is_noticed_to_its_end(
    gateway: Gateway,
    cluster: Cluster,
    known: state.Attached,
    index: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
    path: str,
) -> None:
    """Two records a second; a sweep at its beginning finds the first of them alone."""
    monkeypatch.setattr(going_on, "EVERY", 0.3)
    monkeypatch.setattr(noticed, "SWEEP_EVERY", 0.5)
    assert gateway.ask("POST", f"/{known.index}/_update_by_query", b'{"query":{"match_none":{}}}') == 200
    for number in range(30):  # what has its code is not written by us while the task is under way
        until(has_code(cluster, known, str(number), f"book {number}", **({"routing": "r"} if number == 7 else {})))
    cluster.request("POST", f"/{known.index}/_refresh")
    records = [str(number) for number in range(1, 7)]
    script = {"source": 'ctx._source.title = "late " + ctx._id; ctx._source.remove("crosshatch")'}
    query = {"ids": {"values": records}}
    if path == "/_reindex":
        source = index({"mappings": {"properties": {"title": {"type": "text"}}}})
        lines = "".join(f'{{"index":{{"_id":"{n}"}}}}\n{{"title":"x"}}\n' for n in records)
        cluster.bulk(f"/{source}", lines.encode(), params={"refresh": "true"})
        body = {"source": {"index": source, "size": 1, "query": query}, "dest": {"index": known.index}}
        path += "?"
    else:
        body = {"query": query}
        path = path.format(index=known.index) + "?scroll_size=1&"
    asked = f"{path}wait_for_completion=false&requests_per_second=2"
    assert gateway.ask("POST", asked, json.dumps({**body, "script": script}).encode()) == 200
    for record in records:
        until(has_code(cluster, known, record, f"late {record}"))


def test_while_the_broker_is_away_writes_are_answered_and_their_records_wait(
    gateway: Gateway,
    cluster: Cluster,
    known: state.Attached,
    hands: Hands,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(*_: Any) -> Any:
        raise BrokerUnavailable("the broker is away")

    monkeypatch.setattr(handler, "AGAIN", 0.2)
    monkeypatch.setattr(jobs, "check_broker", refuse)
    assert gateway.ask("PUT", f"/{known.index}/_doc/1", b'{"title":"first"}') == 200
    until(lambda: "noticing writes waits: the broker is away" in caplog.text)
    monkeypatch.setattr(jobs, "check_broker", lambda _: None)
    until(has_code(cluster, known, "1", "first"))
    caplog.clear()
    monkeypatch.setattr(jobs, "send", refuse)  # it goes while the gateway runs
    monkeypatch.setattr(handler, "TELL", 0.0)
    assert gateway.ask("PUT", f"/{known.index}/_doc/2", b'{"title":"second"}') == 200
    until(lambda: "noticing writes waits: the broker is away" in caplog.text)
    monkeypatch.setattr(jobs, "send", hands.send)
    until(has_code(cluster, known, "2", "second"))


def test_an_index_made_anew_is_attached_again(
    gateway: Gateway, recorded: Recorded, cluster: Cluster, known: state.Attached
) -> None:
    body = b'{"mappings":{"properties":{"title":{"type":"text"}}}}'
    assert gateway.ask("DELETE", f"/{known.index}") == 200
    assert gateway.ask("PUT", f"/{known.index}", body) == 200
    assert gateway.ask("POST", f"/{known.index}/_bulk", b'{"index":{"_id":"n1"}}\n{"title":"anew"}\n') == 200

    def attached() -> bool:
        there = state.by_name(cluster, known.index)
        return there is not None and there.uuid != known.uuid

    until(attached)
    until(has_code(cluster, known, "n1", "anew"))
    recorded.sent.clear()  # attaching again is the administrator's role


def test_a_follower_is_left_its_work(gateway: Gateway, cluster: Cluster, known: state.Attached, hands: Hands) -> None:
    held = lease.Lease(cluster, known.index)
    held.take(lambda _: True)
    held.keep({"uuid": known.uuid})
    assert gateway.ask("PUT", f"/{known.index}/_doc/9", b'{"title":"followed"}') == 200
    until(lambda: gateway.notices.counts["followed"] == 1)
    assert hands.records == []


def test_our_own_writes_are_passed_over(gateway: Gateway, cluster: Cluster, known: state.Attached) -> None:
    async def asked() -> bool:
        async with httpx.AsyncClient(base_url=cluster.url) as engine:
            body = json.dumps({"title": "x"}).encode()
            return await gateway.notices.handle(Direct(engine, "PUT", f"/{known.alias}/_doc/1", body))

    assert not asyncio.run(asked())
    write(cluster, known.index, "1", "x")
