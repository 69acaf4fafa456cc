"""`crosshatch widen explain`, and the gateway's process with rules."""

import functools
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner, Result

from encoders.api import Item
from integration.cli import cli
from integration.engine.services import Services
from integration.gateway.widening import explaining
from integration.queries import QueryCodes
from mappings.errors import RequestError, UnknownIndexError
from mappings.scripts import SCORE
from tests.integration.gateway.process import gateway_before
from tests.live.gateway.test_clause import card, code_of
from tests.live.gateway.test_serving import AS_READER
from tests.live.gateway.test_widening import NAME, OPAC, RECORDS, stored

__all__ = ["card", "stored"]
LIMITED = {"query_string": {"query": "(cat sea) AND branch:CPL NOT dog", "fields": ["title"]}}
BODY = {"query": {"bool": {"must": [LIMITED], "filter": [{"term": {"suppressed": False}}]}}, "size": 3}


def encoded(item: Item, *_: object) -> QueryCodes:
    return QueryCodes({"text": code_of(item.text or "")}, "worker")


@pytest.fixture
def explain(services: Services, stored: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs the command with a rule; codes are made of the words."""
    monkeypatch.setenv("CROSSHATCH_OPENSEARCH_URL", services.url)
    monkeypatch.setenv("CROSSHATCH_REDIS_URL", services.broker_url)
    monkeypatch.setenv("CROSSHATCH_WIDEN", f"{OPAC}=rerank")
    monkeypatch.setattr(explaining, "explain", functools.partial(explaining.explain, encode=encoded))
    return lambda *arguments: CliRunner().invoke(cli, ["widen", "explain", *arguments])


def told(result: Result) -> Any:
    assert result.exception is None, result.exception
    return json.loads(result.stdout)


def test_it_tells_words_limits_and_the_body(explain: Callable[..., Result]) -> None:
    found = told(explain(OPAC, json.dumps(BODY), "--json"))
    body = found.pop("body")
    assert found == {
        "index": OPAC, "indices": [NAME], "rule": f"{OPAC}=rerank", "mode": "rerank", "widened": True, "kind": None,
        "reason": None, "words": ["cat sea"], "limits": ["branch:CPL", "-dog", '{"term": {"suppressed": false}}'],
        "place": "query.bool.must[0]", "encoded_by": "worker",
    }  # fmt: skip
    [wrapped] = body["query"]["bool"]["must"]
    assert wrapped["script_score"]["query"] == LIMITED
    assert wrapped["script_score"]["script"]["id"] == SCORE
    assert (body["query"]["bool"]["filter"], body["size"]) == (BODY["query"]["bool"]["filter"], 3)  # type: ignore[index]


def test_people_read_it_too(explain: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "body.json").write_text(json.dumps(BODY))
    lines = explain(NAME, f"@{tmp_path / 'body.json'}").stdout.splitlines()
    assert lines[0] == "mode     off (no rule in CROSSHATCH_WIDEN fits)"
    assert lines[1:4] == [
        "words    cat sea",
        'limits   branch:CPL | -dog | {"term": {"suppressed": false}}',
        "ranked   query.bool.must[0], and what stands in it",
    ]
    assert lines[4].startswith('body     {"query":{"bool":{"must":[{"script_score":')


def test_it_tells_what_would_be_added(explain: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSHATCH_WIDEN", f"{OPAC}=expand")
    found = told(explain(OPAC, json.dumps(BODY), "--json"))
    adds = found["adds"]
    assert (found["mode"], adds["k"], adds["min_similarity"], adds["reason"]) == ("expand", 100, 0.0, None)
    left = {"query_string": {**LIMITED["query_string"], "query": "(*:* *:*) AND branch:CPL NOT dog"}}
    inner = adds["request"]["query"]["script_score"]["query"]["bool"]
    assert inner == {"filter": [{"bool": {**BODY["query"]["bool"], "must": [left]}}], "must_not": [BODY["query"]]}  # type: ignore[index]
    [wrapped] = found["body"]["query"]["bool"]["must"]
    own, more = wrapped["script_score"]["query"]["bool"]["should"]
    assert own == LIMITED
    assert more == {"constant_score": {"filter": {"bool": {"filter": [{"ids": {"values": []}}, left]}}, "boost": 0}}
    lines = explain(OPAC, json.dumps(BODY)).stdout.splitlines()
    said = "adds     up to 100 records that are at least 0 similar, in the place of the empty ids, by {"
    assert lines[4].startswith(said)
    unsure = {"query": {"simple_query_string": {"query": "cat -dog", "fields": ["title"]}}}
    lines = explain(OPAC, json.dumps(unsure)).stdout.splitlines()
    assert lines[4] == "adds     nothing: what is negated cannot be told from the words"
    assert told(explain(OPAC, json.dumps(unsure), "--json"))["widened"] is True


def test_it_tells_why_not(explain: Callable[..., Result]) -> None:
    sorted_ = explain(OPAC, json.dumps({**BODY, "sort": ["branch"]})).stdout
    assert sorted_.splitlines()[-1] == "passes untouched: it has an order of its own"
    found = told(explain(OPAC, json.dumps({"query": {"query_string": {"query": "cat AND"}}}), "--json"))
    assert (found["widened"], found["kind"]) == (False, "unsure")
    assert "the string ends too soon" in found["reason"]


def test_what_is_not_attached_or_no_json_is_told(explain: Callable[..., Result], index: Callable[..., str]) -> None:
    found = told(explain(index(), json.dumps(BODY), "--json"))
    assert (found["mode"], found["widened"], found["kind"]) == ("off", False, "not_attached")
    assert isinstance(explain("not-there", "{}").exception, UnknownIndexError)
    assert isinstance(explain(OPAC, "{").exception, RequestError)
    assert isinstance(explain(OPAC, "@/not/there").exception, RequestError)


@pytest.fixture(scope="module")
def widening(services: Services, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A gateway with rules: shadow for the alias, rerank for the index; no worker runs."""
    log = tmp_path_factory.mktemp("widening")
    rules = f"{OPAC}=shadow,{NAME}=rerank"
    with gateway_before(services.url, services.broker_url, log=Path(log), widen=rules) as running:
        yield running.url


def metrics(url: str) -> dict[str, int]:
    lines = httpx.get(f"{url}/_crosshatch/metrics", headers=AS_READER).text.splitlines()
    found = [line.removeprefix("crosshatch_gateway_").rpartition(" ") for line in lines if "_widening" in line]
    return {name: int(number) for name, _, number in found if not name.startswith("#")}


def test_the_process_answers_by_its_rules_and_tells_metrics(widening: str, stored: None, services: Services) -> None:
    body = {"query": {"match": {"title": "cat sea"}}, "size": RECORDS}
    direct = httpx.post(f"{services.url}/{OPAC}/_search", json=body).json()["hits"]
    shadow = httpx.post(f"{widening}/{OPAC}/_search", json=body)
    assert (shadow.json()["hits"], "x-crosshatch-widened" in shadow.headers) == (direct, False)
    rerank = httpx.post(f"{widening}/{NAME}/_search", json=body)
    assert "no worker" in rerank.headers["x-crosshatch-degraded"]
    assert rerank.json()["hits"] == httpx.post(f"{services.url}/{NAME}/_search", json=body).json()["hits"]
    assert httpx.post(f"{widening}/{NAME}/_search", json={**body, "sort": ["branch"]}).status_code == 200
    wanted = {
        f'widening{{kind="{OPAC} shadow"}}': 1, f'widening{{kind="{NAME} degraded"}}': 1,
        f'widening{{kind="{NAME} passed sort"}}': 1, f'widening_shadow{{kind="{OPAC} no_code"}}': 1,
    }  # fmt: skip
    deadline = time.monotonic() + 20
    while metrics(widening) != wanted:
        assert time.monotonic() < deadline, metrics(widening)
        time.sleep(0.1)
