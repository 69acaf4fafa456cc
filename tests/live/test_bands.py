"""The bands plan on a real engine: with every neighbour it is the exact plan, with fewer what a slow twin finds."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from integration.engine.client import Cluster
from integration.search.asking import answered, final_body, in_ranks, proven
from integration.search.bands import bands_plan
from integration.search.filters import clauses
from integration.search.hits import read_hits, read_total
from integration.search.plan import SearchPlan, Target, plan
from integration.search.proving import rounds
from integration.search.request import SearchRequest
from integration.search.scripts import ensure_scripts
from mappings import bands
from mappings.bands import REACH, Reach
from mappings.code import HashCode
from mappings.fields import StoredCodes, space_mapping
from mappings.weighted import WeightedCode

BITS, WIDTH = 64, 8
CUT = bands.Banding(BITS, WIDTH, tuple(random.Random(1).sample(range(BITS), BITS)))
TABLE = tuple(1 - d / BITS for d in range(BITS + 1))
TARGET = Target(
    "test-bands", "s", {(q, s): TABLE for q in ("text", "image") for s in ("text", "image")}, ("title",), "title",
    bands=CUT, k=20,
)  # fmt: skip
WORDS = ("cat", "dog", "red", "house", "sea", "old", "tree", "song", "map", "night")
RECORDS = 400


def flipped(code: HashCode, share: float, rng: random.Random) -> HashCode:
    whole = int.from_bytes(code.packed)
    for bit in range(code.bits):
        whole ^= (rng.random() < share) << bit
    return HashCode(code.bits, whole.to_bytes(code.bits // 8))


def random_code(rng: random.Random) -> HashCode:
    return HashCode(BITS, rng.randbytes(BITS // 8))


@pytest.fixture(scope="module")
def stored(cluster: Cluster) -> Iterator[dict[str, StoredCodes]]:
    """Records around 40 centres; some have no code, some several pictures."""
    rng = random.Random(5)
    properties = {"title": {"type": "text"}, "language": {"type": "keyword"}}
    for more in (space_mapping("s"), bands.space_mapping("s")):
        properties |= more["properties"]
    cluster.request("PUT", "/test-bands", body={"mappings": {"properties": properties}})
    centres = [random_code(rng) for _ in range(40)]
    codes, lines = {}, []
    for number in range(RECORDS):
        near = [flipped(rng.choice(centres), 0.1, rng) for _ in range(4)]
        pictures = tuple(enumerate(near[1 : 1 + rng.choice((0, 1, 3))]))
        codes[f"r{number}"] = one = StoredCodes(near[0] if rng.random() < 0.8 else None, pictures)
        document = {"title": " ".join(rng.choices(WORDS, k=3)), "language": rng.choice(("eng", "fre"))}
        document |= {"crosshatch": {"s": one.members()}, bands.OBJECT: {"s": CUT.members(one)}}
        lines += [msgspec.json.encode({"index": {"_id": f"r{number}"}}), msgspec.json.encode(document)]
    assert not cluster.bulk("/test-bands", b"\n".join(lines) + b"\n", params={"refresh": "true"})["errors"]
    ensure_scripts(cluster)
    yield codes
    cluster.request("DELETE", "/test-bands")


def told(cluster: Cluster, searched: SearchPlan) -> tuple[int, list[Any]]:
    """Total, then id, score, BM25 and best pair of each hit; scores as far as single precision goes.

    Several searches at once tell no BM25 scores: then they are worked out.
    """
    answer = answered(cluster, searched)
    hits = read_hits(answer, searched, "title")
    known = [
        (hit.id, round(hit.score, 5), round(hit.bm25 or 0.0, 2), hit.distance, hit.part, hit.picture, hit.title)
        for hit in hits
    ]
    return read_total(answer, searched), known


def certain(hits: list[Any]) -> list[Any]:
    """Hits but those that score as the first or the last of the page: a rescored list does not break ties by id."""
    return [hit for hit in hits if hit[1] not in (hits[0][1], hits[-1][1])]


def query(stored: dict[str, StoredCodes], rng: random.Random) -> HashCode:
    return flipped(rng.choice([one.text for one in stored.values() if one.text]), 0.08, rng)


@pytest.mark.parametrize("seed", range(12))
def test_with_every_neighbour_it_is_the_exact_plan(cluster: Cluster, stored: dict[str, StoredCodes], seed: int) -> None:
    rng = random.Random(seed)
    text = rng.choice((None, "cat", "red sea", "old map night"))
    request = SearchRequest(
        text=text, image=None if text else b"-", size=rng.choice((3, 10)), page=rng.choice((1, 2)),
        weight=rng.choice((0.2, 0.5, 0.8, 1.0)), k=rng.choice((None, 5)),
        # the lists do not hold what is less similar than that and ranks behind the best 100 by the words
        min_similarity=rng.choice((None, 0.4 if text else 0.6)),
        filters=rng.choice(((), (("language", "eng"),))), on=rng.choice(((), ("text",), ("image",))),
        like=rng.choice((None, "r7")), fusion=rng.choice(("exact", "rrf")) if text else "auto",
    )  # fmt: skip
    mapped = {"language": {"type": "keyword"}}
    asked = (request, TARGET, [("text", query(stored, rng))], clauses(request.filters, mapped))
    banded, exact = told(cluster, bands_plan(*asked, reach=Reach(WIDTH))), told(cluster, plan(*asked))
    assert (banded[0], certain(banded[1])) == (exact[0], certain(exact[1]))
    assert [hit[1] for hit in banded[1]] == [hit[1] for hit in exact[1]]


@pytest.mark.parametrize("reach", [Reach(0), Reach(1), Reach(2), Reach(1, agree=2), REACH])
def test_only_records_whose_bands_come_as_near_are_found(
    cluster: Cluster, stored: dict[str, StoredCodes], reach: Reach
) -> None:
    rng = random.Random(reach.radius)
    for _ in range(5):
        code = query(stored, rng)
        terms = [set(band) for band in CUT.terms(code, reach.radius)]
        sharing = {
            record
            for record, one in stored.items()
            for part in ([one.text], [picture for _, picture in one.image])
            for lines in [{term for held in part if held for term in CUT.line(held).split(" ")}]
            if sum(bool(band & lines) for band in terms) >= reach.agree
        }
        searched = bands_plan(SearchRequest(image=b"-", size=400, k=400), TARGET, [("image", code)], reach=reach)
        assert {hit["_id"] for hit in answered(cluster, searched)["hits"]["hits"]} == sharing


def test_an_engine_that_refuses_the_two_lists_is_asked_the_other_way(
    cluster: Cluster, stored: dict[str, StoredCodes]
) -> None:
    code = query(stored, random.Random(3))
    searched = bands_plan(SearchRequest(text="cat"), TARGET, [("text", code)], reach=Reach(WIDTH))
    assert searched.lists is not None
    broken = replace(searched, lists=replace(searched.lists, words={"query": {"no_such_query": {}}}))
    assert told(cluster, broken) == told(cluster, searched)
    assert final_body(cluster, searched)["query"]["script_score"]


def test_the_terms_change_nothing_that_a_catalogue_asks(
    cluster: Cluster, index: Callable[..., str], stored: dict[str, StoredCodes]
) -> None:
    """A name that begins with `_` is met by no pattern of a catalogue's: not in words, not in fields."""
    bare = index({"mappings": {"properties": {"title": {"type": "text"}, "code": {"type": "keyword"}}}})
    asked = [
        {"query_string": {"query": "cat"}},
        {"multi_match": {"query": "cat", "fields": ["*"], "lenient": True}},
        {"simple_query_string": {"query": "cat", "fields": ["c*"]}},
        {"exists": {"field": "c*"}},
        {"multi_match": {"query": "cat", "fields": ["*.text", "*title*"], "lenient": True}},
    ]

    def meaning() -> list[str]:
        path = f"/{bare}/_validate/query"
        answers = [cluster.request("POST", path, params={"explain": "true"}, body={"query": one}) for one in asked]
        return [answer["explanations"][0]["explanation"] for answer in answers]

    document = {"title": "a cat", "code": "c"}
    cluster.request("PUT", f"/{bare}/_doc/1", params={"refresh": "true"}, body=document)
    before = meaning()
    cluster.request("PUT", f"/{bare}/_mapping", body=bands.space_mapping("s"))
    cut = {bands.OBJECT: {"s": {"t": "cat c", "of": CUT.name}}}
    cluster.request("PUT", f"/{bare}/_doc/1", params={"refresh": "true"}, body=document | cut)
    assert meaning() == before
    found = cluster.request("POST", f"/{bare}/_search", body={"docvalue_fields": ["c*"]})["hits"]["hits"]
    assert found[0]["fields"] == {"code": ["c"]}
    known = {"query": {"term": {bands.field_name("s", "text"): "cat"}}}
    assert cluster.request("POST", f"/{bare}/_count", body=known)["count"]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_rounds_end_with_the_exact_plans_answer(
    cluster: Cluster, stored: dict[str, StoredCodes], seed: int, weighted: bool
) -> None:
    rng = random.Random(seed)
    text = rng.choice((None, "cat", "red sea"))
    request = SearchRequest(
        text=text, image=None if text else b"-", size=5, page=rng.choice((1, 3)), k=rng.choice((5, 20)),
        filters=rng.choice(((), (("language", "eng"),))), on=("text",), min_similarity=rng.choice((None, 0.7)),
        part_weights=rng.choice(({}, {"text": 0.9})),
        fusion=rng.choice(("exact", "rrf")) if text else "auto",
    )  # fmt: skip
    restricted = clauses(request.filters, {"language": {"type": "keyword"}})
    code = query(stored, rng)
    if weighted:
        code = WeightedCode(BITS, code.packed, bytes([15, *rng.choices(range(3, 16), k=BITS - 1)]))
    asked = (request, TARGET, [("text", code)], restricted)
    by_rounds, answer = proven(cluster, rounds(*asked))
    exact = in_ranks(cluster, plan(*asked))
    assert by_rounds.name == "bands-exact"
    assert read_hits(answer, by_rounds, "title") == read_hits(answered(cluster, exact), exact, "title")


def test_few_rounds_are_enough_for_what_is_near(stored: dict[str, StoredCodes]) -> None:
    """Eight bands within one bit prove 15 of 64 bits: what is as near as that needs no third round."""
    request = SearchRequest(image=b"-", size=3, k=3, on=("text",))
    asked = list(rounds(request, TARGET, [("text", query(stored, random.Random(1)))]))
    assert [round(one.unseen, 6) for one in asked[:2]] == [1 - 8 / BITS, 1 - 16 / BITS]
    assert (asked[-1].plan.name, asked[-1].unseen) == ("exact", -1.0)
    near = {"hits": {"hits": [{"_score": asked[0].plan.weight * (1 - 15 / BITS)}] * 3}}
    assert [one.proves(near) for one in asked[:2]] == [False, True]
    assert not asked[1].proves({"hits": {"hits": near["hits"]["hits"][:2]}})
