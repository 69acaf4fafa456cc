"""Where queries stand in a request's body, and which of them are `crosshatch` clauses. Pure.

Only query position counts: a field, a source filter or an aggregation called `crosshatch` is none of ours. What the
walk does not know (a query of some plugin, `wrapper`) it does not enter; the engine refuses a clause in there itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

NAME = "crosshatch"
Path = tuple[str | int, ...]
# `top`: the body's query, or `should` of bool queries up to it; `highlight`: nothing is found by it, words are marked
Role = Literal["top", "inside", "highlight", "refused"]
SEARCHES = ("search", "msearch", "async_search")
STORED = ("doc-write", "create", "update")  # documents, which hold queries where their index has percolators
_QUERIES = ("count", "validate", "explain")
_WRITES = ("delete_by_query", "update_by_query")

# the members of a compound query that hold queries, one or a list of them
_CHILDREN = {
    "bool": ("must", "should", "filter", "must_not"),
    "boosting": ("positive", "negative"),
    "constant_score": ("filter",),
    "dis_max": ("queries",),
    "function_score": ("query",),
    "has_child": ("query",),
    "has_parent": ("query",),
    "hybrid": ("queries", "filter"),
    "nested": ("query",),
    "pinned": ("organic",),
    "script_score": ("query",),
}
_INNER = ("nested", "has_child", "has_parent")  # what they find is others than the hits, and may be shown beside these


@dataclass(frozen=True, slots=True)
class Place:
    """A clause: `path` leads to the query object whose member `crosshatch` it is; `alone`: it is the only one."""

    path: Path
    role: Role
    clause: Any
    alone: bool

    @property
    def finds(self) -> bool:
        """Whether the hits of the search are found by it, or others among them."""
        return self.path[:1] == ("query",) and "inner_hits" not in self.path

    @property
    def is_of_others(self) -> bool:
        """Whether it holds for items, children or parents of the hits: the engine tells no score of it then."""
        return not set(_INNER).isdisjoint(self.path)

    def __str__(self) -> str:
        return f"{written(self.path)}.{NAME}" if self.path else NAME


def written(path: Path) -> str:
    """A path as people write it: query.bool.should[0]."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def find(tree: Any, kind: str) -> list[Place]:
    """Every `crosshatch` clause of a body of this kind of call, in the order of the body."""
    return list(_places(tree, kind)) if isinstance(tree, dict) else []


def _places(tree: dict[str, Any], kind: str) -> Iterator[Place]:
    if kind in SEARCHES:
        yield from _search(tree, ())
    elif kind in _QUERIES:
        yield from _query(tree.get("query"), ("query",), "top")
    elif kind in _WRITES:
        yield from _query(tree.get("query"), ("query",), "refused")
    elif kind == "reindex":
        source = _member(tree, "source")
        yield from _query(source.get("query"), ("source", "query"), "refused")
    elif kind == "rank_eval":
        for at, request in _items(tree.get("requests")):
            yield from _search(_member(request, "request"), ("requests", at, "request"))
    elif kind in ("aliases", "index-create", "index-change"):
        yield from _aliases(tree, ())
    elif kind == "index-template":
        yield from _aliases(tree, ())
        yield from _aliases(_member(tree, "template"), ("template",))
    elif kind in STORED:
        yield from _stored(tree, ())


def _aliases(tree: dict[str, Any], path: Path) -> Iterator[Place]:
    yield from _query(tree.get("filter"), (*path, "filter"), "refused")
    for at, action in _items(tree.get("actions")):
        yield from _query(_member(action, "add").get("filter"), (*path, "actions", at, "add", "filter"), "refused")
    for name, alias in _member(tree, "aliases").items():
        if isinstance(alias, dict):
            yield from _query(alias.get("filter"), (*path, "aliases", name, "filter"), "refused")


def _stored(tree: Any, path: Path) -> Iterator[Place]:
    """Where a document may hold a clause as a stored query: which of its fields hold queries, its mapping knows."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from list(_query(value, (*path, name), "refused")) or _stored(value, (*path, name))


def _search(tree: dict[str, Any], path: Path) -> Iterator[Place]:
    yield from _query(tree.get("query"), (*path, "query"), "top")
    yield from _query(tree.get("post_filter"), (*path, "post_filter"), "inside")
    for where, one in _one_or_many(tree.get("rescore"), (*path, "rescore")):
        rescore = _member(one, "query")
        yield from _query(rescore.get("rescore_query"), (*where, "query", "rescore_query"), "inside")
    for name in ("aggs", "aggregations"):
        yield from _aggregations(tree.get(name), (*path, name))
    for where, inner in _one_or_many(_member(tree, "collapse").get("inner_hits"), (*path, "collapse", "inner_hits")):
        yield from _shown(inner, where)
    yield from _shown(tree, path)


def _shown(hits: Any, path: Path) -> Iterator[Place]:
    """Where what shows hits, of a search or within it, holds queries."""
    if isinstance(hits, dict):
        yield from _highlight(_member(hits, "highlight"), (*path, "highlight"))
        yield from _sort(hits.get("sort"), (*path, "sort"))


def _query(node: Any, path: Path, role: Role) -> Iterator[Place]:
    """The clauses in a query object, or in a list of them."""
    for where, one in _one_or_many(node, path):
        if not isinstance(one, dict):
            continue
        if NAME in one:
            yield Place(where, role, one[NAME], len(one) == 1)
        for name, body in one.items():
            if isinstance(body, dict):
                yield from _children(name, body, (*where, name), role)


def _children(name: str, body: dict[str, Any], path: Path, role: Role) -> Iterator[Place]:
    inner: Role = "inside" if role == "top" else role
    for member in _CHILDREN.get(name, ()):
        optional = name == "bool" and member == "should"
        yield from _query(body.get(member), (*path, member), role if optional else inner)
    if name == "function_score":
        for at, function in _items(body.get("functions")):
            yield from _query(function.get("filter"), (*path, "functions", at, "filter"), inner)
    if name == "knn":
        for field, vector in body.items():
            if isinstance(vector, dict):
                yield from _query(vector.get("filter"), (*path, field, "filter"), inner)
    if name in _INNER and role != "refused":
        yield from _shown(body.get("inner_hits"), (*path, "inner_hits"))


def _aggregations(node: Any, path: Path) -> Iterator[Place]:
    if not isinstance(node, dict):
        return
    for name, one in node.items():
        if not isinstance(one, dict):
            continue
        where = (*path, name)
        yield from _query(one.get("filter"), (*where, "filter"), "inside")
        for kind in ("filters", "adjacency_matrix"):
            filters = _member(one, kind).get("filters")
            if isinstance(filters, dict):
                for key, query in filters.items():
                    yield from _query(query, (*where, kind, "filters", key), "inside")
            else:
                yield from _query(filters, (*where, kind, "filters"), "inside")
        for kind in ("significant_terms", "significant_text"):
            background = _member(one, kind).get("background_filter")
            yield from _query(background, (*where, kind, "background_filter"), "inside")
        yield from _shown(one.get("top_hits"), (*where, "top_hits"))
        for inner in ("aggs", "aggregations"):
            yield from _aggregations(one.get(inner), (*where, inner))


def _highlight(highlight: dict[str, Any], path: Path) -> Iterator[Place]:
    yield from _query(highlight.get("highlight_query"), (*path, "highlight_query"), "highlight")
    for where, one in _one_or_many(highlight.get("fields"), (*path, "fields")):
        for field, options in one.items() if isinstance(one, dict) else ():
            if isinstance(options, dict):
                yield from _query(options.get("highlight_query"), (*where, field, "highlight_query"), "highlight")


def _sort(node: Any, path: Path) -> Iterator[Place]:
    for where, one in _one_or_many(node, path):
        for field, options in one.items() if isinstance(one, dict) else ():
            nested, below = options, (*where, field)
            while isinstance(nested, dict) and isinstance(nested.get("nested"), dict):
                nested, below = nested["nested"], (*below, "nested")
                yield from _query(nested.get("filter"), (*below, "filter"), "inside")


def _one_or_many(node: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    if isinstance(node, list):
        for at, one in enumerate(node):
            yield (*path, at), one
    elif node is not None:
        yield path, node


def _items(node: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    for at, one in enumerate(node) if isinstance(node, list) else ():
        if isinstance(one, dict):
            yield at, one


def _member(node: Any, name: str) -> dict[str, Any]:
    inner = node.get(name) if isinstance(node, dict) else None
    return inner if isinstance(inner, dict) else {}
