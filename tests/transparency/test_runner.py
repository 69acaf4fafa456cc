"""The runner of OpenSearch's REST tests: what it asks, what it holds, and that two runs that differ are told apart."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.transparency.comparison import differences
from tests.transparency.requests import Answer, BadParameter, Connection, Request, build
from tests.transparency.steps import Play, Result
from tests.transparency.suite import RestTest, sampled
from tests.transparency.values import MISSING, at, filled, same, truth

SEARCH: Mapping[str, Any] = {
    "url": {
        "paths": [
            {"path": "/_search", "methods": ["GET", "POST"]},
            {"path": "/{index}/_search", "methods": ["GET", "POST"], "parts": {"index": {}}},
        ]
    },
    "params": {"size": {}, "routing": {}},
}
BULK: Mapping[str, Any] = {"url": {"paths": [{"path": "/_bulk", "methods": ["POST"]}]}, "params": {}}


class Node(Connection):
    """A node that has one answer."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer

    def send(self, request: Request) -> Answer:
        """That answer."""
        return self.answer


def answered(status: int = 200, body: bytes = b'{"hits":{"total":2}}', **headers: str) -> Answer:
    return Answer("POST", status, (("content-type", "application/json"), *headers.items()), body)


def ended(*steps: dict[str, Any], answer: Answer | None = None, version: tuple[int, ...] = (3, 8, 0)) -> Result:
    """How a test of these steps ends."""
    return Play(Node(answer or answered()), {"search": SEARCH}, version).run(RestTest("a/b", (), steps, ()))


ASKED = {"do": {"search": {"index": "books"}}}


def test_a_request_is_what_the_api_says() -> None:
    asked = build(SEARCH, "search", {"index": ["a", "b c"], "size": 3, "routing": True, "body": {"query": None}})
    assert asked == Request(
        "POST", "/a,b%20c/_search?size=3&routing=true", {"Content-Type": "application/json"}, b'{"query": null}'
    )
    lines = build(BULK, "bulk", {"body": '{"index": {}}\n{"a": 1}'})
    assert lines.body == b'{"index": {}}\n{"a": 1}\n'


@pytest.mark.parametrize("given", [{"indx": "a"}, {"index": None}, {"index": ""}])
def test_a_request_that_no_client_would_send(given: dict[str, Any]) -> None:
    with pytest.raises(BadParameter):
        build(SEARCH, "search", given)


@pytest.mark.parametrize(
    ("steps", "end", "where"),
    [
        ([ASKED, {"match": {"hits.total": 2}}], "pass", ""),
        ([ASKED, {"match": {"hits.total": 3}}], "fail", "test 1 match"),
        ([ASKED, {"match": {"hits.total": "2"}}], "fail", "test 1 match"),
        ([ASKED, {"is_true": "hits.none"}], "fail", "test 1 is_true"),
        ([ASKED, {"set": {"hits.total": "n"}}, {"gte": {"hits.total": "$n"}}], "pass", ""),
        ([ASKED, {"length": {"hits": 2}}], "fail", "test 1 length"),
        ([{"do": {"catch": "missing", **ASKED["do"]}}], "fail", "test 0 do"),
        ([{"do": {"catch": "param", "search": {"nonsense": 1}}}], "pass", ""),
        ([{"skip": {"version": "3.8.0 - ", "reason": "new"}}, ASKED], "skip", ""),
        ([{"skip": {"version": " - 3.7.99, 7.0.0 - 7.99.99", "reason": "old"}}, ASKED], "pass", ""),
        ([{"skip": {"version": "7.4.0 - ", "reason": "Elasticsearch 7.4 came before OpenSearch"}}], "skip", ""),
        ([{"skip": {"features": ["headers", "telepathy"]}}], "skip", ""),
    ],
)
def test_how_a_test_ends(steps: list[dict[str, Any]], end: str, where: str) -> None:
    result = ended(*steps)
    assert (result.end, result.where) == (end, where)


def test_errors_and_warnings() -> None:
    broken = answered(404, b'{"error":"no such \\"index\\""}')
    assert ended({"do": {"catch": "missing", **ASKED["do"]}}, answer=broken).end == "pass"
    assert ended({"do": {"catch": '/such "index"/', **ASKED["do"]}}, answer=broken).end == "pass"
    assert ended({"do": {"catch": "conflict", **ASKED["do"]}}, answer=broken).end == "fail"
    warned = answered(warning='299 OpenSearch-3.8.0-x "old \\"word\\""')
    assert ended(ASKED, answer=warned).end == "fail"
    assert ended({"do": {"allowed_warnings": ['old "word"'], **ASKED["do"]}}, answer=warned).end == "pass"
    assert ended({"do": {"warnings": ["another"], **ASKED["do"]}}, answer=answered()).end == "fail"


def test_values() -> None:
    tree = {"a": {"b.c": [{"d": 1}]}, "nodes": {"x1": {"name": "n"}}}
    assert at(tree, "a.b\\.c.0.d", {}) == 1
    assert at(tree, "nodes.$id.name", {"id": "x1"}) == "n"
    assert at(tree, "nodes._arbitrary_key_", {}) == "x1"
    assert at(tree, "nodes._arbitrary_key_.name", {}) == "n"
    assert at(tree, "a.none", {}) is MISSING
    assert filled({"$k": ["$v", "${v}-1"]}, {"k": "key", "v": 7}) == {"key": [7, "7-1"]}
    assert same("/^ a \\s+ b $/", "a  b")
    assert not same(True, 1)
    assert same(2, 2.0)
    assert [truth(value) for value in (MISSING, None, "", "false", 0, False, {}, "no")] == [False] * 6 + [True] * 2


@pytest.mark.parametrize(
    "other",
    [
        answered(201),
        answered(date="now"),
        Answer("POST", 200, (("content-type", "application/json; charset=UTF-8"),), b'{"hits":{"total":2}}'),
        answered(body=b'{"hits":{"total":3}}'),
    ],
    ids=("status", "header", "type", "body"),
)
def test_what_the_gateway_changed_is_found(other: Answer) -> None:
    steps = (ASKED, {"match": {"hits.total": 2}})
    assert differences([ended(*steps)], [ended(*steps)]) == []
    [found] = differences([ended(*steps)], [ended(*steps, answer=other)])
    assert found["test"] == "a/b"


def test_a_sample_is_even_and_never_empty() -> None:
    everything = [replace(RestTest("", (), (), ()), name=str(number)) for number in range(10)]
    assert [test.name for test in sampled(everything, 0.3)] == ["0", "3", "6"]
    assert len(sampled(everything, 0.001)) == 1
