"""Loading and the demo's catalogue against a real engine."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from integration import state
from integration.demo.catalogue import documents, load_demo
from integration.engine.client import Cluster
from integration.load import load_files
from mappings.errors import RequestError
from tests.integration.sources.test_marc import GOOD, OTHER, field, record


@pytest.fixture
def name(cluster: Cluster) -> Iterator[str]:
    """The name of an index that is not there yet, deleted afterwards."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    yield name
    cluster.request("DELETE", f"/{name}", params={"ignore_unavailable": "true"})


def test_marc_is_loaded_and_found(cluster: Cluster, name: str, tmp_path: Path) -> None:
    cafe = record("m3", field("245", "a Café des Flâneurs /"), field("100", "a Žižek, Slavoj,")).as_marc()
    file = tmp_path / "records.mrc"
    file.write_bytes(GOOD + GOOD.replace(b"First", b"Fir\xff\xfe") + OTHER + cafe)
    counts = load_files(cluster, [file], name)
    assert (counts.read, counts.loaded, counts.replaced, len(counts.failed)) == (4, 3, 0, 1)
    fields = ["title", "creators.name"]
    match = {"query": "flaneurs zizek", "fields": fields, "type": "cross_fields", "operator": "and"}
    found = cluster.request("POST", f"/{name}/_search", body={"query": {"multi_match": match}})
    assert [hit["_id"] for hit in found["hits"]["hits"]] == ["m3"]
    assert state.noted_profile(cluster, name) == "catalogue"


def test_a_second_load_replaces(cluster: Cluster, name: str, tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    file.write_text('{"id": "a/b?é", "title": "One", "picture_urls": "https://x.org/1.png"}\n')
    load_files(cluster, [file], name)
    assert load_files(cluster, [file], name).replaced == 1
    assert cluster.request("GET", f"/{name}/_count")["count"] == 1


def test_values_of_any_length_are_taken(cluster: Cluster, name: str, tmp_path: Path) -> None:
    long = "\U0001f433" * 20_000  # 80,000 bytes in one word: more than the engine indexes as one term
    given = {"id": long, "title": long, "creators": [{"name": long, "role": long}], "subjects": [long], "summary": long}
    more = dict.fromkeys(("published", "publisher", "language", "isbn", "identifiers", "picture_urls", "marc"), long)
    file = tmp_path / "records.jsonl"
    file.write_text(json.dumps({**given, **more}) + "\n")
    counts = load_files(cluster, [file], name)
    assert (counts.loaded, counts.failed) == (1, [])


def test_an_index_of_somebody_else_is_left_alone(cluster: Cluster, name: str, tmp_path: Path) -> None:
    cluster.request("PUT", f"/{name}", body={"mappings": {"properties": {"title": {"type": "text"}}}})
    file = tmp_path / "records.jsonl"
    file.write_text('{"id": "a"}\n')
    with pytest.raises(RequestError, match="load did not make it"):
        load_files(cluster, [file], name)
    assert cluster.request("GET", f"/{name}/_count")["count"] == 0


def test_the_demo_is_in_the_engine_as_its_ils_wrote_it(cluster: Cluster, name: str, tmp_path: Path) -> None:
    count = load_demo(cluster, name, tmp_path)
    assert count == cluster.request("GET", f"/{name}/_count")["count"] == len(list(documents(tmp_path)))
    for document in documents(tmp_path):
        assert (tmp_path / document["cover_file"]).stat().st_size > 500
    whale = cluster.raw("GET", f"/{name}/_source/book-moby-dick-or-the-whale")
    assert b'"dewey":813.30' in whale
    assert json.loads(whale)["cover_file"] == "covers/book-moby-dick-or-the-whale.png"
    by_shelf = {"query": {"term": {"shelf.dewey": "813.30"}}, "size": 0}
    assert cluster.request("POST", f"/{name}/_search", body=by_shelf)["hits"]["total"]["value"] >= 3
    assert load_demo(cluster, name, tmp_path) == count


def test_the_demo_does_not_touch_another_index(cluster: Cluster, name: str, tmp_path: Path) -> None:
    cluster.request("PUT", f"/{name}", body={})
    with pytest.raises(RequestError, match="is not the demo's catalogue"):
        load_demo(cluster, name, tmp_path)
