"""`crosshatch search` on a real engine, with a shipped bundle's card and made-up codes: `--like` needs no weights."""

import json
import random
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from click.testing import CliRunner, Result

from encoders import catalogue
from integration import state
from integration.cli import cli
from integration.engine.client import Cluster
from integration.engine.services import Services
from integration.queries import QueryCodes
from integration.search.run import Searcher
from integration.search.scripts import ensure_scripts
from integration.settings import Settings
from mappings.code import HashCode
from mappings.errors import RequestError
from mappings.fields import StoredCodes, space_mapping
from mappings.profile import TargetProfile

HIT = ["id", "score", "bm25", "distance", "part", "picture", "title"]


@pytest.fixture
def name(cluster: Cluster, settings: Settings, index: Callable[..., str]) -> Iterator[str]:
    """An attached index of 30 records."""
    card = catalogue.find("default-64", data=settings.data)
    name = index({"mappings": {"properties": {"title": {"type": "text"}} | space_mapping("s")["properties"]}})
    rng = random.Random(4)
    for number in range(30):
        codes = StoredCodes(HashCode(64, rng.randbytes(8)), ((3, HashCode(64, rng.randbytes(8))),))
        document = {"title": f"Cat number {number}", "crosshatch": {"s": codes.members()}}
        cluster.request("PUT", f"/{name}/_doc/{number}", body=document)
    cluster.request("POST", f"/{name}/_refresh")
    bundle = state.Bundle("default-64", card.name, card.bits, card.digest)
    profile = TargetProfile(name="test", text=("title",), title="title")
    state.save(cluster, state.Attached(*state.concrete(cluster, name), "s", {"s": bundle}, profile, "secret"))
    ensure_scripts(cluster)
    yield name
    state.forget(cluster, state.attached(cluster, name))


@pytest.fixture
def search(services: Services, name: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs `crosshatch search` on it."""
    monkeypatch.setenv("CROSSHATCH_OPENSEARCH_URL", services.url)
    return lambda *arguments: CliRunner().invoke(cli, ["search", name, *arguments])


def printed(result: Result) -> Any:
    assert result.exception is None, result.exception
    return json.loads(result.stdout)


def test_json_has_the_keys_of_the_contract(search: Callable[..., Result]) -> None:
    found = printed(search("--like", "7", "--k", "20", "--size", "4", "--page", "2", "--json"))
    assert list(found) == ["took_ms", "plan", "total", "hits"]
    assert (found["plan"], found["total"], len(found["hits"])) == ("exact", 20, 4)
    assert all(list(hit) == HIT for hit in found["hits"])
    assert {hit["picture"] for hit in found["hits"] if hit["part"] == "image"} <= {3}


def test_explain_adds_up_to_the_score(search: Callable[..., Result]) -> None:
    for hit in printed(search("--like", "7", "--weight", "0.25", "--explain", "--json"))["hits"]:
        assert hit["explain"]["words"] + hit["explain"]["codes"] == pytest.approx(hit["score"], rel=1e-6)


def test_stored_codes_have_no_weights(search: Callable[..., Result]) -> None:
    result = search("--like", "7", "--scoring", "asymmetric", "--json")
    assert isinstance(result.exception, RequestError)
    assert "no weights; leave scoring symmetric" in str(result.exception)


def test_parts_by_comma_or_by_repetition(search: Callable[..., Result]) -> None:
    once = printed(search("--like", "7", "--on", "text,image", "--json"))["hits"]
    assert printed(search("--like", "7", "--on", "text", "--on", "image", "--json"))["hits"] == once
    assert {hit["part"] for hit in printed(search("--like", "7", "--on", "image", "--json"))["hits"]} == {"image"}


def test_weights_of_a_request_and_of_the_index(search: Callable[..., Result], name: str) -> None:
    asked = ("--like", "7", "--part-weight", "image=0.5", "--part-weight", "record=0", "--json")
    expected = printed(search(*asked))["hits"]
    assert expected != printed(search("--like", "7", "--json"))["hits"]
    told = CliRunner().invoke(cli, ["weights", name, *asked[2:]])
    assert printed(told)["part_weights"] == {"text": 1.0, "image": 0.5, "record": 0.0}
    assert printed(search("--like", "7", "--json"))["hits"] == expected
    assert "weight of image  │ 0.5" in CliRunner().invoke(cli, ["weights", name]).stdout


def test_table_shows_every_hit(search: Callable[..., Result]) -> None:
    shown = search("--like", "7", "--size", "3", "--explain").stdout
    assert "29 hits, page 1; plan exact" in shown
    assert shown.count("from the codes") == 3


def test_table_of_fused_ranks_tells_them(search: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    made = QueryCodes({"text": HashCode(64, b"12345678")}, "worker")
    monkeypatch.setattr("integration.cli.search.Searcher", partial(Searcher, encode=lambda *_: made))
    shown = " ".join(search("--text", "cat", "--fusion", "rrf", "--k", "5", "--size", "3", "--explain").stdout.split())
    assert "30 hits, page 1; plan exact" in shown
    assert re.search(r" 1: 0\.00\d\d from the words \(BM25 0\.\d+, rank \d\)", shown)
    assert re.search(r"from the codes \(similarity [\d.]+, rank [1-5], w 0\.5\)", shown)


def test_shown_query_is_one_object_with_codes(search: Callable[..., Result]) -> None:
    [request] = printed(search("--like", "7", "--show-query"))["requests"]
    assert request["path"].endswith("/_search?include_named_queries_score=true")
    assert len(request["body"]["query"]["script_score"]["script"]["params"]["pairs"][0]["code"]) == 8


def test_a_filter_needs_a_field_and_a_value(search: Callable[..., Result]) -> None:
    result = search("--like", "7", "--filter", "language")
    assert isinstance(result.exception, RequestError)
    assert str(result.exception) == "--filter 'language' came; expected FIELD=VALUE, as --filter language=eng"
