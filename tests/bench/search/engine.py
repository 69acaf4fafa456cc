"""Ways in the engine: BM25 alone, the shipped exact plan, bands and ElasticHash by hand, and the seam for other plans.

A plan is a function from connection, index, query and size to the numbers of the records that it finds, best first.
It may send several requests; what it does before and after them counts as its time. To measure another plan, write
such a function (of this package, so that it can be sent to the clients' processes) and list it in `ways`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from integration.engine.client import Cluster
from integration.search.asking import answered
from integration.search.bands import bands_plan
from integration.search.plan import SearchPlan, plan, words_query
from integration.search.request import SearchRequest
from mappings.bands import REACH, Reach
from mappings.scripts import Pair, score_script
from tests.bench.search import terms
from tests.bench.search.bands import BandsLayout
from tests.bench.search.collection import Collection, Query
from tests.bench.search.layouts import CODE, SPACE, TABLE, TITLES, Layout, filled, number_of, target
from tests.bench.search.terms import Terms
from tests.bench.search.truth import SATURATION
from tests.bench.search.ways import CODES, ENGINE, WORDS, Built, Way, fused
from tests.bench.search.wire import Wire, patient, wire

WEIGHTS = (0.2, 0.5, 0.8)
Plan = Callable[[Wire, str, Query, int], list[int]]


@dataclass(frozen=True, slots=True)
class EngineWay:
    """A plan on an index of one layout at `url`."""

    name: str
    answers: str
    url: str
    layout: Layout
    size: int
    plan: Plan
    where: str = ENGINE

    def build(self, collection: Collection) -> Built:
        """Fill the index, or find it complete."""
        cluster = patient(self.url)
        try:
            return filled(cluster, self.layout, collection)
        finally:
            cluster.close()

    def ask(self, query: Query, size: int) -> Sequence[int]:
        """Over the calling thread's own connection."""
        return self.plan(wire(self.url), self.layout.index(self.size), query, size)


def hits(to: Wire, index: str, body: Mapping[str, Any], params: Mapping[str, str] | None = None) -> list[int]:
    """The records that one search finds."""
    answer = to.request("POST", f"/{index}/_search", params=params, body=body)
    return [number_of(hit["_id"]) for hit in answer["hits"]["hits"]]


def words(to: Wire, index: str, query: Query, size: int, *, total: bool | int = 10_000) -> list[int]:
    """BM25 alone. By default the engine counts hits up to 10,000 and may then skip what cannot rank."""
    body = {"query": words_query(query.text, ("title",)), "_source": ["title"], "size": size, "track_total_hits": total}
    return hits(to, index, body)


def planned(to: Wire, searched: SearchPlan) -> list[int]:
    """Every request of a plan of ours."""
    answer = answered(cast(Cluster, to), searched)
    return [number_of(hit["_id"]) for hit in answer["hits"]["hits"]]


def exact(to: Wire, index: str, query: Query, size: int) -> list[int]:
    """The shipped exact plan by the code alone."""
    return planned(to, plan(SearchRequest(image=b"-", size=size), target(index), [("text", query.code)]))


def exact_fused(weight: float, to: Wire, index: str, query: Query, size: int) -> list[int]:
    """The shipped exact plan by words and code: the `k` most similar, then both sides together."""
    request = SearchRequest(text=query.text, size=size, weight=weight)
    return planned(to, plan(request, target(index), [("text", query.code)]))


def banded(kind: BandsLayout, reach: Reach, to: Wire, index: str, query: Query, size: int) -> list[int]:
    """The shipped bands plan by the code alone."""
    request = SearchRequest(image=b"-", size=size)
    return planned(to, bands_plan(request, kind.target(index), [("text", query.code)], reach=reach))


def banded_fused(kind: BandsLayout, weight: float, to: Wire, index: str, query: Query, size: int) -> list[int]:
    """The shipped bands plan by words and code: two lists, counted as BM25 alone is."""
    request = SearchRequest(text=query.text, size=size, weight=weight, count=False)
    return planned(to, bands_plan(request, kind.target(index), [("text", query.code)]))


def by_terms(kind: Terms, radius: int, to: Wire, index: str, query: Query, size: int) -> list[int]:
    """Candidates by terms, ranked by the stored script."""
    script = score_script([Pair(SPACE, "text", query.code, TABLE)], weight=1.0, saturation=SATURATION)
    candidates = {"bool": {"filter": [kind.query(query.code, radius)]}}
    body = {"query": {"script_score": {"query": candidates, "script": script}}, "size": size}
    return hits(to, index, {**body, "_source": False, "track_total_hits": False})


def ways(url: str, size: int) -> list[Way]:
    """All of them; BM25 alone comes first, the others are compared with it."""
    hand = [
        (f"{name}, radius {radius}", CODES, kind.layout, partial(by_terms, kind, radius))
        for name, kind in (("bands by hand 8 x 16", terms.BY_HAND), ("ElasticHash 4 x 16", terms.ELASTIC_HASH))
        for radius in (0, 1, 2)
        if kind is terms.BY_HAND or radius
    ]
    kind = BandsLayout(size)
    reaches = {"bands": REACH, "bands, one within 1 bit": Reach(1), "bands, one within 2 bits": Reach(2)}
    ours = [(name, CODES, kind.layout, partial(banded, kind, reach)) for name, reach in reaches.items()]
    both = [(f"bands fused, w {w:g}", fused(w), kind.layout, partial(banded_fused, kind, w)) for w in WEIGHTS]
    fusions = [(f"exact fused, w {w:g}", fused(w), CODE, partial(exact_fused, w)) for w in WEIGHTS]
    listed = [
        ("BM25", WORDS, TITLES, words),
        ("BM25, all hits counted", WORDS, CODE, partial(words, total=True)),
        ("exact script", CODES, CODE, exact),
        *ours,
        *hand,
        *both,
        *fusions,
    ]
    return [EngineWay(name, answers, url, layout, size, way) for name, answers, layout, way in listed]
