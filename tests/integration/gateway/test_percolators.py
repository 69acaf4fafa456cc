"""A clause in a document: told in our words where the engine refused it, and left alone where it did not."""

import httpx
import pytest

from tests.integration.gateway import node as nodes
from tests.integration.gateway.process import Running

DOCUMENT = {"title": "x", "query": {"bool": {"must": [{"crosshatch": {"text": "cats"}}]}}}
# what OpenSearch 3.8 answers
REFUSED = (
    b'{"error":{"root_cause":[{"type":"parsing_exception","reason":"unknown query [crosshatch]","line":1,"col":24}],'
    b'"type":"mapper_parsing_exception","reason":"failed to parse"},"status":400}'
)
OTHER = b'{"error":{"root_cause":[],"type":"mapper_parsing_exception","reason":"failed to parse"},"status":400}'


def answer(body: bytes) -> nodes.Does:
    head = b"HTTP/1.1 400 Bad Request\r\ncontent-type: application/json; charset=UTF-8\r\nx-of-node: 1\r\n"
    return nodes.answers(head + b"content-length: %d\r\n\r\n" % len(body) + body)


@pytest.mark.parametrize("path", ["/alerts/_doc/1", "/alerts/_create/1"])
def test_a_stored_clause_is_refused_with_its_place(gateway: Running, node: nodes.Node, path: str) -> None:
    node.does = answer(REFUSED)
    said = httpx.put(gateway.url + path, json=DOCUMENT)
    assert said.status_code == 400
    assert said.json()["error"]["reason"].startswith("[query.bool.must[0].crosshatch] a crosshatch clause can stand in")


def test_what_the_engine_refuses_for_another_reason_is_its_own(gateway: Running, node: nodes.Node) -> None:
    node.does = answer(OTHER)
    said = httpx.put(f"{gateway.url}/alerts/_doc/1", json=DOCUMENT)
    assert (said.status_code, said.content, said.headers["x-of-node"]) == (400, OTHER, "1")


def test_a_field_of_that_name_is_written(gateway: Running, node: nodes.Node) -> None:
    assert httpx.put(f"{gateway.url}/alerts/_doc/1", json=DOCUMENT).json() == {}
    [request] = [one for one in node.requests if one.startswith(b"PUT /alerts/_doc/1")]
    assert request.endswith(httpx.Request("PUT", gateway.url, json=DOCUMENT).content)
