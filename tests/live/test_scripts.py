"""The stored scripts on a real engine: what they measure is what `HashCode.distance` measures."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import pytest

from integration.engine.client import Cluster
from integration.search.scripts import ensure_scripts
from mappings.code import SUPPORTED_BITS, HashCode
from mappings.errors import EngineRefused
from mappings.fields import StoredCodes, image_value, space_mapping
from mappings.scripts import SMALLEST, Pair, distance_script, score_script, scripts
from mappings.weighted import WeightedCode
from tests.live.distances import apart, bits_apart, similarity

MakeIndex = Callable[..., str]
Best = tuple[float, int, str, int | None]  # similarity, distance, part, picture


@pytest.fixture(scope="module", autouse=True)
def _stored_scripts(cluster: Cluster) -> None:
    ensure_scripts(cluster)


def random_code(bits: int, rng: random.Random) -> HashCode:
    return HashCode(bits, rng.randbytes(bits // 8))


def fill(cluster: Cluster, name: str, documents: Mapping[str, Mapping[str, Any]], space: str = "s") -> None:
    """Write our members by record id, as Crosshatch would."""
    lines = b"".join(
        msgspec.json.encode({"index": {"_id": record}})
        + b"\n"
        + msgspec.json.encode({"title": "words", "crosshatch": {space: members}})
        + b"\n"
        for record, members in documents.items()
    )
    answer = cluster.bulk(f"/{name}", lines, params={"refresh": "true"})
    assert not answer["errors"], answer


def asked(cluster: Cluster, name: str, script: Mapping[str, Any], pairs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Score and best pair of every document."""
    body = {
        "size": 1000,
        "query": {"script_score": {"query": {"bool": {"filter": [{"match_all": {}}]}}, "script": script}},
        "script_fields": {"best": {"script": {"id": "crosshatch-distance-1", "params": {"pairs": pairs}}}},
    }
    hits = cluster.request("POST", f"/{name}/_search", body=body)["hits"]["hits"]
    return {hit["_id"]: (hit["_score"], next(iter(hit.get("fields", {}).get("best", ())), None)) for hit in hits}


def slow_best(stored: StoredCodes, pairs: Sequence[Pair]) -> Best | None:
    """The definition, pair by pair and picture by picture; the first wins at a tie."""
    found: list[Best] = []
    for pair in pairs:
        if pair.part == "image":
            values: Sequence[tuple[int | None, HashCode]] = stored.image
        else:
            code = getattr(stored, pair.part)
            values = [(None, code)] if code else []
        near = sorted((apart(pair.code, code), number or 0, n) for n, (number, code) in enumerate(values))
        if near:
            weight, _, n = near[0]
            number, code = values[n]
            near_by = similarity(pair.table, pair.code, weight)
            found.append((near_by, bits_apart(pair.code, code), pair.part, number))
    return max(found, key=lambda best: best[0]) if found else None


def weighted_code(bits: int, rng: random.Random) -> WeightedCode:
    return WeightedCode(bits, rng.randbytes(bits // 8), bytes([15, *rng.choices(range(16), k=bits - 1)]))


def falling_table(bits: int, rng: random.Random) -> tuple[float, ...]:
    return tuple(sorted((rng.random() for _ in range(bits + 1)), reverse=True))


@pytest.mark.parametrize("make", [random_code, weighted_code])
@pytest.mark.parametrize("bits", SUPPORTED_BITS)
def test_engine_and_python_measure_the_same(
    cluster: Cluster, index: MakeIndex, bits: int, make: Callable[[int, random.Random], HashCode]
) -> None:
    rng = random.Random(bits)
    name = index({"mappings": {"dynamic": "strict", "properties": {"title": {"type": "text"}}}})
    cluster.request("PUT", f"/{name}/_mapping", body=space_mapping("s"))
    stored = {}
    for number in range(40):
        pictures = [(n, random_code(bits, rng)) for n in rng.sample(range(65_536), rng.randrange(4))]
        if len(pictures) > 2:
            pictures[1] = (pictures[1][0], pictures[0][1])  # the same picture twice, under two numbers
        text, record = (random_code(bits, rng) if rng.random() < 0.7 else None for _ in range(2))
        stored[f"r{number}"] = StoredCodes(text, tuple(pictures), record)
    fill(cluster, name, {record: codes.members() for record, codes in stored.items()})
    pairs = [
        Pair("s", part, make(bits, rng), falling_table(bits, rng)) for part in ("text", "image", "record", "image")
    ]
    answers = asked(
        cluster, name, score_script(pairs, weight=1, saturation=8), distance_script(pairs)["params"]["pairs"]
    )
    assert answers.keys() == stored.keys()
    for record, codes in stored.items():
        expected = slow_best(codes, pairs)
        score, best = answers[record]
        assert score == pytest.approx(expected[0] if expected else 0.0, rel=1e-6), record
        got = best and (best["similarity"], best["distance"], best["part"], best["picture"])
        assert got == expected, record


@pytest.mark.parametrize("bits", SUPPORTED_BITS)
def test_hexadecimal_and_no_table_give_the_share_of_equal_bits(cluster: Cluster, index: MakeIndex, bits: int) -> None:
    rng = random.Random(bits)
    name = index({"mappings": space_mapping("s")})
    query = random_code(bits, rng)
    codes = [
        query,
        HashCode(bits, bytes(255 - byte for byte in query.packed)),
        *(random_code(bits, rng) for _ in range(8)),
    ]
    fill(cluster, name, {str(n): {"text": code.base64()} for n, code in enumerate(codes)})
    pairs = [{"field": "crosshatch.s.text", "part": "text", "code": query.hex()}]
    script = {"id": "crosshatch-score-1", "params": {"pairs": pairs, "weight": 1}}
    for record, (score, best) in asked(cluster, name, script, pairs).items():
        distance = query.distance(codes[int(record)])
        assert best["distance"] == distance
        assert score == pytest.approx(1 - distance / bits)


@pytest.mark.parametrize("bits", SUPPORTED_BITS)
def test_weights_go_with_every_form_of_a_code(cluster: Cluster, index: MakeIndex, bits: int) -> None:
    """Hexadecimal, bytes, bytes and words; without a table the weighted share of equal bits."""
    rng = random.Random(bits)
    name = index({"mappings": space_mapping("s")})
    query = weighted_code(bits, rng)
    codes = [query.bare, *(random_code(bits, rng) for _ in range(8))]
    fill(cluster, name, {str(n): {"text": code.base64()} for n, code in enumerate(codes)})
    full = Pair("s", "text", query, tuple(1 - d / bits for d in range(bits + 1))).param()
    bare = {name: full[name] for name in ("field", "code", "bit_weights")}
    for pair in ({**bare, "code": query.hex()}, bare, full):
        script = {"id": "crosshatch-score-1", "params": {"pairs": [pair], "weight": 1}}
        for record, (score, best) in asked(cluster, name, script, [pair]).items():
            expected = 1 - (query.floor + query.unit * apart(query, codes[int(record)])) / bits
            assert score == pytest.approx(expected, abs=1e-6)
            assert best["distance"] == bits_apart(query, codes[int(record)])


@pytest.mark.parametrize(
    "weights",
    [
        {},
        [1] * 16,
        "1",
        {"planes": []},
        {"planes": 7},
        {"planes": [7]},
        {"planes": [[1, 1]]},
        {"planes": [[]]},
        {"planes": [[1]] * 17},
    ],
    ids=str,
)
def test_weights_that_do_not_fit_the_code_count_as_no_code(cluster: Cluster, index: MakeIndex, weights: Any) -> None:
    name = index({"mappings": space_mapping("s")})
    fill(cluster, name, {"1": {"text": HashCode(16, b"ab").base64()}})
    pairs = [{"field": "crosshatch.s.text", "code": [1, 2], "bit_weights": weights}]
    script = {"id": "crosshatch-score-1", "params": {"pairs": pairs, "weight": 1}}
    assert asked(cluster, name, script, pairs) == {"1": (0.0, None)}


@pytest.mark.parametrize(
    "numbers", [{}, {"unit": -9}, {"floor": -1e9}, {"unit": 1e300}, {"unit": 1e999}, {"floor": 1e999}]
)
@pytest.mark.parametrize("table", [None, [-1.0] * 17, [9.0] * 17])
def test_weighted_scores_stay_between_0_and_1(
    cluster: Cluster, index: MakeIndex, numbers: dict[str, float], table: list[float] | None
) -> None:
    """1e999 is infinite once it is read, and 0 of infinity is no number."""
    name = index({"mappings": space_mapping("s")})
    fill(cluster, name, {str(n): {"text": HashCode(16, code).base64()} for n, code in enumerate((b"ab", b"\0\0"))})
    pair = {"field": "crosshatch.s.text", "code": [0, 0], "bit_weights": {"planes": [[-1]], **numbers}}
    pair |= {"table": table} if table else {}
    body = msgspec.json.encode({"query": {"script_score": {
        "query": {"bool": {"filter": [{"match_all": {}}]}},
        "script": {"id": "crosshatch-score-1", "params": {"pairs": [pair], "weight": 1}},
    }}})  # fmt: skip
    body = body.replace(b"null", b"1e999")  # how infinity is written here
    scores = [hit["_score"] for hit in cluster.request("POST", f"/{name}/_search", body=body)["hits"]["hits"]]
    assert len(scores) == 2
    assert all(0 <= score <= 1 for score in scores)


def test_what_is_no_code_counts_as_none(cluster: Cluster, index: MakeIndex) -> None:
    name = index({"mappings": space_mapping("s")})
    code = HashCode(32, b"\x00\x00\x00\x01")
    long, short = HashCode(48, b"\x00" * 6), HashCode(16, b"\x00\x00")
    fill(
        cluster,
        name,
        {
            "none": {},
            "short": {"text": short.base64(), "image": [image_value(short, 0)]},
            "long": {"text": long.base64()},
            "picture as text": {"text": image_value(short, 0)},  # 4 bytes: as long as a code of 32 bits
            "text as picture": {"image": [code.base64()]},
            "empty": {"text": ""},
            "mixed": {"image": [image_value(long, 0), image_value(code, 1)]},
        },
    )
    pairs = [Pair("s", part, code, tuple(1 - d / 32 for d in range(33))) for part in ("text", "image")]
    params = distance_script(pairs)["params"]["pairs"]
    answers = asked(cluster, name, score_script(pairs, weight=1, saturation=8), params)
    parts = {
        record: best and (best["part"], best["picture"], best["distance"]) for record, (_, best) in answers.items()
    }
    assert parts == {
        "none": None,
        "short": None,
        "long": None,
        "picture as text": ("text", None, 1),
        "text as picture": None,
        "empty": None,
        "mixed": ("image", 1, 0),
    }
    assert [record for record, (score, _) in answers.items() if score > 0] == ["mixed", "picture as text"]


@pytest.mark.parametrize("field", ["crosshatch.t.text", "title", "nowhere"])
def test_fields_that_hold_no_codes_fail_no_search(cluster: Cluster, index: MakeIndex, field: str) -> None:
    name = index({"mappings": {"properties": {"title": {"type": "keyword"}}}})
    fill(cluster, name, {"1": {}})
    pairs = [{"field": field, "part": "text", "code": [1, 2]}]
    assert asked(cluster, name, {"id": "crosshatch-score-1", "params": {"pairs": pairs}}, pairs) == {"1": (0.0, None)}


@pytest.mark.parametrize(
    "params",
    [
        {"weight": 7, "saturation": 8},
        {"weight": -7, "saturation": 8},
        {"weight": 0.5, "saturation": -3},
        {"weight": 0.5, "saturation": 0},
    ],
    ids=str,
)
@pytest.mark.parametrize("table", [[-1.0] * 17, [9.0] * 17])
def test_scores_stay_between_0_and_1(
    cluster: Cluster, index: MakeIndex, params: dict[str, float], table: list[float]
) -> None:
    name = index({"mappings": space_mapping("s")})
    fill(cluster, name, {"with": {"text": HashCode(16, b"ab").base64()}, "without": {}})
    pairs = [{"field": "crosshatch.s.text", "part": "text", "code": [1, 2], "table": table}]
    script = {"id": "crosshatch-score-1", "params": {"pairs": pairs, **params}}
    for inner in ({"match": {"title": "words"}}, {"bool": {"filter": [{"match_all": {}}]}}):
        body = {"query": {"script_score": {"query": inner, "script": script}}}
        scores = [hit["_score"] for hit in cluster.request("POST", f"/{name}/_search", body=body)["hits"]["hits"]]
        assert len(scores) == 2
        assert all(0 <= score <= 1 for score in scores)


def test_least_similarity_keeps_words_and_what_is_similar_enough(cluster: Cluster, index: MakeIndex) -> None:
    """The boundary itself, a similarity of 0, and no code: three things a score alone cannot tell apart."""
    name = index({"mappings": {"properties": {"title": {"type": "text"}} | space_mapping("s")["properties"]}})
    near, middle, far = (HashCode(16, code) for code in (b"\x00\x00", b"\x00\xff", b"\xff\xff"))
    fill(
        cluster, name, {n: {"text": code.base64()} for n, code in {"near": near, "middle": middle, "far": far}.items()}
    )
    fill(cluster, name, {"none": {}})
    pairs = [Pair("s", "text", near, tuple(1 - d / 16 for d in range(17)))]

    def found(least: float, title: str) -> set[str]:
        words = {"match": {"title": title}}
        inner = {"bool": {"should": [words, {"constant_score": {"filter": {"match_all": {}}, "boost": 0}}]}}
        script = score_script(pairs, weight=1, saturation=8, min_similarity=least)
        query = {"script_score": {"query": inner, "script": script, "min_score": SMALLEST}}
        return {
            hit["_id"] for hit in cluster.request("POST", f"/{name}/_search", body={"query": query})["hits"]["hits"]
        }

    assert found(0.0, "nothing") == {"near", "middle", "far"}
    assert found(0.5, "nothing") == {"near", "middle"}
    assert found(0.5000001, "nothing") == {"near"}
    assert found(1.0, "words") == {"near", "middle", "far", "none"}


def test_a_cluster_that_hardly_compiles_still_answers_every_search(cluster: Cluster, index: MakeIndex) -> None:
    """Codes, weights and tables are parameters: the two scripts are compiled once and kept, whatever is asked."""
    rng = random.Random(11)
    name = index({"mappings": space_mapping("s")})
    fill(cluster, name, {"1": StoredCodes(text=random_code(128, rng)).members()})

    def ask() -> dict[str, Any]:
        pair = Pair("s", "text", random_code(128, rng), falling_table(128, rng))
        return asked(cluster, name, score_script([pair], weight=rng.random(), saturation=8.0), [pair.param()])

    rates = [f"script.context.{context}.max_compilations_rate" for context in ("score", "field")]
    # a new rate forgets what was compiled
    cluster.request("PUT", "/_cluster/settings", body={"persistent": dict.fromkeys(rates, "1/5m")})
    try:
        assert all(list(ask()) == ["1"] for _ in range(20))
        refused = {"script_score": {"query": {"match_all": {}}, "script": {"source": f"return {rng.random()};"}}}
        with pytest.raises(EngineRefused, match="max_compilations_rate"):
            cluster.request("POST", f"/{name}/_search", body={"query": refused})
    finally:
        cluster.request("PUT", "/_cluster/settings", body={"persistent": dict.fromkeys(rates, None)})


def test_scripts_are_stored_once_and_mended(cluster: Cluster) -> None:
    ensure_scripts(cluster)
    assert ensure_scripts(cluster) == []
    changed = {"script": {"lang": "painless", "source": "return 1.0;"}}
    cluster.request("PUT", "/_scripts/crosshatch-score-1", body=changed)
    assert ensure_scripts(cluster) == ["crosshatch-score-1"]
    cluster.request("DELETE", "/_scripts/crosshatch-distance-1")
    assert ensure_scripts(cluster) == ["crosshatch-distance-1"]
    stored = cluster.request("GET", "/_scripts/crosshatch-distance-1")["script"]
    assert stored == scripts()[1].body()["script"]
