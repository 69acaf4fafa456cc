"""What is left of a query when its words are taken out: the limits that hold for whatever is added to its hits. Pure.

The query keeps its form, and words that may match become what matches everything; so the engine itself says what the
limits are, those in a query string too. Where words that must hold cannot be told from limits, nothing is added.
"""

from collections.abc import Sequence
from typing import Any

from integration.gateway.widening.strings import Atom, Unsure, lucene
from integration.gateway.widening.words import Fields, counts, find, names_of, string_of

Body = dict[str, Any]
EVERYTHING = "*:*"  # of a query string


def relaxed(query: Any, fields: Fields) -> Body:
    """`query` as it would be if its words matched every record; it is of a form that `find` reads. Raises Unsure."""
    if find(query, fields) is None:
        kept: Body = query
        return kept
    [(name, body)] = query.items()
    if name == "bool":
        return {name: _of_bool(body, fields)}
    if name == "dis_max":
        return {name: {**body, "queries": [relaxed(one, fields) for one in listed(body["queries"])]}}
    if name == "query_string":
        return {name: {**body, "query": _of_string(body, fields)}}
    words = find(query, fields)
    if words is not None and words.limits:  # negated ones, of a simple_query_string: they mean what its flags say
        raise Unsure("what is negated cannot be told from the words")
    return {"match_all": {}}


def unnamed(query: Any) -> Any:
    """`query` for a place beside the original: without names, which hits tell, and inner hits, which they show."""
    if isinstance(query, list):
        return [unnamed(one) for one in query]
    if not isinstance(query, dict):
        return query
    shown = {"_name": str, "inner_hits": dict}
    return {name: unnamed(one) for name, one in query.items() if not isinstance(one, shown.get(name, ()))}


def listed(node: Any) -> list[Any]:
    """The queries of a member that holds one or a list of them."""
    return [] if node is None else node if isinstance(node, list) else [node]


def _of_bool(body: Body, fields: Fields) -> Body:
    must, should = ([find(one, fields) for one in listed(body.get(member))] for member in ("must", "should"))
    alternatives = not any(must) and body.get("minimum_should_match") in (None, 0, 1, "0", "1")
    texts = {words.text.casefold() for words in (*must, *should) if words}
    if len(texts) > 1 and not alternatives:
        raise Unsure("of several texts that are searched for together, some may be limits")
    return {**body, **{m: [relaxed(one, fields) for one in listed(body[m])] for m in ("must", "should") if m in body}}


def _of_string(body: Body, fields: Fields) -> str:
    """The string without its words. Where some stand in no field, those in one are limits."""
    said = string_of(body)
    free = fields.takes_any(names_of(body))
    words = [one for one in lucene(said) if one.plain and counts(one, fields, free)]
    bare = [one for one in words if one.field is None]
    if not bare and len({one.field for one in words}) > 1:
        raise Unsure("of words in several fields, some may be a limit")
    return _without(said, bare or words)


def _without(said: str, words: Sequence[Atom]) -> str:
    for one in reversed(words):
        before, behind = said[: one.start], said[one.end :]
        blank = " " if behind[:1] not in ("", " ", ")") else ""  # `A"b"` are two words, `*:**:*` is nothing
        said = f"{before}{EVERYTHING}{blank}{behind}"
    return said
