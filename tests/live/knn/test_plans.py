"""The plans of the k-NN plugin against the exact plan, on the node with plugins."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from integration.engine.client import Cluster, part
from integration.search import knn
from integration.search.plan import SearchPlan, plan
from integration.search.request import SearchRequest
from mappings import vectors
from mappings.code import HashCode
from tests.live.knn import catalogue
from tests.live.knn.catalogue import LINEAR, NAME, TARGET, Collection, found

RARE = {"term": {"shelf": {"value": "rare"}}}
STEPS = tuple(int(similarity * 8) / 8 for similarity in LINEAR)  # many distances of one similarity
Codes = Sequence[tuple[str, HashCode]]


@pytest.fixture(scope="module")
def records(knn_cluster: Cluster) -> Iterator[Collection]:
    """The collection, indexed with codes and vectors."""
    collection = catalogue.collection()
    catalogue.create(knn_cluster)
    catalogue.add_fields(knn_cluster)
    catalogue.write(knn_cluster, collection)
    yield collection
    knn_cluster.request("DELETE", f"/{NAME}")


REQUESTS: dict[str, tuple[SearchRequest, tuple[dict[str, Any], ...]]] = {
    "code alone": (SearchRequest(image=b"x", size=10, k=50), ()),
    "second page": (SearchRequest(image=b"x", size=10, page=2, k=15), ()),
    "like a record": (SearchRequest(like="r3", image=b"x", size=20), ()),
    "words and code": (SearchRequest(text="red cat", size=30, k=20), ()),
    "mostly code": (SearchRequest(text="red cat", size=30, k=20, weight=0.9), ()),
    "on a shelf": (SearchRequest(image=b"x", size=15), (RARE,)),
    "words on a shelf": (SearchRequest(text="sea", size=15, k=10), (RARE,)),
    "similar enough": (SearchRequest(image=b"x", size=100, min_similarity=0.85), ()),
    "too much asked": (SearchRequest(image=b"x", min_similarity=1.0), ()),
}


@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.parametrize("stored", ["text", "record"])
def test_knn_score_gives_the_exact_plans_hits(
    knn_cluster: Cluster, records: Collection, name: str, stored: str
) -> None:
    request, filters = REQUESTS[name]
    request = replace(request, on=(stored,))
    for query in records.queries[:3]:
        codes = [("text", query)]
        exact = found(knn_cluster, plan(request, TARGET, codes, filters))
        assert found(knn_cluster, knn.knn_score_plan(request, TARGET, codes, filters)) == exact
        assert exact[1] or name == "too much asked"


def test_knn_score_may_choose_among_equally_similar_records(knn_cluster: Cluster, records: Collection) -> None:
    """The one difference that its docstring names: which records of one similarity stand at the last places."""
    target = replace(TARGET, tables={("text", "text"): STEPS})
    request = SearchRequest(image=b"x", size=40, k=40, on=("text",))
    for query in records.queries:
        exact, total = found(knn_cluster, plan(request, target, [("text", query)]))
        other, other_total = found(knn_cluster, knn.knn_score_plan(request, target, [("text", query)]))
        assert other_total == total
        assert [hit.score for hit in other] == [hit.score for hit in exact]
        last = exact[-1].score
        assert {hit.id for hit in other if hit.score > last} == {hit.id for hit in exact if hit.score > last}


def recall(
    cluster: Cluster,
    request: SearchRequest,
    queries: Sequence[Codes],
    filters: Sequence[dict[str, Any]] = (),
    build: Callable[..., SearchPlan] = knn.knn_plan,
) -> float:
    """The share of the exact plan's hits that the other plan has. What both have must be the same to the last bit."""
    hits = wanted = 0
    for codes in queries:
        exact, _ = found(cluster, plan(request, TARGET, codes, filters))
        other, _ = found(cluster, build(request, TARGET, codes, filters))
        truth = {hit.id: hit for hit in exact}
        assert all(hit == truth[hit.id] for hit in other if hit.id in truth)
        # a record that is as similar as the last of the exact hits could as well stand in its place
        hits += sum(hit.id in truth or hit.score >= exact[-1].score for hit in other)
        wanted += len(exact)
    return hits / wanted


def test_the_graphs_find_what_the_exact_plan_finds(knn_cluster: Cluster, records: Collection) -> None:
    """A text is compared with texts, pictures and records at once; the best pair explains the hit."""
    queries = [[("text", query)] for query in records.queries]
    assert recall(knn_cluster, SearchRequest(image=b"x", size=10, k=10), queries) >= 0.99
    assert recall(knn_cluster, SearchRequest(image=b"x", size=100, k=100), queries) >= 0.98
    assert recall(knn_cluster, SearchRequest(text="red cat", size=20, k=20, weight=0.8), queries) >= 0.99
    both = [[("text", one), ("image", other)] for one, other in zip(records.queries, records.queries[1:], strict=False)]
    assert recall(knn_cluster, SearchRequest(image=b"x", size=10, k=10), both) >= 0.99


def test_filters_hold_inside_the_walk(knn_cluster: Cluster, records: Collection) -> None:
    """Fifteen records of 1500 pass: a filter after the walk would leave next to none of them."""
    request = SearchRequest(image=b"x", size=10, k=10)
    queries = [[("text", query)] for query in records.queries]
    for codes in queries[:5]:
        hits, total = found(knn_cluster, knn.knn_plan(request, TARGET, codes, [RARE]))
        assert (len(hits), total) == (10, 10)
        assert {int(hit.id[1:]) % 100 for hit in hits} == {0}
    assert recall(knn_cluster, request, queries, [RARE]) >= 0.99


def test_the_nearest_picture_is_told(knn_cluster: Cluster, records: Collection) -> None:
    """Each of the first pictures is found by its own code, also in a record that has more of them than vectors."""
    request = SearchRequest(image=b"x", size=5, k=5, on=("image",))
    several = {record: codes for record, codes in records.codes.items() if len(codes.image) > vectors.PICTURES}
    for record, codes in list(several.items())[:5]:
        for number, code in codes.image[: vectors.PICTURES]:
            hits, _ = found(knn_cluster, knn.knn_plan(request, TARGET, [("image", code)]))
            first = next(hit for hit in hits if hit.id == record)
            assert (first.distance, first.part, first.picture) == (0, "image", number)


def test_the_similar_enough_alone(knn_cluster: Cluster, records: Collection) -> None:
    request = SearchRequest(image=b"x", size=100, min_similarity=0.85)
    for query in records.queries[:5]:
        hits, _ = found(knn_cluster, knn.knn_plan(request, TARGET, [("text", query)]))
        assert hits
        assert all(hit.similarity is not None and hit.similarity >= 0.85 for hit in hits)


def test_documents_keep_their_bytes(knn_cluster: Cluster, records: Collection) -> None:
    knn_cluster.request("POST", f"/{part(NAME)}/_flush", params={"force": "true"})
    for record in ("r0", "r7", "r1499"):
        answer = knn_cluster.raw("GET", f"/{part(NAME)}/_doc/{record}")
        assert b'"_source":' + records.documents[record] in answer
