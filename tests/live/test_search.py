"""Fused search on a real engine against a slow version of the design's formula, over random catalogues and requests."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
import pytest

from encoders.api import PARTS, BundleCard, Item
from integration import state, weights
from integration.engine.client import Cluster
from integration.queries import QueryCodes
from integration.search.asking import printable
from integration.search.plan import words_query
from integration.search.request import SearchRequest
from integration.search.run import Searcher
from integration.search.scripts import ensure_scripts
from integration.settings import Settings
from mappings.code import HashCode
from mappings.errors import BundleError, EngineRefused, NotAttachedError, RequestError, UnknownIndexError
from mappings.fields import StoredCodes, space_mapping
from mappings.profile import TargetProfile
from tests.live.distances import apart, bits_apart
from tests.live.distances import similarity as similar
from tests.live.fakes import weighted

BITS = 48
RECORDS = 300
WORDS = ("cat", "dog", "red", "house", "sea", "old", "tree", "song", "map", "night")
MAPPING = {
    "title": {"type": "text", "fields": {"keyword": {"type": "keyword"}}},
    "subjects": {"type": "text"},
    "language": {"type": "keyword"},
    "year": {"type": "integer"},
}


def staircase(rng: random.Random) -> tuple[float, ...]:
    """A calibration with many equal steps, so that ties are common."""
    return tuple(sorted((rng.randrange(9) / 8 for _ in range(BITS + 1)), reverse=True))


def fake_card(rng: random.Random) -> BundleCard:
    tables = {
        f"{q}-{s}": staircase(rng) for q in ("text", "image", "record") for s in PARTS if (q, s) != ("image", "text")
    }
    return BundleCard("fake", BITS, "f" * 64, PARTS, tables, "fake")


def random_code(rng: random.Random) -> HashCode:
    return HashCode(BITS, rng.randbytes(BITS // 8))


@dataclass(frozen=True, slots=True)
class Catalogue:
    """An attached index, and what a slow search needs to know of it."""

    index: str
    codes: dict[str, StoredCodes]
    languages: dict[str, str]
    card: BundleCard
    searcher: Searcher


def query_codes(item: Item, *_: object) -> QueryCodes:
    """The query's codes come from its content, so that the slow search can make them again."""
    content = {"text": item.text, "image": item.pictures[0].decode() if item.pictures else None}
    codes = {part: weighted(random_code(random.Random(said))) for part, said in content.items() if said}
    return QueryCodes(codes, "worker")


@pytest.fixture(scope="module")
def catalogue(cluster: Cluster) -> Iterator[Catalogue]:
    """300 records: some without codes, some with several pictures, few different titles."""
    rng = random.Random(11)
    card, name = fake_card(rng), "test-search"
    cluster.request("PUT", f"/{name}", body={"settings": {"number_of_shards": 2}, "mappings": {"properties": MAPPING}})
    cluster.request("PUT", f"/{name}/_mapping", body=space_mapping("s"))
    codes, languages, lines = {}, {}, []
    for record in rng.sample([f"{prefix}{number}" for prefix in ("b", "B", "é ") for number in range(200)], RECORDS):
        text, both = (random_code(rng) if rng.random() < 0.6 else None for _ in range(2))
        pictures = tuple((n, random_code(rng)) for n in range(rng.choice((0, 0, 1, 3))))
        codes[record] = StoredCodes(text, pictures, both)
        languages[record] = rng.choice(("eng", "fre", "ger"))
        document = {
            "title": " ".join(rng.choices(WORDS, k=rng.randrange(1, 4))),
            "subjects": rng.choices(WORDS, k=2),
            "language": languages[record],
            "year": rng.randrange(1900, 1910),
            "crosshatch": {"s": codes[record].members()},
        }
        lines += [msgspec.json.encode({"index": {"_id": record}}), msgspec.json.encode(document)]
    assert not cluster.bulk(f"/{name}", b"\n".join(lines) + b"\n", params={"refresh": "true"})["errors"]
    state.save(cluster, known_state(cluster, name, card))
    ensure_scripts(cluster)
    yield Catalogue(
        name, codes, languages, card, Searcher(cluster, Settings(), None, lambda *_, **__: card, query_codes)
    )
    state.forget(cluster, state.attached(cluster, name))
    cluster.request("DELETE", f"/{name}")


def known_state(cluster: Cluster, name: str, card: BundleCard) -> state.Attached:
    bundle = state.Bundle(card.reference, card.name, card.bits, card.digest)
    profile = TargetProfile(name="test", text=("title", "subjects"), search=("title^2", "subjects"), title="title")
    index, uuid = state.concrete(cluster, name)
    return state.Attached(index, uuid, "s", {"s": bundle}, profile, "secret")


def bm25(catalogue: Catalogue, text: str) -> dict[str, float]:
    """The engine's own scores of the words, as the 32-bit numbers they are."""
    body = {"query": words_query(text, ["title^2", "subjects"]), "size": RECORDS, "_source": False}
    answer = catalogue.searcher.cluster.request("POST", f"/{catalogue.index}/_search", body=body)
    return {hit["_id"]: float(np.float32(hit["_score"])) for hit in answer["hits"]["hits"]}


def similarity(catalogue: Catalogue, record: str, request: SearchRequest) -> tuple[float, int, str, int | None] | None:
    """(similarity, distance, part, picture) of the best pair: the first at a tie."""
    item = Item(request.text, (request.image,) if request.image else ())
    queries = list(query_codes(item).codes.items())
    if request.scoring == "symmetric":
        queries = [(part, HashCode(code.bits, code.packed)) for part, code in queries]
    if request.like:
        own = catalogue.codes[request.like]
        queries += [("text", own.text)] * bool(own.text) + [("record", own.record)] * bool(own.record)
        queries += [("image", code) for _, code in own.image]
    stored, found = catalogue.codes[record], []
    for part, code in queries:
        for other in request.on or PARTS:
            one = getattr(stored, other)
            values = one if other == "image" else [(None, one)] if one else []
            near = sorted((apart(code, value), number or 0, n) for n, (number, value) in enumerate(values))
            weight = request.part_weights.get(other, 1.0)
            if near and weight > 0:
                number, value = values[near[0][2]]
                table = [weight * listed for listed in catalogue.card.table(part, other)]
                found.append((similar(table, code, near[0][0]), bits_apart(code, value), other, number))
    return max(found, key=lambda best: best[0]) if found else None


def slow_search(catalogue: Catalogue, request: SearchRequest) -> list[tuple[str, float]]:
    """(id, score) of every hit, by the design: words, and of the others the k most similar; ties by id."""
    weight = 0.5 if request.weight is None else request.weight
    if request.text is None and weight == 0:
        weight = 1.0
    wanted = dict(request.filters).get("language")
    words = bm25(catalogue, request.text) if request.text else {}
    allowed = [r for r in catalogue.codes if r != request.like and wanted in (None, catalogue.languages[r])]
    best = {r: similarity(catalogue, r, request) for r in allowed}
    others = [(-b[0], r) for r, b in best.items() if b and r not in words and b[0] >= (request.min_similarity or 0)]
    hits = [r for r in allowed if r in words] + [r for _, r in sorted(others, key=by_id)[: request.k or 100]]

    def score(record: str) -> float:
        s, pair = words.get(record, 0.0), best[record]
        similar = weight * (pair[0] if pair else 0.0)
        return float(np.float32((1 - weight) * (s / (s + 8.0) if s else 0.0) + similar))

    def rank(record: str) -> float:
        return words.get(record, 0.0) if weight == 0 else score(record)

    ordered = sorted(((-rank(record), record) for record in hits), key=by_id)
    return [(record, score(record)) for _, record in ordered]


def by_id(entry: tuple[float, str]) -> tuple[float, bytes]:
    return entry[0], entry[1].encode()


def random_request(rng: random.Random, catalogue: Catalogue) -> SearchRequest:
    kind = rng.choice(("text", "text", "image", "both", "like", "like and text"))
    coded = [record for record, codes in catalogue.codes.items() if codes.parts]
    text = " ".join(rng.choices(WORDS, k=rng.randrange(1, 4))) + rng.choice(("", " zzz"))
    return SearchRequest(
        text=text if kind in ("text", "both", "like and text") else None,
        image=str(rng.random()).encode() if kind in ("image", "both") else None,
        like=rng.choice(coded) if kind.startswith("like") else None,
        filters=(("language", "fre"),) if rng.random() < 0.4 else (),
        weight=rng.choice((None, 0.0, 1.0, 0.3, rng.random())),
        k=rng.choice((None, 1, 5, 40, 10_000)),
        min_similarity=rng.choice((None, 0.0, 0.125, 0.5, 0.875, 1.0)),
        on=rng.choice(((), (), ("image",), ("record", "text"))),
        size=rng.choice((1, 7, 50, 300)),
        part_weights=rng.choice(({}, {}, {"image": 0.5}, {"text": 0.25, "record": 0.9}, {"record": 0.0})),
        scoring="symmetric" if kind == "like" or rng.random() < 0.5 else "asymmetric",
    )


def every_page(catalogue: Catalogue, request: SearchRequest, most: int = 6) -> list[Any]:
    """Hits of the first pages, and of the last two, with the total of each."""
    first = catalogue.searcher.search(catalogue.index, request)
    pages = -(-first.total // request.size)
    chosen = sorted({*range(2, min(most, pages) + 1), *range(max(2, pages - 1), pages + 2)})
    rest = [catalogue.searcher.search(catalogue.index, replace(request, page=page)) for page in chosen]
    assert {result.total for result in rest} <= {first.total}
    return [(page, result) for page, result in zip([1, *chosen], [first, *rest], strict=True)]


@pytest.mark.parametrize("seed", range(60))
def test_hits_scores_order_and_total_are_the_slow_ones(catalogue: Catalogue, seed: int) -> None:
    request = random_request(random.Random(seed), catalogue)
    expected = slow_search(catalogue, request)
    for page, result in every_page(catalogue, request):
        assert result.total == len(expected), request
        window = expected[(page - 1) * request.size : page * request.size]
        assert [hit.id for hit in result.hits] == [record for record, _ in window], request
        assert [hit.score for hit in result.hits] == pytest.approx([score for _, score in window], rel=1e-6), request
        for hit in result.hits:
            best = similarity(catalogue, hit.id, request)
            assert (hit.similarity, hit.distance, hit.part, hit.picture) == (best or (None,) * 4), request


def test_weights_of_parts_come_from_the_space_where_the_request_says_nothing(catalogue: Catalogue) -> None:
    searcher, index = catalogue.searcher, catalogue.index
    asked = SearchRequest(text="red cat", k=40, size=300)
    given = {"text": 0.25, "image": 0.5}
    bare = searcher.search(index, asked).hits
    expected = searcher.search(index, replace(asked, part_weights=given)).hits
    assert expected != bare
    try:
        weights.change(searcher.cluster, index, {}, given)
        assert searcher.search(index, asked).hits == expected
        assert searcher.search(index, replace(asked, part_weights={"text": 1, "image": 1})).hits == bare
    finally:
        weights.change(searcher.cluster, index, {}, {"text": 1, "image": 1})
    assert searcher.search(index, asked).hits == bare


def test_all_pages_together_are_all_hits_once(catalogue: Catalogue) -> None:
    request = SearchRequest(text="cat", k=10_000, size=7)
    pages = every_page(catalogue, request, most=100)
    ids = [hit.id for _, result in pages for hit in result.hits]
    assert len(ids) == len(set(ids)) == pages[0][1].total


def test_weight_0_is_the_engines_order(catalogue: Catalogue) -> None:
    request = SearchRequest(text="red old sea", weight=0, size=300, k=1)
    hits = catalogue.searcher.search(catalogue.index, request).hits
    scores = bm25(catalogue, "red old sea")
    found = [hit for hit in hits if hit.bm25 is not None]
    assert [hit.id for hit in found] == sorted(scores, key=lambda record: (-scores[record], record.encode()))
    assert [hit.score for hit in found] == pytest.approx([s / (s + 8) for s in (scores[hit.id] for hit in found)])


def test_like_leaves_the_record_itself_out(catalogue: Catalogue) -> None:
    record = next(record for record, codes in catalogue.codes.items() if codes.text)
    result = catalogue.searcher.search(catalogue.index, SearchRequest(like=record, size=300, k=300))
    assert record not in {hit.id for hit in result.hits}
    assert result.encoded_by == "record"


def test_filters_by_text_number_and_whole_title(catalogue: Catalogue) -> None:
    searcher, cluster = catalogue.searcher, catalogue.searcher.cluster
    for filters in ((("subjects", "cat"),), (("year", "1905"),), (("title", "cat"), ("language", "eng"))):
        result = searcher.search(catalogue.index, SearchRequest(text="cat dog", filters=filters, size=300, k=300))
        assert 0 < result.total < RECORDS
        for hit in result.hits:
            source = cluster.request("GET", f"/{catalogue.index}/_doc/{hit.id}")["_source"]
            assert all(value in str(source[field]) for field, value in filters)


REFUSED = {
    "no record": (
        SearchRequest(like="gone"),
        "index test-search has no record 'gone'; give the id of one that it holds",
    ),
    "no field": (
        SearchRequest(text="a", filters=(("languages", "eng"),)),
        "cannot filter by 'languages': no such field in the index; near it are: language",
    ),
    "no number": (SearchRequest(text="a", filters=(("year", "MCM"),)), "a filter's value does not fit its field: "),
    "words": (SearchRequest(text=" ".join(f"w{n}" for n in range(700))), "the text has too many words for this index"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_the_caller_must_change(catalogue: Catalogue, name: str) -> None:
    request, message = REFUSED[name]
    with pytest.raises(RequestError) as refused:
        catalogue.searcher.search(catalogue.index, request)
    assert str(refused.value).startswith(message)


def test_a_record_without_codes_is_like_nothing(catalogue: Catalogue) -> None:
    bare = next(record for record, codes in catalogue.codes.items() if not codes.parts)
    with pytest.raises(RequestError) as refused:
        catalogue.searcher.search(catalogue.index, SearchRequest(like=bare))
    assert str(refused.value).startswith(f"record {bare!r} has no codes yet; run `crosshatch update test-search`")


def test_indices_that_cannot_be_searched(catalogue: Catalogue, index: Callable[..., str]) -> None:
    with pytest.raises(UnknownIndexError):
        catalogue.searcher.search("nowhere", SearchRequest(text="cat"))
    with pytest.raises(NotAttachedError):
        catalogue.searcher.search(index(), SearchRequest(text="cat"))


def test_a_bundle_that_was_changed_since_is_refused(catalogue: Catalogue) -> None:
    other = replace(catalogue.card, digest="e" * 64)
    with pytest.raises(BundleError) as refused:
        replace(catalogue.searcher, find=lambda *_, **__: other).search(catalogue.index, SearchRequest(text="cat"))
    assert "was encoded with fake ffffffffffff, but fake is now eeeeeeeeeeee" in str(refused.value)


def test_lost_scripts_are_stored_again(catalogue: Catalogue) -> None:
    cluster = catalogue.searcher.cluster
    for script in ("crosshatch-score-1", "crosshatch-distance-1"):
        cluster.request("DELETE", f"/_scripts/{script}")
    for request in (SearchRequest(text="cat"), SearchRequest(image=b"1", k=3)):
        assert catalogue.searcher.search(catalogue.index, request).total


@pytest.mark.parametrize(
    "text", ['"', "a AND (", "\\", "*", "\x00", "𝔘" * 2000, "<script>", "cat:"], ids=lambda text: ascii(text[:9])
)
def test_no_text_breaks_a_search(catalogue: Catalogue, text: str) -> None:
    result = catalogue.searcher.search(catalogue.index, SearchRequest(text=text))
    assert result.total >= 100  # the similar ones, whatever the words are


def test_printed_requests_give_the_same_hits(catalogue: Catalogue) -> None:
    searcher, cluster = catalogue.searcher, catalogue.searcher.cluster
    request = SearchRequest(text="cat", k=20, size=300)
    searched = searcher.prepare(catalogue.index, request).plan
    printed = json.loads(printable(cluster, searched))
    last = printed["requests"][-1]
    path, _, params = last["path"].partition("?")
    answer = cluster.request(last["method"], path, params=dict([params.split("=")]), body=last["body"])
    result = searcher.search(catalogue.index, request)
    assert [hit["_id"] for hit in answer["hits"]["hits"]] == [hit.id for hit in result.hits]
    assert answer["hits"]["total"]["value"] == result.total


def test_records_with_odd_contents_are_found_all_the_same(cluster: Cluster, catalogue: Catalogue) -> None:
    odd = {
        "half a surrogate": b'{"title": "ghost \\ud83d title"}',
        "control": b'{"title": "ghost \\u0000\\u001b[2J"}',
        "number": b'{"title": 1E400}',
        "list": b'{"title": ["ghost", null, "ghost"]}',
        "not ours": b'{"title": "ghost", "crosshatch": {"s": {"text": null, "image": [], "more": 1}}}',
    }
    try:
        for record, document in odd.items():
            path = f"/{catalogue.index}/_doc/{record.replace(' ', '%20')}"
            cluster.request("PUT", path, params={"refresh": "true"}, body=document)
        result = catalogue.searcher.search(catalogue.index, SearchRequest(text="ghost", weight=0, k=1))
        found = {hit.id: hit.title for hit in result.hits}
        assert found.keys() >= odd.keys() - {"number"}
        assert found["list"] == "ghost; ghost"
    finally:
        query = {"query": {"ids": {"values": list(odd)}}}
        cluster.request("POST", f"/{catalogue.index}/_delete_by_query", params={"refresh": "true"}, body=query)


def test_without_ids_in_memory_the_message_names_the_setting(cluster: Cluster, catalogue: Catalogue) -> None:
    def allow(value: bool | None) -> None:
        body = {"persistent": {"indices.id_field_data.enabled": value}}
        cluster.request("PUT", "/_cluster/settings", body=body)

    allow(False)
    try:
        with pytest.raises(EngineRefused) as refused:
            catalogue.searcher.search(catalogue.index, SearchRequest(text="cat"))
    finally:
        allow(None)
    assert "set indices.id_field_data.enabled to true" in str(refused.value)
