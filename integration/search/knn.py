"""The k-NN plugin as a source of candidates, without any input or output: what is asked for.

Two plans, both in two steps like the exact one: the plugin finds candidates, our stored script scores them, so that
distance, part, picture and similarity are the exact plan's own.

`knn` walks graphs (HNSW) over binary vectors, where the administrator asked for them (mappings/vectors.py).

`knn-score` needs no vectors: the plugin's script `knn_score` (space `hammingbit`) reads the codes of `text` or `record`
themselves. Not those of `image`: it looks at one value a document, and at all of its bits, the picture number's too.
"""

from collections.abc import Sequence
from dataclasses import replace

from integration.search.abilities import Abilities
from integration.search.plan import (
    Body,
    SearchPlan,
    Target,
    found_by,
    least_similar,
    most_similar,
    pairs_of,
    plan,
)
from integration.search.request import SearchRequest
from mappings import vectors
from mappings.code import HashCode
from mappings.errors import RequestError
from mappings.fields import PARTS, field_name
from mappings.scripts import Pair
from mappings.weighted import WeightedCode

EXPLORED = 256  # candidates that a walk through the graph keeps in view, where k is not larger


def check_able(name: str, targets: Sequence[Target], able: Abilities) -> None:
    """Pass where the plan `name` can search all these. Raises RequestError telling what is missing, and what to do."""
    why = able.no_knn_score if name == "knn-score" else "" if able.knn else able.knn_why
    if why:
        raise RequestError(f"the plan {name} needs OpenSearch's k-NN plugin: {why}; take another plan, or `auto`")
    without = next((one for one in targets if not one.vectors), None)
    if name == "knn" and without:
        raise RequestError(
            f"space {without.space} of index {without.index} has no vectors for the k-NN plugin; take another plan, or "
            f"run `crosshatch plans add {without.index} knn`"
        )


def check_comparable(pairs: Sequence[Pair]) -> None:
    """Pass where `knn_score` can compare these: one unweighted code with one value a document. Raises RequestError."""
    if len(pairs) > 1 or pairs[0].part == "image":
        raise RequestError(
            "the plan knn-score compares one code with one of the parts text and record; this query compares "
            f"{', '.join(f'a code with {pair.part}' for pair in pairs)}: give `on` text or record and one text or "
            "picture, or take another plan"
        )
    if isinstance(pairs[0].code, WeightedCode):
        raise RequestError(
            "the plan knn-score finds candidates by the number of bits that differ; asymmetric scoring weighs them: "
            "leave scoring symmetric, or take another plan"
        )


def knn_plan(
    request: SearchRequest,
    target: Target,
    codes: Sequence[tuple[str, HashCode]],
    filters: Sequence[Body] = (),
    *,
    parts: Sequence[str] = PARTS,
    explored: int = EXPLORED,
) -> SearchPlan:
    """The exact plan, whose similar side looks only at the nearest of each pair's graph: k of every shard.

    `parts` are those with vectors in the index. Raises RequestError where a pair's part has none.
    """
    pairs = pairs_of(target, codes, request.on, request.part_weights)
    if missing := sorted({pair.part for pair in pairs} - set(parts)):
        raise RequestError(
            f"space {target.space} has no binary vectors of {', '.join(missing)} in index {target.index}; "
            "search with another plan, or add them"
        )
    exact = plan(request, target, codes, filters)
    k = most_similar(request, target)
    query = narrowed(exact.similar["query"], pairs, k, explored)
    return exact.among("knn", {**exact.similar, "query": query})


def knn_score_plan(
    request: SearchRequest,
    target: Target,
    codes: Sequence[tuple[str, HashCode]],
    filters: Sequence[Body] = (),
) -> SearchPlan:
    """The exact plan, whose candidates `knn_score` finds. Raises RequestError where it cannot say which they are.

    It ranks by distance. Where a calibration gives several distances the same similarity, the records at the k-th
    place may be others than the exact plan's, equally similar ones.
    """
    pairs = pairs_of(target, codes, request.on, request.part_weights)
    check_comparable(pairs)
    exact = plan(request, target, codes, filters)
    allowed = exact.similar["query"]["script_score"]["query"]
    candidates = found_by(hammingbit(pairs[0], allowed, least_similar(request, target)), most_similar(request, target))
    fused = exact.fused if exact.candidates is not None else {**exact.fused, "query": _open(exact.fused["query"])}
    return replace(exact, name="knn-score", candidates=candidates, fused=fused)


def narrowed(query: Body, pairs: Sequence[Pair], k: int, explored: int = EXPLORED) -> Body:
    """A script_score over what is similar, whose inner query only lets the nearest of each pair pass."""
    scored = query["script_score"]
    inner = scored["query"]
    near = {"bool": {"should": [near for pair in pairs for near in _nearest(pair, k, max(k, explored), inner)]}}
    return {"script_score": {**scored, "query": {"bool": {"filter": [near]}}}}


def _nearest(pair: Pair, k: int, explored: int, allowed: Body) -> list[Body]:
    """The `k` nearest in each of a part's graphs among those that `allowed` lets pass; it filters as it goes."""
    asked = {
        "vector": vectors.vector(pair.code),
        "k": k,
        "filter": allowed,
        "method_parameters": {"ef_search": explored},
    }
    return [{"knn": {vectors.field_name(pair.space, name): asked}} for name in vectors.names(pair.part)]


def hammingbit(pair: Pair, allowed: Body, least: float) -> Body:
    """Scores 1 / (1 + distance); a record without a code scores 0 and stays out, as one that is not similar enough."""
    farthest = max((d for d, similarity in enumerate(pair.table) if similarity >= least), default=-1)
    script = {
        "source": "knn_score",
        "lang": "knn",
        "params": {
            "field": field_name(pair.space, pair.part),
            "query_value": pair.code.base64(),
            "space_type": "hammingbit",
        },
    }
    # between the score at the farthest distance and the next one's, so that no rounding decides
    return {"script_score": {"query": allowed, "script": script, "min_score": 1 / (farthest + 1.5)}}


def _open(query: Body) -> Body:
    """The query of a search without words as one that takes the candidates' ids in."""
    scored = query["script_score"]
    inner = {**scored["query"]["bool"], "should": [], "minimum_should_match": 1}
    return {"script_score": {**scored, "query": {"bool": inner}}}
