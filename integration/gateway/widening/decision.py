"""Whether a search may be widened at all, and where. Pure: `crosshatch widen explain` prints what stands here.

What is allowed is listed, and whatever is not passes untouched: an order of its own, a page that goes on from another,
anything that counts or picks by score. An answer of which only a part is asked for (`filter_path`) cannot be checked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from integration.gateway.positions import Path
from integration.gateway.widening.strings import Unsure
from integration.gateway.widening.words import Fields, Words, find
from integration.search.request import MAX_TEXT

_MEMBERS = {
    "query", "from", "size", "_source", "stored_fields", "docvalue_fields", "fields", "script_fields", "highlight",
    "aggs", "aggregations", "post_filter", "track_total_hits", "track_scores", "version", "seq_no_primary_term",
    "timeout", "suggest", "sort", "indices_boost", "stats",
}  # fmt: skip
_PARAMS = {
    "ignore_unavailable", "allow_no_indices", "expand_wildcards", "ignore_throttled", "routing", "preference",
    "pretty", "human", "error_trace", "rest_total_hits_as_int", "typed_keys", "track_total_hits",
    "track_scores", "from", "size", "request_cache", "timeout", "_source", "_source_includes", "_source_excludes",
    "stored_fields", "docvalue_fields", "batched_reduce_size", "max_concurrent_shard_requests",
    "pre_filter_shard_size", "search_type", "ccs_minimize_roundtrips", "version", "seq_no_primary_term",
    "allow_partial_search_results", "cancel_after_time_interval", "phase_took",
}  # fmt: skip
# they count what is found, whatever its score is
_AGGREGATIONS = {
    "terms", "rare_terms", "multi_terms", "significant_terms", "filter", "filters", "adjacency_matrix", "missing",
    "range", "date_range", "ip_range", "histogram", "date_histogram", "auto_date_histogram", "variable_width_histogram",
    "nested", "reverse_nested", "children", "parent", "global", "composite", "geohash_grid", "geotile_grid",
    "geo_distance", "min", "max", "sum", "avg", "stats", "extended_stats", "value_count", "cardinality", "percentiles",
    "percentile_ranks", "geo_bounds", "bucket_sort", "bucket_selector", "aggs", "aggregations", "meta",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Untouched:
    """Why a search passes as it came: `kind` for those who count, `reason` for people."""

    kind: str
    reason: str


def look(tree: Any, params: Mapping[str, str], fields: Fields) -> Words | Untouched:
    """The words of a search body that may be ranked anew. `params` are those of the URL."""
    if not isinstance(tree, dict):
        return Untouched("body", "the body is no object")
    hindered = _hindered(tree, params)
    if hindered is not None:
        return hindered
    try:
        words = find(tree.get("query"), fields) if "query" in tree else None
    except Unsure as unsure:
        return Untouched("unsure", f"what is searched for cannot be told with certainty: {unsure}")
    if words is None:
        return Untouched("no_words", "no words rank its hits")
    if not any(sign.isalpha() for sign in words.text):
        return Untouched("numbers", "the words are numbers, which codes say nothing about")
    if len(words.text) > MAX_TEXT:
        return Untouched("too_long", f"the words have more than {MAX_TEXT} letters")
    return words


def _hindered(tree: dict[str, Any], params: Mapping[str, str]) -> Untouched | None:
    for where, name in [("", name) for name in tree if name not in _MEMBERS] + [
        ("parameter ", name) for name in params if name not in _PARAMS
    ]:
        return Untouched("member", f"{where}[{name}] asks for what another order could change")
    if str(params.get("size", tree.get("size", 10))) == "0":
        return Untouched("size", "it asks for no hits")
    if not _by_score(tree.get("sort", [])):
        return Untouched("sort", "it has an order of its own")
    for name, body in [*_items(tree.get("aggs")), *_items(tree.get("aggregations"))]:
        kind = _odd_aggregation(body)
        if kind is not None:
            return Untouched("aggregation", f"aggregation [{name}] has [{kind}], which may pick by score")
    return None


def _by_score(sort: Any) -> bool:
    """Whether hits come by their score, the highest first."""
    first = sort if not isinstance(sort, list) else sort[0] if sort else "_score"
    if isinstance(first, dict) and len(first) == 1:
        how = first.get("_score")
        return how == "desc" or (isinstance(how, dict) and how in ({}, {"order": "desc"}))
    return bool(first == "_score")


def _odd_aggregation(body: Any) -> str | None:
    """What in an aggregation is not known to be the same in every order."""
    if not isinstance(body, dict):
        return "no object"
    for kind, said in body.items():
        if kind not in _AGGREGATIONS:
            return str(kind)
        if kind in ("aggs", "aggregations"):
            odd = next((found for _, one in _items(said) if (found := _odd_aggregation(one))), None)
            if odd is not None:
                return odd
        elif kind != "meta" and _has_script(said):
            return "script"
    return None


def _has_script(node: Any) -> bool:
    if isinstance(node, dict):
        return "script" in node or any(map(_has_script, node.values()))
    return isinstance(node, list) and any(map(_has_script, node))


def _items(node: Any) -> Iterator[tuple[str, Any]]:
    yield from node.items() if isinstance(node, dict) else ()


__all__ = ["Fields", "Path", "Untouched", "Words", "look"]
