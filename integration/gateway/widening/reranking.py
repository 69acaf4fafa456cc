"""A search body whose own matches are ranked by words and codes together. Pure.

The query that holds the words is wrapped, unchanged, where it stands: what matches, what is counted and what is marked
stays what it was, and only scores are others.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from integration.gateway.positions import Path
from integration.gateway.rewriting import replaced
from integration.gateway.sides import check_same_weights
from integration.search.plan import Body, Target, pairs_of
from integration.search.scoring import scored
from mappings.code import HashCode
from mappings.errors import RequestError
from mappings.scripts import Pair, score_script

Codes = Mapping[str, Sequence[tuple[str, HashCode]]]  # (query part, code) by space


def script_for(targets: Sequence[Target], codes: Codes) -> dict[str, Any]:
    """The score for these indices.

    Raises RequestError where the indices have different numbers, codes have no say, or nothing can be compared.
    """
    numbers = {(target.weight, target.saturation) for target in targets}
    if len(numbers) != 1:
        raise RequestError("the indices that are searched have different weights; search them one by one")
    [(weight, saturation)] = numbers
    if weight <= 0:
        raise RequestError("the weight of the codes is 0 in the index's settings")
    check_same_weights(targets, {})
    return score_script(pairs_for(targets, codes), weight=weight, saturation=saturation)


def pairs_for(targets: Sequence[Target], codes: Codes) -> list[Pair]:
    """What is compared: the codes of each space with what is stored there."""
    spaces = {target.space: target for target in targets}
    return [pair for space, target in spaces.items() for pair in pairs_of(target, scored(codes[space], "symmetric"))]


def at(tree: Body, path: Path) -> Any:
    """The query at `path`."""
    query: Any = tree
    for step in path:
        query = query[step]
    return query


def reranked(tree: Body, path: Path, script: Mapping[str, Any], query: Body | None = None) -> Body:
    """`tree` with the query at `path`, or `query` in its place, ranked by `script`."""
    wrapped = at(tree, path) if query is None else query
    made: Body = replaced(tree, path, {"script_score": {"query": wrapped, "script": dict(script)}})
    marks = tree.get("highlight")
    if isinstance(marks, dict) and "highlight_query" not in marks:
        made["highlight"] = {**marks, "highlight_query": tree["query"]}  # as it marked before
    return made
