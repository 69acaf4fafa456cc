"""Whatever comes: what holds no clause is left to pass as it came, and what stands beside one stays its bytes."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from integration.gateway import bodies, calls, cbor, smile_writer
from integration.gateway.exchange import Header
from integration.gateway.positions import find
from tests.integration.gateway.test_admission import Gate

JSON, NDJSON = b"application/json", b"application/x-ndjson"
MINE = b'{"query":{"crosshatch":{"text":"cats"}}}'
KINDS = ["search", "count", "rank_eval", "search_template", "delete_by_query", "aliases", "index-create"]
PATHS = {
    "search": "/secret-index/_search", "count": "/secret-index/_count", "rank_eval": "/secret-index/_rank_eval",
    "search_template": "/secret-index/_search/template", "delete_by_query": "/secret-index/_delete_by_query",
    "aliases": "/_aliases", "index-create": "/new",
}  # fmt: skip

names = st.sampled_from(
    ["query", "bool", "should", "filter", "aggs", "sort", "source", "crosshatch", "Crosshatch", "é"]
)
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | names
trees = st.recursive(leaves, lambda t: st.lists(t, max_size=3) | st.dictionaries(names, t, max_size=4), max_leaves=20)
spaced = st.builds(
    lambda tree, indent, ascii: json.dumps(tree, indent=indent, ensure_ascii=ascii, separators=(" , ", " : ")).encode(),
    trees, st.sampled_from([None, 1]), st.booleans(),
).filter(lambda raw: b"Infinity" not in raw)  # fmt: skip  # CBOR and SMILE can say it, JSON cannot
harmed = st.builds(
    lambda raw, at, piece: raw[:at] + piece + raw[at:], spaced, st.integers(0, 40), st.binary(max_size=3)
)
raws = st.one_of(
    st.tuples(st.just(JSON), st.one_of(spaced, harmed, st.binary(max_size=40))),
    st.tuples(st.just(b"application/cbor"), trees.map(cbor.dumps) | st.binary(max_size=40)),
    st.tuples(st.just(b"application/smile"), trees.map(smile_writer.dumps) | st.binary(max_size=40)),
)


class Left:
    """An exchange that nobody may answer."""

    def __init__(self, method: str, path: str, raw: bytes, media: bytes) -> None:
        self.method, self.raw_path, self._raw = method, path.encode(), raw
        self.headers: Sequence[Header] = [(b"content-type", media), (b"authorization", b"reader")]
        call = calls.read(method, self.raw_path)
        assert call is not None
        self.call = call
        self.answered = False

    async def body(self, limit: int) -> bytes:
        return self._raw

    async def respond(self, *_: Any) -> None:
        self.answered = True


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Gate:
    return Gate(Path(tmp_path_factory.mktemp("gate")))


@hypothesis.settings(deadline=None, suppress_health_check=[hypothesis.HealthCheck.filter_too_much])
@hypothesis.given(kind=st.sampled_from(KINDS), came=raws)
def test_what_holds_no_clause_is_left_as_it_came(gate: Gate, kind: str, came: tuple[bytes, bytes]) -> None:
    media, raw = came
    body = bodies.decode(raw, [(b"content-type", media)])
    hypothesis.assume(body is None or not find(body.tree, kind))
    gate.asked.clear()
    exchange: Any = Left("PUT" if kind == "index-create" else "POST", PATHS[kind], raw, media)
    assert exchange.call.kind == kind
    assert asyncio.run(gate.part.handle(exchange)) is False
    assert not exchange.answered
    assert [path for path, _ in gate.asked if b"_render" not in path] == []


@hypothesis.settings(deadline=None)
@hypothesis.given(
    others=st.lists(spaced.filter(lambda raw: b"\n" not in raw), min_size=1, max_size=3), at=st.integers(0, 3)
)
def test_the_searches_beside_a_clause_stay_their_bytes(gate: Gate, others: list[bytes], at: int) -> None:
    hypothesis.assume(not any(find(json.loads(raw), "msearch") for raw in others))
    lines = [b'{"index" : "secret-index"}\n' + raw for raw in (*others[:at], MINE, *others[at:])]
    gate.asked.clear()
    exchange: Any = Left("POST", "/_msearch", b"\n".join(lines) + b"\n", NDJSON)
    assert asyncio.run(gate.part.handle(exchange)) is True
    [sent] = [body for path, body in gate.asked if path.startswith(b"/_msearch")]
    mine = min(at, len(others))
    told = sent.split(b"\n")
    assert told.pop(2 * mine + 1) != MINE
    del told[2 * mine]
    assert told == [*b"\n".join(line for line in lines if not line.endswith(MINE)).split(b"\n"), b""]
