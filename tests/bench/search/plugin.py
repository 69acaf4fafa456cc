"""Ways on a node with the k-NN plugin: Lucene's HNSW over binary vectors, `knn_score`, and our plans that use them.

The engine that Crosshatch starts has no plugin; this node is another version with them, laid out for tests. It runs
beside the first, and is asked in the same turns. Its plain queries return what the plugin scores; our plans let it
find candidates and score those by the stored script. Binary vectors lie in the object of the bands.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from integration.search import knn
from integration.search.plan import SearchPlan, Target
from integration.search.request import SearchRequest
from mappings import bands, vectors
from mappings.code import codes_of
from mappings.fields import OBJECT, StoredCodes, field_name, space_mapping
from tests.bench.search.collection import BITS, Packed, Query
from tests.bench.search.engine import WEIGHTS, EngineWay, hits, planned
from tests.bench.search.layouts import CODE, SPACE, Layout, target
from tests.bench.search.ways import CODES, PLUGIN, Way, fused
from tests.bench.search.wire import Wire

PARTS = ("text",)
EXPLORED = (100, 256)  # candidates that a walk keeps in view
VECTOR = vectors.field_name(SPACE, vectors.names(PARTS[0])[0])
Made = Callable[..., SearchPlan]


def members(codes: Packed) -> list[dict[str, Any]]:
    """The code as always, and as a vector."""
    stored = [StoredCodes(text=code) for code in codes_of(codes)]
    return [{OBJECT: {SPACE: one.members()}, bands.OBJECT: {SPACE: vectors.members(one, PARTS)}} for one in stored]


def properties() -> dict[str, Any]:
    """Both objects of the space."""
    return {**space_mapping(SPACE)["properties"], **vectors.space_mapping(SPACE, BITS, "lucene", PARTS)["properties"]}


VECTORS = Layout("vectors", properties(), members, vectors.SETTINGS)


def hnsw(explored: int, to: Wire, index: str, query: Query, size: int) -> list[int]:
    """The plugin's own query and score."""
    asked = {"vector": vectors.vector(query.code), "k": size, "method_parameters": {"ef_search": max(explored, size)}}
    body = {"query": {"knn": {VECTOR: asked}}, "size": size, "_source": False, "track_total_hits": False}
    return hits(to, index, body)


def hammingbit(to: Wire, index: str, query: Query, size: int) -> list[int]:
    """The plugin's script over every code: exact."""
    params = {"field": field_name(SPACE, PARTS[0]), "query_value": query.code.base64(), "space_type": "hammingbit"}
    script = {"source": "knn_score", "lang": "knn", "params": params}
    scored = {"script_score": {"query": {"match_all": {}}, "script": script}}
    return hits(to, index, {"query": scored, "size": size, "_source": False, "track_total_hits": False})


def by_code(made: Made, to: Wire, index: str, query: Query, size: int) -> list[int]:
    """A plan of ours by the code alone; `made` is `knn.knn_plan` or `knn.knn_score_plan`."""
    return planned(to, made(SearchRequest(image=b"-", size=size), target(index), [("text", query.code)]))


def by_both(made: Made, weight: float, to: Wire, index: str, query: Query, size: int) -> list[int]:
    """A plan of ours by words and code."""
    request = SearchRequest(text=query.text, size=size, weight=weight)
    return planned(to, made(request, target(index), [("text", query.code)]))


def walked(request: SearchRequest, where: Target, codes: Sequence[Any]) -> SearchPlan:
    """`knn_plan` over the one part that has vectors here."""
    return knn.knn_plan(request, where, codes, parts=PARTS)


def ways(url: str, size: int) -> list[Way]:
    """All of them, on the node at `url`."""
    listed = [
        *((f"Lucene HNSW, ef {explored}", CODES, VECTORS, partial(hnsw, explored)) for explored in EXPLORED),
        ("knn_score hammingbit", CODES, CODE, hammingbit),
        ("knn plan", CODES, VECTORS, partial(by_code, walked)),
        ("knn-score plan", CODES, CODE, partial(by_code, knn.knn_score_plan)),
        *((f"knn plan fused, w {w:g}", fused(w), VECTORS, partial(by_both, walked, w)) for w in WEIGHTS),
    ]
    return [EngineWay(name, answers, url, layout, size, way, PLUGIN) for name, answers, layout, way in listed]
