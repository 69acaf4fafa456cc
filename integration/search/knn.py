"""The k-NN plugin as a source of candidates, without any input or output: what is mapped, written and asked for.

Two plans, both in two steps like the exact one: the plugin finds candidates, our stored script scores them, so that
distance, part, picture and similarity are the exact plan's own.

`knn` walks a graph (HNSW) over binary vectors: `_crosshatch.<space>.knn_text` and its like, where the administrator
asked for them. They lie in the object of the bands, whose name no pattern of a catalogue's fields meets. A vector has
to be numbers in the document: the plugin reads no base64 and derives it from no other field. A field takes one a
document, so each of the first few pictures has a field of its own. (Nested objects would hold them all, but from the
first one on the engine adds a clause to every query of the catalogue.)

`knn-score` needs no vectors: the plugin's script `knn_score` (space `hammingbit`) reads the codes of `text` or `record`
themselves. Not those of `image`: it looks at one value a document, and at all of its bits, the picture number's too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

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
from mappings import bands
from mappings.code import HashCode, check_bits
from mappings.errors import RequestError
from mappings.fields import PARTS, StoredCodes, field_name
from mappings.scripts import Pair
from mappings.weighted import WeightedCode

ENGINES = ("lucene", "faiss")
# both can be given only when an index is made. A derived source would take the vectors out of `_source` and write all
# of it anew on every read: 813.50 would come back as 813.5
SETTINGS = {"index.knn": "true", "index.knn.derived_source.enabled": "false"}
EXPLORED = 256  # candidates that a walk through the graph keeps in view, where k is not larger
LINKS = 16  # neighbours a node of the graph has
BUILT = 100  # candidates in view while a node is linked
PICTURES = 4  # of a record that have a vector; those after them are found by another part or plan


def names(part: str) -> list[str]:
    """Names of a part's vectors."""
    return [f"knn_image_{number}" for number in range(PICTURES)] if part == "image" else [f"knn_{part}"]


def vector_field(space: str, name: str) -> str:
    """Full name of the field that holds the vectors of this name."""
    return f"{bands.OBJECT}.{space}.{name}"


def mapping(space: str, bits: int, engine: str, parts: Sequence[str] = PARTS) -> dict[str, Any]:
    """Body for `PUT <index>/_mapping`: adds the vectors of `parts` to a space. Raises RequestError, CodeLengthError."""
    if engine not in ENGINES:
        raise RequestError(f"no engine {engine!r} for binary vectors; there are: {', '.join(ENGINES)}")
    method = {"name": "hnsw", "engine": engine, "parameters": {"m": LINKS, "ef_construction": BUILT}}
    vector = {"type": "knn_vector", "dimension": check_bits(bits), "data_type": "binary", "space_type": "hamming"}
    fields = {name: {**vector, "method": method} for part in parts for name in names(part)}
    inner = {"dynamic": False, "properties": fields}
    return {"properties": {bands.OBJECT: {"dynamic": False, "properties": {space: inner}}}}


def members(codes: StoredCodes, parts: Sequence[str] = PARTS) -> dict[str, list[int]]:
    """JSON members for the space's object in `bands.OBJECT`; parts without a code are left out."""
    images = [code for _, code in codes.image]
    held: dict[str, list[HashCode | None]] = {"text": [codes.text], "image": [*images], "record": [codes.record]}
    return {
        name: vector(code)
        for part in parts
        for name, code in zip(names(part), held[part], strict=False)  # pictures beyond the last field have none
        if code
    }


def vector(code: HashCode) -> list[int]:
    """A code as the plugin takes it: its bytes as numbers from -128 to 127."""
    return [byte - 256 if byte > 127 else byte for byte in code.packed]


def refusal(settings: Mapping[str, Any]) -> str | None:
    """Why an index with these settings (flat) can hold no vectors of ours, and what to do; None where it can."""
    on = str(settings.get("index.knn", "false")).lower() == "true"
    derived = str(settings.get("index.knn.derived_source.enabled", "true" if on else "false")).lower() == "true"
    if on and not derived:
        return None
    said = "index.knn is not true" if not on else "index.knn.derived_source.enabled is not false"
    wanted = " and ".join(f"{name}: {value}" for name, value in SETTINGS.items())
    return (
        f"{said}, and no request can change it once the index is made; let the index be made with {wanted} "
        "(`crosshatch reindex --beside`, or the library system's own index settings)"
    )


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
    asked = {"vector": vector(pair.code), "k": k, "filter": allowed, "method_parameters": {"ef_search": explored}}
    return [{"knn": {vector_field(pair.space, name): asked}} for name in names(pair.part)]


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
