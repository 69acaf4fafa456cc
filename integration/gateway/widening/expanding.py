"""A search body that also finds what its words do not match, but whose codes are near: inside all its limits. Pure.

Two requests: the first asks for the ids of the most similar records that the limits let pass and the search does not
find; the second is the search, whose words may be missing in just these. The limits stand in both, so that a record
which was changed meanwhile, or an id that is wrong, adds nothing that the search was not allowed to find.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from integration.gateway.plans import sharing
from integration.gateway.rewriting import Found, replaced, similar_query, these
from integration.gateway.widening.relaxing import relaxed, unnamed
from integration.gateway.widening.reranking import Codes, at, pairs_for, reranked
from integration.gateway.widening.words import Fields, Words
from integration.search.plan import Body, Target, nearest_by
from mappings.errors import RequestError


@dataclass(frozen=True, slots=True)
class Expansion:
    """What may be added: `limits` hold for it where the words stand, `request` asks for its ids."""

    limits: Body
    request: Body
    k: int
    least: float


def expansion(tree: Body, words: Words, fields: Fields, targets: Sequence[Target], codes: Codes) -> Expansion:
    """What may be added to the hits of a search body.

    Raises Unsure where its words and its limits cannot be told apart, and RequestError where the indices that are
    searched have different numbers.
    """
    numbers = {(target.k, target.min_similarity) for target in targets}
    if len(numbers) != 1:
        raise RequestError("the indices that are searched have different k or min_similarity; search them one by one")
    [(k, least)] = numbers
    limits = relaxed(at(tree, words.path), fields)
    pairs = pairs_for(targets, codes)
    near = sharing(pairs, targets)
    filters = [unnamed(replaced(tree, words.path, limits)["query"]), *([near] if near else [])]
    query = similar_query(pairs, filters, [unnamed(tree["query"])], least=least)
    limited = {"timeout": tree["timeout"]} if "timeout" in tree else {}
    return Expansion(unnamed(limits), {**limited, **nearest_by(query, k)}, k, least)


def expanded(tree: Body, words: Words, script: Any, limits: Body, found: Found) -> Body:
    """`tree` that also finds the records `found`, where the `limits` hold for them, ranked by `script`."""
    added = {"bool": {"filter": [these(found), limits]}}
    either = [at(tree, words.path), {"constant_score": {"filter": added, "boost": 0}}]
    return reranked(tree, words.path, script, {"bool": {"should": either, "minimum_should_match": 1}})
