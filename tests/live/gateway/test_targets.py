"""Koha, FOLIO and InvenioRDM live through the gateway, with a worker and the default encoder of 64 bits behind it.

ICU analysis, which the embedded engine lacks, is replaced by the engine's own (tests/writers/).
"""

import json
import re
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from encoders import catalogue
from encoders.api import BundleCard, Encoder, Item
from encoders.loading import load
from integration import attach as attaching
from integration import reindex, scan, state
from integration.engine.client import Cluster
from integration.engine.services import Services
from integration.gateway import smile
from integration.parcels import Mode
from integration.settings import Settings
from integration.worker_process import worker
from mappings.code import HashCode
from mappings.errors import CrosshatchError
from mappings.fields import StoredCodes
from tests.integration.gateway.process import gateway_before
from tests.live.gateway.systems import JSON, RECORDS, Asked, Folio, Invenio, Koha, System, records
from tests.live.test_demo import Quiet
from tests.writers import library
from tests.writers.codes import wrong_codes

BITS, NEAREST = "default-64", 2


@dataclass(frozen=True)
class Engaged:
    """An attached system; `log` is its worker's."""

    system: System[Any]
    direct: str
    through: str
    log: Path
    client: httpx.Client

    def ask(self, asked: Asked, *, url: str | None = None) -> httpx.Response:
        """Through the gateway, or where `url` says."""
        where = (url or self.through) + asked.path
        return self.client.request(asked.method, where, content=asked.body, headers=asked.headers)

    def worked(self, indexes: Collection[str]) -> Counter[str]:
        """What the worker has done for these indices: records by `encoded`, `restored`..."""
        lines = [json.loads(line) for line in self.log.read_text("utf-8").splitlines() if line.startswith("{")]
        done: Counter[str] = Counter()
        for line in lines:
            if "counts" in line and line["index"] in indexes:
                done.update({name: number for name, number in line["counts"].items() if isinstance(number, int)})
        return done

    def at_rest(self, indexes: Collection[str]) -> Counter[str]:
        """The same once nothing is added any more: a job is logged after its records are written."""
        before = self.worked(indexes)
        time.sleep(0.5)
        return before if before == self.worked(indexes) else self.at_rest(indexes)


@pytest.fixture(scope="module")
def card(services: Services) -> BundleCard:
    return catalogue.find(BITS, data=Path(services.data))


@pytest.fixture(scope="module")
def encoder(services: Services) -> Encoder:
    return load(BITS, data=Path(services.data), max_pixels=1000)


@pytest.fixture(scope="module")
def log(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The log of a worker that runs."""
    log = tmp_path_factory.mktemp("worker") / "worker.log"
    with worker(Settings(data=Path(services.data), log="json"), services, log=log):
        yield log


@pytest.fixture(scope="module")
def widening(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway that widens whatever is attached. It waits long: a worker loads its encoder with the first query."""
    waits = {"widen": "*=rerank", "widen_timeout": "30", "query_timeout": "30"}
    with gateway_before(services.url, services.broker_url, log=tmp_path_factory.mktemp("widening"), **waits) as running:
        yield running.url


@pytest.fixture(scope="module", params=[Koha, Folio, Invenio], ids=["koha", "folio", "invenio"])
def engaged(
    request: pytest.FixtureRequest, cluster: Cluster, services: Services, gateway: str, log: Path, card: BundleCard
) -> Iterator[Engaged]:
    """A system that has written through the gateway, is attached, and has its codes."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    system: System[Any] = request.param(gateway, name)
    system.writer.build()
    for index in system.indexes:
        plan = attaching.plan(cluster, index, system.target, card)
        assert [check for check in plan.checks if not check.ok] == []
        known = attaching.attach(cluster, plan)
        settings = Settings(data=Path(services.data))
        reindex.run(cluster, known, services.broker_url, settings, Mode(), Quiet())
        cluster.request("POST", f"/{known.index}/_refresh")
    with httpx.Client(timeout=60, trust_env=False) as client:
        yield Engaged(system, services.url, gateway, log, client)
    system.writer.stop()
    cluster.request("DELETE", f"/{name}*", params={"expand_wildcards": "all"})


@pytest.fixture(scope="module")
def said() -> str:
    """The word that stands in most titles."""
    titles = [library.bib(raw).title or "" for raw in records()]
    words = Counter(word for title in titles for word in set(re.findall(r"[a-z]{4,}", title.casefold())))
    return max(words, key=lambda word: (words[word], word))


def comparable(answer: httpx.Response) -> Any:
    """An answer without what is another each time."""
    head = {name: answer.headers.get(name) for name in ("content-type", "warning")}
    tree = smile.loads(answer.content) if "smile" in answer.headers["content-type"] else answer.json()
    for one in [tree, *tree.get("responses", [])]:
        one.pop("took", None)
        one.pop("_scroll_id", None)
    return answer.status_code, head, tree


def test_searches_are_answered_as_the_cluster_answers_them(engaged: Engaged, said: str) -> None:
    system = engaged.system
    asked = [Asked.of(system.search, system.widened(said)), *system.others(said)]
    answers = [comparable(engaged.ask(one)) for one in asked]
    assert answers == [comparable(engaged.ask(one, url=engaged.direct)) for one in asked]
    assert answers[0][2]["hits"]["hits"]
    assert all(answers[0][2]["aggregations"].values())


def test_ids_are_streamed_by_scroll(engaged: Engaged) -> None:
    path = f"/{engaged.system.indexes[0]}/_search?scroll=1m"
    body = {"query": {"match_all": {}}, "sort": ["_doc"], "size": 7, "_source": False}

    def streamed(url: str) -> list[str]:
        page = engaged.ask(Asked.of(path, body), url=url).json()
        found: list[str] = []
        while page["hits"]["hits"]:
            found += [hit["_id"] for hit in page["hits"]["hits"]]
            page = engaged.ask(Asked.of("/_search/scroll", {"scroll": "1m", "scroll_id": page["_scroll_id"]}), url=url)
            page = page.json()
        over = json.dumps({"scroll_id": [page["_scroll_id"]]}).encode()
        assert engaged.ask(Asked("/_search/scroll", over, JSON, "DELETE"), url=url).json()["succeeded"]
        return found

    assert streamed(engaged.through) == streamed(engaged.direct)
    assert len(streamed(engaged.through)) == RECORDS // len(engaged.system.indexes)


def test_a_clause_finds_the_words_and_the_nearest_inside_the_limit(
    engaged: Engaged, cluster: Cluster, encoder: Encoder, widening: str, said: str
) -> None:
    system, known = engaged.system, state.attached(cluster, engaged.system.indexes[0])
    code = encoder.encode([Item(said)])[0].text
    assert code is not None
    clause = {"crosshatch": {"text": said, "query": system.words(said), "k": NEAREST}}
    answer = engaged.ask(Asked.of(system.search, system.around(clause)), url=widening)
    assert (answer.status_code, answer.headers.get("x-crosshatch-degraded")) == (200, None), answer.text
    hits = {hit["_id"]: hit["fields"]["crosshatch"][0] for hit in answer.json()["hits"]["hits"]}
    limited = engaged.ask(Asked.of(system.search, system.around({"match_all": {}})), url=engaged.direct).json()
    words = engaged.ask(Asked.of(system.search, system.around(system.words(said))), url=engaged.direct).json()
    distances = {hit["_id"]: distance(hit, known, code) for hit in limited["hits"]["hits"]}
    by_words = {hit["_id"] for hit in words["hits"]["hits"]}
    assert len(distances) - len(by_words) > NEAREST
    assert by_words < hits.keys() <= distances.keys()
    assert {name: told["distance"] for name, told in hits.items()} == {name: distances[name] for name in hits}
    nearest = sorted(distances[name] for name in distances.keys() - by_words)[:NEAREST]
    assert sorted(distances[name] for name in hits.keys() - by_words) == nearest
    assert answer.json()["hits"]["total"]["value"] == len(by_words) + NEAREST
    assert sum(told["bm25"] is not None for told in hits.values()) == len(by_words)


def distance(hit: Any, known: state.Attached, code: HashCode) -> int:
    """Between a query's code and the text of a record."""
    text = StoredCodes.read(hit["_source"]["crosshatch"][known.space], known.bundle.bits).text
    return code.distance(text) if text else code.bits


def test_a_widened_search_has_the_same_hits_in_another_order(engaged: Engaged, widening: str, said: str) -> None:
    asked = Asked.of(engaged.system.search, engaged.system.widened(said))
    answer = engaged.ask(asked, url=widening)
    assert (answer.status_code, answer.headers.get("x-crosshatch-widened")) == (200, "rerank"), answer.headers
    own, other = (comparable(one)[2] for one in (engaged.ask(asked, url=engaged.direct), answer))
    scores = [{hit["_id"]: hit.pop("_score") for hit in tree["hits"]["hits"]} for tree in (own, other)]
    assert all(0 <= score <= 1 for score in scores[1].values())
    assert scores[0] != scores[1]
    for tree in (own, other):
        tree["hits"]["hits"].sort(key=lambda hit: hit["_id"])
        tree["hits"].pop("max_score")
    assert own == other


def test_edits_are_noticed(engaged: Engaged, cluster: Cluster, encoder: Encoder) -> None:
    writer = engaged.system.writer
    every = [state.attached(cluster, name) for name in engaged.system.indexes]
    before = engaged.worked([known.index for known in every])
    while min(writer.truth.counts[kind] for kind in ("updated", "deleted")) == 0:
        writer.send(writer.turn(12))
    until(lambda: all(is_done(cluster, known.index) for known in every))
    assert not writer.truth.check(cluster), writer.truth.check(cluster)
    assert [wrong_codes(cluster, known, encoder) for known in every] == [[]] * len(every)
    until(lambda: engaged.worked([known.index for known in every])["encoded"] > before["encoded"])


def test_codes_come_back_after_a_rebuild(engaged: Engaged, cluster: Cluster) -> None:
    system = engaged.system
    old = [state.attached(cluster, name) for name in system.indexes]
    before, codes = engaged.at_rest([known.index for known in old]), [codes_of(cluster, known) for known in old]
    system.rebuild()
    until(lambda: all(is_done(cluster, name) for name in system.indexes))
    assert not system.writer.truth.check(cluster), system.writer.truth.check(cluster)
    new = [state.attached(cluster, name) for name in system.indexes]
    assert {known.uuid for known in new}.isdisjoint(known.uuid for known in old)
    found = [codes_of(cluster, known) for known in new]
    for ours, then in zip(found, codes, strict=True):
        assert then.items() <= ours.items()  # FOLIO and InvenioRDM write again what was deleted
    indexes, number = {known.index for known in (*old, *new)}, sum(map(len, found))
    until(lambda: engaged.worked(indexes)["restored"] == before["restored"] + number)
    assert engaged.worked(indexes)["encoded"] == before["encoded"]  # no model was asked


def codes_of(cluster: Cluster, known: state.Attached) -> dict[str, StoredCodes]:
    """What every record holds."""
    hits = [hit for page in scan.pages(cluster, known.index) for hit in page]
    held = {hit.id: json.loads(hit.source)["crosshatch"][known.space] for hit in hits}
    return {record: StoredCodes.read(members, known.bundle.bits) for record, members in held.items()}


def until(reached: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def is_done(cluster: Cluster, name: str) -> bool:
    """Whether the index is attached, and no record of it is yet to be encoded."""
    try:
        known = state.attached(cluster, name)
    except CrosshatchError:  # a rebuilt one is not found yet
        return False
    return all(one.verdict == "unchanged" for one in scan.judged(cluster, known))
