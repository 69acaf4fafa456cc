"""docs/scripts.md: its requests, sent as they stand there."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from integration.engine.client import Cluster
from integration.search.scripts import ensure_scripts
from mappings.code import HashCode
from mappings.fields import image_value, space_mapping

PAGE = Path(__file__).parents[2] / "docs" / "scripts.md"
CURL = re.compile(
    r'curl .*?"\$OPENSEARCH(?P<path>/\$INDEX/_search)(?:\?(?P<params>[^"]*))?" -d \'(?P<body>.*?)\n\}\'', re.S
)
QUERY = HashCode(128, bytes(16))
NEAR = HashCode(128, bytes(14) + b"\x00\x03")
FAR = HashCode(128, b"\xff" * 16)


@pytest.fixture
def send(cluster: Cluster, index: Callable[..., str]) -> Callable[..., Any]:
    """Sends a request of the page to an index of four records; `ids` take the place of the empty list."""
    ensure_scripts(cluster)
    name = index({"mappings": space_mapping("s")})
    records = {
        "both": {"title": "Cats", "crosshatch": {"s": {"text": NEAR.base64()}}},
        "words": {"title": "The sea"},
        "similar": {"title": "Kittens", "crosshatch": {"s": {"image": [image_value(FAR, 0), image_value(QUERY, 1)]}}},
        "neither": {"title": "Dogs", "crosshatch": {"s": {"text": FAR.base64()}}},
    }
    for record, document in records.items():
        cluster.request("PUT", f"/{name}/_doc/{record}", params={"refresh": "true"}, body=document)

    def request(number: int, ids: list[str] | None = None) -> Any:
        found = list(CURL.finditer(PAGE.read_text("utf-8")))[number]
        text = found["body"].replace("'\"$SPACE\"'", "s").replace("'\"$HEX\"'", QUERY.hex()) + "\n}"
        body = json.loads(text.replace('"values": []', f'"values": {json.dumps(ids or [])}'))
        params = dict(pair.split("=") for pair in (found["params"] or "").split("&") if pair)
        return cluster.request("POST", found["path"].replace("$INDEX", name), params=params, body=body)["hits"]

    return request


def test_the_two_requests_give_the_fused_hits(send: Callable[..., Any]) -> None:
    others = [hit["_id"] for hit in send(0)["hits"]]
    assert others == ["similar"]
    fused = send(1, others)
    hits = {hit["_id"]: hit for hit in fused["hits"]}
    assert fused["total"]["value"] == 3
    assert hits.keys() == {"both", "words", "similar"}
    s = hits["both"]["matched_queries"]["bm25"]
    assert hits["both"]["_score"] == pytest.approx(0.5 * s / (s + 8) + 0.5 * (1 - 2 / 128))
    best = {"distance": 0, "part": "image", "picture": 1, "similarity": 1.0}
    assert hits["similar"]["fields"]["crosshatch"] == [best]
    assert hits["similar"]["_score"] == 0.5
    assert "fields" not in hits["words"] or hits["words"]["fields"]["crosshatch"] == [None]


def test_one_request_gives_what_is_similar_enough(send: Callable[..., Any]) -> None:
    assert {hit["_id"] for hit in send(2)["hits"]} == {"both", "words"}  # it compares texts alone


def test_every_request_of_the_page_is_tried() -> None:
    assert len(CURL.findall(PAGE.read_text("utf-8"))) == PAGE.read_text("utf-8").count("\ncurl ") == 3
