"""The parts of the gateway as `crosshatch serve` puts them together, in front of a real cluster."""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from mappings.code import HashCode
from mappings.fields import StoredCodes
from tests.live.gateway.test_clause import NAME, card, stored

README = Path(__file__).parents[3] / "README.md"
__all__ = ["card", "stored"]
AS_READER = {"authorization": "Basic cmVhZGVyOng="}  # this cluster takes any


def test_a_clause_is_rewritten_and_its_hits_explain_themselves(gateway: str, stored: dict[str, StoredCodes]) -> None:
    wanted = "b1" if stored["b1"].text else "b2"
    code = stored[wanted].text
    assert code is not None
    clause = {"crosshatch": {"code": {"space": "s", "base64": code.base64(), "part": "text"}, "k": 3, "on": ["text"]}}
    answer = httpx.post(f"{gateway}/{NAME}/_search", json={"query": clause}).json()
    first = answer["hits"]["hits"][0]
    assert (first["_id"], first["fields"]["crosshatch"][0]["distance"]) == (wanted, 0)
    assert len(answer["hits"]["hits"]) == 3
    others = [HashCode(128, codes.text.packed).distance(code) for codes in stored.values() if codes.text]
    found = [hit["fields"]["crosshatch"][0]["distance"] for hit in answer["hits"]["hits"]]
    assert found == sorted(others)[:3]


def test_a_wrong_clause_is_told_where_it_stands(gateway: str, stored: dict[str, StoredCodes]) -> None:
    answer = httpx.post(f"{gateway}/{NAME}/_search", json={"query": {"crosshatch": {"txet": "cats"}}})
    assert answer.status_code == 400
    assert "query.crosshatch" in answer.json()["error"]["reason"]


def test_a_search_without_a_worker_goes_on_with_its_words(gateway: str, stored: dict[str, StoredCodes]) -> None:
    query = {"match": {"title": "cat"}}
    body: Any = {"query": {"crosshatch": {"text": "cat", "query": query, "k": 5}}, "size": 100}
    answer = httpx.post(f"{gateway}/{NAME}/_search", json=body, timeout=30)
    assert "no worker" in answer.headers["x-crosshatch-degraded"]
    direct = httpx.post(f"{gateway}/{NAME}/_search", json={"query": query, "size": 100})
    assert [hit["_id"] for hit in answer.json()["hits"]["hits"]] == [
        hit["_id"] for hit in direct.json()["hits"]["hits"]
    ]


def test_our_own_endpoints_answer(gateway: str, stored: dict[str, StoredCodes]) -> None:
    assert httpx.get(f"{gateway}/_crosshatch/health").json() == {"status": "ok"}
    assert httpx.get(f"{gateway}/_crosshatch/status/{NAME}").status_code == 401
    assert httpx.get(f"{gateway}/_crosshatch/status/{NAME}", headers=AS_READER).json()["index"] == NAME


def test_a_write_is_noticed(gateway: str, stored: dict[str, StoredCodes]) -> None:
    before = noticed(gateway)
    assert httpx.put(f"{gateway}/{NAME}/_doc/new", json={"title": "new"}).status_code == 201
    deadline = time.monotonic() + 20
    while noticed(gateway) == before:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    httpx.delete(f"{gateway}/{NAME}/_doc/new?refresh=true")


def noticed(gateway: str) -> float:
    """Records that were noticed so far."""
    lines = httpx.get(f"{gateway}/_crosshatch/metrics", headers=AS_READER).text.splitlines()
    counts = [line.split()[-1] for line in lines if line.startswith('crosshatch_gateway_notices{kind="records"}')]
    return float(counts[0]) if counts else 0.0


def test_a_multi_search_holds_both_kinds(gateway: str, stored: dict[str, StoredCodes]) -> None:
    code = next(codes.text for codes in stored.values() if codes.text)
    clause = {"crosshatch": {"code": {"space": "s", "base64": code.base64(), "part": "text"}, "k": 2}}
    lines = [{"index": NAME}, {"query": clause}, {"index": NAME}, {"query": {"match_all": {}}, "size": 1}]
    raw = "".join(json.dumps(line) + "\n" for line in lines)
    answer = httpx.post(f"{gateway}/_msearch", content=raw, headers={"content-type": "application/x-ndjson"}).json()
    assert [len(one["hits"]["hits"]) for one in answer["responses"]] == [2, 1]


def test_a_clause_that_a_percolator_would_store_is_refused_and_others_are_stored(gateway: str) -> None:
    properties = {"query": {"type": "percolator"}, "title": {"type": "text"}}
    httpx.put(f"{gateway}/test-percolator", json={"mappings": {"properties": properties}}).raise_for_status()
    try:
        clause = {"query": {"bool": {"must": [{"crosshatch": {"text": "cats"}}]}}}
        refused = httpx.put(f"{gateway}/test-percolator/_doc/1", json=clause)
        assert refused.status_code == 400
        assert refused.json()["error"]["reason"].startswith("[query.bool.must[0].crosshatch] ")
        stored = httpx.put(f"{gateway}/test-percolator/_doc/2", json={"query": {"match": {"title": "crosshatch"}}})
        assert stored.status_code == 201
    finally:
        httpx.delete(f"{gateway}/test-percolator")


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl, as the README's reader does")
def test_the_readme_searches_through_the_gateway(gateway: str, stored: dict[str, StoredCodes]) -> None:
    block = re.search(r"^    (curl -s localhost:9280.*?)^$", README.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    assert block
    command = block[1].replace("localhost:9280/biblios", f"{gateway}/{NAME}")
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True, timeout=60)
    assert "hits" in json.loads(done.stdout)
