"""Documents, ids and indices that trip programs up, under both ways of versioning: codes are written, bytes stay."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from integration import attach as attaching
from integration import state
from integration.engine.client import Cluster
from integration.settings import Settings
from mappings.errors import EngineRefused
from tests.live.fakes import CARD, FakeEncoder
from tests.live.test_writing import PROFILE, encode, put, source
from tests.writers import smile

ROUTING = "shelf 7/ü"
MARK = "mark-what-passes"
MAPPING = {
    "_routing": {"required": True},
    "properties": {
        "title": {"type": "text"},
        "note": {"type": "text"},
        "picture": {"type": "keyword", "index": False},
        "tag": {"type": "object", "enabled": False},
        "copies": {"type": "nested", "properties": {"mark": {"type": "keyword"}}},
        "relation": {"type": "join", "relations": {"work": "item"}},
    },
}
IDS = ["a/b", "a b", " ", "..", "%2F?#&+=", "\U0001f40b" * 128, "ü" * 256, "_x", '"\\"', "a\tb\nc"]
DOCUMENTS = {
    "100 bytes": b'{"title":"%s"}' % (b"x" * 88),
    "a megabyte": b'{"title":"big","note":"%s"}' % (b"word " * 200_000),
    "a megabyte of lines": b'{\n"title":"long",\n"tag":{"x":[%s]}}' % b",\n".join([b"813.50"] * 120_000),
    "numbers": b'{"title":"numbers","tag":{"a":813.50,"b":1E2,"c":123456789012345678901234567890,"d":-0.0,"e":1E400}}',
    "escapes": rb'{"title":"caf\u00e9 \ud83d\ude00 \"\\\/","t\u0061g":{"\u0063rosshatch":"\u0000"}}',
    "deep": b'{"title":"deep","tag":{"x":' + b"[" * 900 + b"]" * 900 + b"}}",
    "nested": b'{"title":"nested","copies":[{"mark":"813.50"},{"mark":"1E2"}]}',
    "work": b'{"title":"parent","relation":"work"}',
    "item": b'{"title":"child","relation":{"name":"item","parent":"work"}}',
    "member": b'{"title":"foreign member","crosshatch":{"pattern":"red"}}',
}


@pytest.fixture(params=["internal", "external"])
def known(
    request: pytest.FixtureRequest, cluster: Cluster, index: Callable[..., str], tmp_path: Path
) -> Iterator[state.Attached]:
    """An attached index of two shards that demands routing, and whose default pipeline marks what passes it."""
    marks = {"processors": [{"set": {"field": "note", "value": "piped"}}]}
    cluster.request("PUT", f"/_ingest/pipeline/{MARK}", body=marks)
    file = tmp_path / "test.yaml"
    file.write_text(PROFILE.format(versioning=request.param))
    made = index({"settings": {"number_of_shards": 2}, "mappings": MAPPING})
    yield attaching.attach(cluster, attaching.plan(cluster, made, str(file), CARD))
    cluster.request("PUT", f"/{made}/_settings", body={"index.default_pipeline": None})
    cluster.request("DELETE", f"/_ingest/pipeline/{MARK}")


def write(cluster: Cluster, known: state.Attached, documents: dict[str, bytes]) -> None:
    """Write as the library system does: versions of its own where it gives them, always with its routing."""
    external = {"version": 9, "version_type": "external_gte"} if known.profile.versioning == "external" else {}
    for record, body in documents.items():
        put(cluster, known, record, body, routing=ROUTING, **external)


def test_all_of_it_gets_codes_keeps_its_bytes_and_is_given_back(
    cluster: Cluster, known: state.Attached, settings: Settings
) -> None:
    """Sizes, ids, numbers, escapes, depth, nested and join fields, required routing; no pipeline runs on our write."""
    documents = {**DOCUMENTS, **{record: b'{"title":"id %d"}' % n for n, record in enumerate(IDS)}}
    write(cluster, known, documents)
    cluster.request("PUT", f"/{known.index}/_settings", body={"index.default_pipeline": MARK})
    counts = encode(cluster, known, settings, FakeEncoder())
    assert (counts.encoded, counts.failed, counts.partial) == (len(documents), {}, {})
    for record, body in documents.items():
        raw = source(cluster, known, record, routing=ROUTING)
        assert b'"source":"' in raw
        assert b"piped" not in raw
        start = body.rpartition(b',"crosshatch":')[0] or body.rstrip().removesuffix(b"}")
        assert raw.startswith(start), record
    assert counts_of_join(cluster, known) == 1
    assert encode(cluster, known, settings, FakeEncoder()).documents == 0
    attaching.detach(cluster, state.attached(cluster, known.index), drop_codes=True)
    for record, body in documents.items():
        assert source(cluster, known, record, routing=ROUTING) == body, record


def counts_of_join(cluster: Cluster, known: state.Attached) -> int:
    """How many parents have a child, by the engine's own join, and a nested copy by its mark."""
    child = {"has_child": {"type": "item", "query": {"match_all": {}}}}
    nested = {"nested": {"path": "copies", "query": {"term": {"copies.mark": "813.50"}}}}
    cluster.request("POST", f"/{known.index}/_refresh")
    assert cluster.request("POST", f"/{known.index}/_count", body={"query": nested})["count"] == 1
    return int(cluster.request("POST", f"/{known.index}/_count", body={"query": child})["count"])


def test_a_member_like_ours_that_comes_later_is_left_alone(
    cluster: Cluster, known: state.Attached, settings: Settings
) -> None:
    """An object beside ours stays; a text where our object should be is refused to its writer, by the engine."""
    write(cluster, known, {"1": b'{"title":"one","crosshatch":{"pattern":{"dye":"red"}}}'})
    assert encode(cluster, known, settings, FakeEncoder()).encoded == 1
    held = json.loads(source(cluster, known, "1", routing=ROUTING))["crosshatch"]
    assert (held["pattern"], set(held)) == ({"dye": "red"}, {"pattern", known.space})
    with pytest.raises(EngineRefused, match="object mapping"):
        write(cluster, known, {"2": b'{"title":"two","crosshatch":"a pattern"}'})


def test_smile_keeps_equal_values(cluster: Cluster, known: state.Attached, settings: Settings) -> None:
    """What came in SMILE is stored in SMILE and read as JSON: values stay equal, though not bytes."""
    tag = {"a": 813.5, "b": 1e2, "c": 10**30, "d": -0.5, "e": ["é", "\U0001f40b", None, True]}
    document = {"title": "smile", "tag": tag}
    versions = {"version": "9", "version_type": "external_gte"} if known.profile.versioning == "external" else {}
    answer = httpx.put(
        f"{settings.opensearch_url}/{known.index}/_doc/s",
        params={"routing": ROUTING, "refresh": "true", **versions},
        content=smile.dumps(document),
        headers={"content-type": "application/smile"},
    )
    assert answer.status_code == 201
    assert encode(cluster, known, settings, FakeEncoder()).encoded == 1
    held = json.loads(source(cluster, known, "s", routing=ROUTING))
    assert held.pop("crosshatch")
    assert held == document
    attaching.detach(cluster, state.attached(cluster, known.index), drop_codes=True)
    assert json.loads(source(cluster, known, "s", routing=ROUTING)) == document


def test_what_the_engine_takes_from_nobody_never_reaches_us(cluster: Cluster, known: state.Attached) -> None:
    """Ids of more than 512 bytes, and keys that come twice."""
    for record, body in (("x" * 513, b"{}"), ("twice", b'{"title":"a","title":"b"}')):
        with pytest.raises(EngineRefused, match=r"id \[x+\] is too long|mapper_parsing_exception: failed to parse"):
            write(cluster, known, {record: body})
