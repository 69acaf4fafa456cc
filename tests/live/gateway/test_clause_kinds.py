"""Clauses in the rarer kinds of requests and places, on a real engine."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from integration.engine.client import Cluster
from integration.gateway.clause_requests import DEGRADED
from integration.gateway.exchange import Header
from integration.gateway.searching import Told
from integration.settings import Settings
from mappings.fields import StoredCodes
from tests.live.gateway.test_clause import BM25, JSON, NAME, Gateway, card, clause, gateway, listed, stored

__all__ = ["card", "gateway", "stored"]
ASYNC = "/_plugins/_asynchronous_search"


class WithAsynchronousSearch(Gateway):
    """Before a cluster with the plugin, which no registry carries.

    What is recorded is its envelope, as its documentation and its source (`AsynchronousSearchResponse`) have it. It
    reads index, parameters and body by the reader of `_search`, so that runs them here.
    """

    async def ask(self, method: str, path: bytes, headers: Sequence[Header], body: bytes) -> Told:
        if ASYNC.encode() not in path:
            return await super().ask(method, path, headers, body)
        told = await super().ask(method, path.replace(ASYNC.encode(), b"/_search"), headers, body)
        envelope = {
            "id": "FklfVlU4eFdIUTh1Q1hyM3ZnT19fUVEUd29KLWZYUUI3TzRpdU5wMjRYOHgAAAAAAAAABg==", "state": "SUCCEEDED",
            "start_time_in_millis": 1599833301297, "expiration_time_in_millis": 1600265301297,
            "response": json.loads(told.body),
        }  # fmt: skip
        return Told(told.status, [(b"content-type", b"application/json; charset=UTF-8")], json.dumps(envelope).encode())


@pytest.mark.parametrize("path", [f"{ASYNC}?index={NAME}", f"/{NAME}{ASYNC}"])
def test_an_asynchronous_search_is_rewritten_and_its_envelope_stays(
    cluster: Cluster, settings: Settings, gateway: Gateway, stored: dict[str, StoredCodes], path: str
) -> None:
    body = {"query": clause(k=5, query=BM25), "size": 50}
    answer = WithAsynchronousSearch(cluster, settings).search(body, path)
    assert (answer["id"][:4], answer["state"]) == ("Fklf", "SUCCEEDED")
    expected = gateway.search(body)
    assert listed(answer["response"]) == listed(expected)
    assert len(listed(expected)) > 5
    told = [hit["fields"]["crosshatch"][0] for hit in answer["response"]["hits"]["hits"]]
    assert [one["distance"] for one in told] == [
        hit["fields"]["crosshatch"][0]["distance"] for hit in expected["hits"]["hits"]
    ]
    assert all("matched_queries" not in hit for hit in answer["response"]["hits"]["hits"])


def test_an_index_in_the_query_string_is_the_index(gateway: Gateway, cluster: Cluster) -> None:
    """Candidates of another index would take the place of this one's."""
    answer = gateway.search({"query": clause(k=7)}, f"/_search?index={NAME}")
    assert listed(answer) == listed(gateway.search({"query": clause(k=7)}))
    assert all(path.startswith((f"/{NAME}/_search", f"/_search?index={NAME}")) for path, *_ in gateway.sent)
    assert gateway.search({"query": clause(k=7)}, f"/_count?index={NAME}")["count"] == 7


def test_words_are_marked_by_a_clause_of_the_highlight(gateway: Gateway) -> None:
    marks: Any = {"fields": {"title": {}}, "highlight_query": clause(query={"match": {"title": "cat"}})}
    hits = gateway.search({"query": {"match": {"title": "cat sea"}}, "highlight": marks, "size": 50})["hits"]["hits"]
    marked = [text for hit in hits for text in hit.get("highlight", {}).get("title", ())]
    assert any("<em>cat</em>" in text for text in marked)
    assert not any("<em>sea</em>" in text for text in marked)
    of_a_field = {"fields": {"title": {"highlight_query": clause(query={"match": {"title": "sea"}})}}}
    hits = gateway.search({"query": clause(k=3, query=BM25), "highlight": of_a_field, "size": 50})["hits"]["hits"]
    marked = [text for hit in hits for text in hit.get("highlight", {}).get("title", ())]
    assert any("<em>sea</em>" in text for text in marked)
    assert not any("<em>cat</em>" in text for text in marked)


def test_where_the_setting_says_so_a_search_without_a_code_fails(
    gateway: Gateway, cluster: Cluster, settings: Settings
) -> None:
    strict = Gateway(cluster, settings.model_copy(update={"without_code": "fail"}))
    body = json.dumps({"query": {"crosshatch": {"text": "nobody answers", "query": BM25}}}).encode()
    several = b"{}\n" + json.dumps({"query": clause(k=2)}).encode() + b"\n{}\n" + body + b"\n{}\n" + body + b"\n"
    for path, asked in (("_search", body), ("_count", body), ("_msearch", several)):
        exchange = strict.send("POST", f"/{NAME}/{path}", asked)
        assert (exchange.status, json.loads(exchange.answer)["error"]["reason"]) == (503, "no worker answers")
    assert strict.search({"query": clause(k=2)})["hits"]["total"]["value"] == 2
    lenient = gateway.send("POST", f"/{NAME}/_msearch", several)
    assert [pair for pair in lenient.answered if pair[0] == DEGRADED] == [(DEGRADED, b"no worker answers")]
    first, second, third = json.loads(lenient.answer)["responses"]
    assert (first["hits"]["total"]["value"], len(listed(first))) == (2, 2)
    words = cluster.request("POST", f"/{NAME}/_search", body={"query": BM25})
    assert listed(second) == listed(third) == listed(words)


@pytest.mark.parametrize(
    ("method", "path", "body", "place"),
    [
        (
            "PUT",
            "/_index_template/t",
            {"template": {"aliases": {"a": {"filter": clause()}}}},
            "template.aliases.a.filter",
        ),
        ("POST", f"/{NAME}-write/_rollover", {"aliases": {"a": {"filter": clause()}}}, "aliases.a.filter"),
    ],
)
def test_filters_of_aliases_that_come_later_are_refused(
    gateway: Gateway, method: str, path: str, body: Any, place: str
) -> None:
    exchange = gateway.send(method, path, body)
    assert exchange.status == 400
    assert json.loads(exchange.answer)["error"]["reason"].startswith(f"[{place}.crosshatch] ")
    assert gateway.sent == []


def test_hits_of_a_multi_search_tell_their_bm25_score_as_those_of_a_search_do(gateway: Gateway) -> None:
    own = {"match": {"title": {"query": "cat sea", "_name": "own"}}}
    only = {"bool": {"should": [clause(k=4, query=own)], "filter": {"term": {"suppressed": False}}}}
    body = {"query": {"bool": {**only["bool"], "minimum_should_match": 1}}, "size": 50}
    among = {"query": {"bool": {"should": [clause(k=4, query=BM25), {"match": {"title": "dog"}}]}}, "size": 50}
    lines = b"\n".join(json.dumps(one).encode() for one in ({"index": NAME}, body, {"index": NAME}, among)) + b"\n"
    first, second = json.loads(gateway.send("POST", "/_msearch", lines).answer)["responses"]
    expected = gateway.search(body)
    assert listed(first) == listed(expected)
    for hit, told in zip(first["hits"]["hits"], expected["hits"]["hits"], strict=True):
        assert hit.get("matched_queries") == told.get("matched_queries")
        [mine], [its] = hit["fields"]["crosshatch"], told["fields"]["crosshatch"]
        assert mine == {**its, "bm25": its["bm25"] and pytest.approx(its["bm25"], rel=1e-4)}
    assert len({hit["fields"]["crosshatch"][0]["bm25"] for hit in first["hits"]["hits"]}) > 3
    assert all("bm25" not in hit["fields"]["crosshatch"][0] for hit in second["hits"]["hits"])


@pytest.mark.parametrize("member", ["must", "filter"])
def test_a_clause_that_restricts_tells_its_bm25_score_too(gateway: Gateway, cluster: Cluster, member: str) -> None:
    body = {"query": {"bool": {member: [clause(query=BM25, min_similarity=0.9)]}}, "size": 200}
    words = cluster.request("POST", f"/{NAME}/_search", body={"query": BM25, "size": 200})["hits"]["hits"]
    expected = {hit["_id"]: pytest.approx(hit["_score"]) for hit in words}
    found = {hit["_id"]: hit["fields"]["crosshatch"][0]["bm25"] for hit in gateway.search(body)["hits"]["hits"]}
    assert found == dict.fromkeys(found) | expected
    assert len(found) > len(expected) > 5


def test_who_filters_the_answer_sees_no_name_of_ours(gateway: Gateway) -> None:
    hits = gateway.search({"query": clause(k=2, query=BM25)}, f"/{NAME}/_search?filter_path=hits.hits")["hits"]["hits"]
    assert len(hits) == 10
    assert not [hit for hit in hits if "matched_queries" in hit]


def test_templates_of_a_multi_search_are_rendered_each(gateway: Gateway, cluster: Cluster) -> None:
    asked = {"query": clause(k=3, query=BM25), "size": 50}
    cluster.request("PUT", "/_scripts/test-clause", body={"script": {"lang": "mustache", "source": json.dumps(asked)}})
    lines = [
        {"index": NAME}, {"source": json.dumps(asked).replace("cat sea", "{{words}}"), "params": {"words": "cat sea"}},
        {"index": NAME}, {"source": {"query": {"match": {"title": "{{word}}"}}}, "params": {"word": "dog"}},
        {"index": NAME}, {"id": "test-clause"},
        {"index": NAME}, {"source": json.dumps(asked).replace("cat sea", "{{words}}"), "params": {"words": "{{a}} c"}},
        {"index": NAME}, {"source": "{"},
    ]  # fmt: skip
    raw = [json.dumps(line).encode() for line in lines]
    answer = json.loads(gateway.send("POST", "/_msearch/template", b"\n".join(raw) + b"\n").answer)
    first, other, stored_one, braces, broken = answer["responses"]
    said = json.loads(json.dumps(asked).replace("cat sea", "{{a}} c"))
    assert listed(braces) == listed(gateway.search(said))
    assert listed(first) == listed(stored_one) == listed(gateway.search(asked))
    assert all(hit["fields"]["crosshatch"][0]["similarity"] for hit in first["hits"]["hits"][:1])
    assert [hit["_source"]["title"] for hit in other["hits"]["hits"] if "dog" not in hit["_source"]["title"]] == []
    assert "error" in broken
    assert raw[3] in b"".join(sent for path, _, sent in gateway.sent if path == "/_msearch/template")
    cluster.request("DELETE", "/_scripts/test-clause")


def test_a_wrong_clause_of_a_multi_search_s_template_is_told_with_its_place(gateway: Gateway) -> None:
    wrong = {"source": {"query": {"bool": {"must": [clause(k="{{k}}")]}}}, "params": {"k": "3"}}
    lines = [{"index": NAME}, {"source": {"query": {"match_all": {}}}}, {"index": NAME}, wrong]
    exchange = gateway.send("POST", "/_msearch/template", b"\n".join(json.dumps(one).encode() for one in lines) + b"\n")
    assert exchange.status == 400
    reason = json.loads(exchange.answer)["error"]["reason"]
    assert reason.startswith("search 1 of the request: [query.bool.must[0].crosshatch")
    assert [path for path, *_ in gateway.sent if "_msearch" in path] == []


def test_scripts_that_the_cluster_lost_are_stored_again_for_a_multi_search(gateway: Gateway, cluster: Cluster) -> None:
    """Which tells of it within an answer of 200, where no candidates are asked for before."""
    cluster.request("DELETE", "/_scripts/crosshatch-score-1")
    body = {"query": {"bool": {"filter": [clause(min_similarity=0.8)]}}}
    raw = b"{}\n" + json.dumps(body).encode() + b"\n"
    [answer] = json.loads(gateway.send("POST", f"/{NAME}/_msearch", raw).answer)["responses"]
    assert answer["hits"]["total"]["value"] == gateway.search(body)["hits"]["total"]["value"] > 3


@pytest.mark.parametrize(("asked", "accept"), [("?format=yaml", b"*/*"), ("", b"application/yaml")])
def test_an_answer_in_yaml_holds_no_name_of_ours(gateway: Gateway, asked: str, accept: bytes) -> None:
    body = {"query": clause(k=2, query=BM25)}
    exchange = gateway.send("POST", f"/{NAME}/_search{asked}", body, (JSON, (b"accept", accept)))
    assert exchange.answer.startswith(b"---")
    assert exchange.answer.count(b"distance: ") == 10
    assert b"matched_queries" not in exchange.answer


def test_who_wants_no_fields_of_records_gets_none(gateway: Gateway) -> None:
    body = {"query": clause(k=3), "stored_fields": "_none_", "_source": False}
    exchange = gateway.send("POST", f"/{NAME}/_search", body)
    assert exchange.status == 200, exchange.answer
    hits = json.loads(exchange.answer)["hits"]["hits"]
    assert len(hits) == 3
