"""Bad input at all three doors: the command, `POST /_crosshatch/search`, and the clause. Each says what is wrong.

Hits are to be like a record, so that no encoder is needed. What only one door takes (a code, a space, a query) is
refused in its own tests.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from encoders.api import BundleCard
from integration.cli import cli
from integration.engine.client import Cluster
from integration.engine.services import running
from integration.gateway.own import Own
from integration.settings import Settings
from mappings.code import HashCode
from mappings.errors import CrosshatchError
from mappings.fields import StoredCodes
from tests.live.coded import coded_index
from tests.live.gateway.direct import Direct
from tests.live.gateway.test_clause import Gateway, card

__all__ = ["card"]
NAME, OTHER, MIXED, FOREIGN = "test-bad", "test-bad-other", "test-bad-mixed", "test-bad-foreign"
SOUND = [str(number) for number in range(8)]
OPTIONS = {"like": "--like", "weight": "--weight", "min_similarity": "--min-similarity", "k": "--k", "plan": "--plan",
           "budget_ms": "--budget"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Told:
    """The HTTP status of an answer or of the command's error, the reason that it gives, and the ids of its hits."""

    status: int
    reason: str = ""
    hits: tuple[str, ...] = ()


Asked = Mapping[str, Any]
Door = Callable[[str, Asked], Told]


def lines_of() -> list[bytes]:
    """Eight sound records, one with a code that is too short, one with an empty code, one with none."""
    rng = random.Random(8)
    codes: dict[str, Any] = {one: StoredCodes(HashCode(128, rng.randbytes(16))).members() for one in SOUND}
    codes |= {"short": {"text": HashCode(16, b"ab").base64()}, "empty": {"text": ""}, "bare": {}}
    lines = []
    for record, members in codes.items():
        source = {"title": f"cat {record}", "language": "eng", "crosshatch": {"s": members}}
        lines += [json.dumps({"index": {"_id": record}}).encode(), json.dumps(source).encode()]
    return lines


@pytest.fixture(scope="module")
def indices(cluster: Cluster, card: BundleCard) -> Iterator[None]:
    """One that is attached, one that is not, an alias of both, and one of the second alone."""
    fields = {"title": {"type": "text"}, "language": {"type": "keyword"}}
    with coded_index(cluster, NAME, "s", card, fields, lines_of()):
        cluster.request("PUT", f"/{OTHER}", body={"mappings": {"properties": fields}})
        cluster.request("PUT", f"/{OTHER}/_doc/o", body={"title": "cat o"}, params={"refresh": "true"})
        of = {MIXED: (NAME, OTHER), FOREIGN: (OTHER,)}
        add = [{"add": {"index": index, "alias": alias}} for alias, each in of.items() for index in each]
        cluster.request("POST", "/_aliases", body={"actions": add})
        yield
        cluster.request("DELETE", f"/{OTHER}")


def command(url: str, index: str, asked: Asked) -> Told:
    """`crosshatch search`."""
    said = [word for name, option in OPTIONS.items() if name in asked for word in (option, str(asked[name]))]
    said += [
        word for pair in asked.get("part_weights", {}).items() for word in ("--part-weight", "{}={}".format(*pair))
    ]
    said += [word for pair in asked.get("filters", {}).items() for word in ("--filter", "{}={}".format(*pair))]
    found = CliRunner(env={"CROSSHATCH_OPENSEARCH_URL": url}).invoke(cli, ["search", index, *said, "--json"])
    if isinstance(found.exception, CrosshatchError):
        return Told(found.exception.status, str(found.exception))
    assert found.exception is None, found.output
    return Told(200, hits=tuple(hit["id"] for hit in json.loads(found.stdout)["hits"]))


def endpoint(url: str, settings: Settings, index: str, asked: Asked) -> Told:
    """`POST /_crosshatch/search`."""
    cluster = Cluster(url)
    own = Own(cluster, cluster, settings.model_copy(update={"own_endpoints": "open"}), "", {"notices": Counter[str]()})

    async def run() -> tuple[int, bytes] | None:
        async with httpx.AsyncClient() as engine:
            body = json.dumps({"index": index, **asked}).encode()
            exchange = Direct(engine, "POST", "/_crosshatch/search", body, [(b"x-nothing", b"1")])
            assert await own.handle(exchange)
            return exchange.sent

    sent = asyncio.run(run())
    cluster.close()
    assert sent is not None
    answer = json.loads(sent[1])
    if sent[0] == 200:
        return Told(200, hits=tuple(hit["id"] for hit in answer["hits"]))
    return refused(sent[0], answer)


def clause(url: str, settings: Settings, index: str, asked: Asked) -> Told:
    """A clause in a search of the catalogue's own."""
    cluster = Cluster(url)
    said = {name: value for name, value in asked.items() if name != "filters"}
    said["like"] = {"_id": said["like"]}
    only = [{"term": {name: value}} for name, value in asked.get("filters", {}).items()]
    query = {"bool": {"should": [{"crosshatch": said}], "filter": only, "minimum_should_match": 1}}
    exchange = Gateway(cluster, settings).send("POST", f"/{index}/_search", {"query": query})
    cluster.close()
    answer = json.loads(exchange.answer)
    if exchange.status == 200:
        return Told(200, hits=tuple(hit["_id"] for hit in answer["hits"]["hits"]))
    return refused(exchange.status, answer)


def refused(status: int, answer: Any) -> Told:
    """An error in OpenSearch's own form."""
    assert answer["status"] == status
    error = answer["error"]
    assert error["type"]
    return Told(status, f"{error['reason']} {error['root_cause'][0]['reason']} {error.get('caused_by', '')}")


@pytest.fixture(params=["command", "endpoint", "clause"])
def door(request: pytest.FixtureRequest, indices: None, settings: Settings) -> Door:
    return opened(request.param, str(settings.opensearch_url), settings)


def opened(name: str, url: str, settings: Settings) -> Door:
    """One of the three, before the engine at `url`."""
    ways: dict[str, Door] = {
        "command": lambda index, asked: command(url, index, asked),
        "endpoint": lambda index, asked: endpoint(url, settings, index, asked),
        "clause": lambda index, asked: clause(url, settings, index, asked),
    }
    return ways[name]


WRONG: dict[str, tuple[Asked, int, str]] = {
    "weight": ({"weight": 1.5}, 400, "weight"),
    "a weight below": ({"weight": -0.1}, 400, "weight"),
    "least similarity": ({"min_similarity": 2}, 400, "min_similarity"),
    "weight of a part": ({"part_weights": {"text": 7}}, 400, "text"),
    "no such part": ({"part_weights": {"cover": 0.5}}, 400, "no part 'cover' to give a weight; there are: text, "),
    "k": ({"k": 0}, 400, "k"),
    "budget": ({"budget_ms": 0}, 400, "budget_ms"),
    "bands that are not there": ({"plan": "bands"}, 400, "space s of index test-bad has no bands; take another plan"),
    "no plugin": ({"plan": "knn-score"}, 400, "the plan knn-score needs OpenSearch's k-NN plugin: the plugin is not"),
    "a short code": ({"like": "short"}, 409, "holds damaged codes: a code of 128 bits was expected; 16 bits came"),
    "an empty code": ({"like": "empty"}, 409, "holds damaged codes: a code of 128 bits was expected; 0 bits came"),
    "no code": ({"like": "bare"}, 400, "record 'bare' has no codes yet; run `crosshatch update test-bad`"),
    "no record": ({"like": "gone"}, 400, "no record"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_at_every_door(door: Door, name: str) -> None:
    asked, status, said = WRONG[name]
    told = door(NAME, {"like": "1", **asked})
    assert (told.status, told.hits) == (status, ())
    assert said in told.reason


def test_records_with_short_or_empty_codes_are_like_nothing(door: Door) -> None:
    told = door(NAME, {"like": "1", "k": 100})
    assert told.status == 200
    assert sorted(told.hits) == [one for one in SOUND if one != "1"]


def test_filters_that_match_nothing_find_nothing(door: Door) -> None:
    for asked in ({}, {"budget_ms": 5}):
        assert door(NAME, {"like": "1", "filters": {"language": "gd"}, **asked}) == Told(200)


def test_an_index_that_is_not_attached_is_told_what_to_do(door: Door) -> None:
    told = door(FOREIGN, {"like": "o"})
    assert told.status == 409
    assert "is attached, so a crosshatch clause has nothing" in told.reason or "crosshatch attach" in told.reason


def test_an_alias_of_an_unattached_index_too(door: Door, request: pytest.FixtureRequest) -> None:
    """A clause compares the records that have codes; the others search one index."""
    told = door(MIXED, {"like": "1", "k": 100})
    if "clause" in request.node.name:
        assert sorted(told.hits) == [one for one in SOUND if one != "1"]
    else:
        assert told.status == 400
        assert "one index" in told.reason or "stands for 2 indices" in told.reason


@pytest.fixture
def changed(cluster: Cluster) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Changes settings of the cluster for one test."""
    named: dict[str, None] = {}

    def change(settings: Mapping[str, Any]) -> None:
        named.update(dict.fromkeys(settings))
        cluster.request("PUT", "/_cluster/settings", body={"persistent": settings})

    yield change
    cluster.request("PUT", "/_cluster/settings", body={"persistent": named})


def test_a_cluster_that_refuses_expensive_queries_says_so(
    door: Door, changed: Callable[[Mapping[str, Any]], None]
) -> None:
    changed({"search.allow_expensive_queries": False})
    told = door(NAME, {"like": "1"})
    assert told.status == 400
    assert "'search.allow_expensive_queries' is set to false" in told.reason


def test_a_cluster_that_may_compile_no_more_says_so(
    door: Door, cluster: Cluster, changed: Callable[[Mapping[str, Any]], None]
) -> None:
    changed(dict.fromkeys([f"script.context.{one}.max_compilations_rate" for one in ("score", "field")], "1/5m"))
    other = {"script_score": {"query": {"match_all": {}}, "script": {"source": f"return {random.random()};"}}}
    cluster.request("POST", f"/{NAME}/_search", body={"query": other})  # the one that it may
    told = door(NAME, {"like": "1"})
    assert told.status >= 400
    assert "max_compilations_rate" in told.reason


def test_a_cluster_that_takes_no_stored_scripts_says_so(
    card: BundleCard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its administrator forbade them after the index was attached, or somebody restored its state."""
    monkeypatch.setattr("tests.live.coded.ensure_scripts", lambda _: [])
    own = Settings(data=tmp_path)
    with running(own, engine="embedded", node_settings={"script.allowed_types": "inline"}) as services:
        cluster = Cluster(services.url)
        with coded_index(cluster, NAME, "s", card, {"title": {"type": "text"}}, lines_of()):
            for name in ("command", "endpoint", "clause"):
                told = opened(name, services.url, own)(NAME, {"like": "1"})
                assert told.status == 400
                assert "[stored] scripts are not enabled" in told.reason
        cluster.close()
