"""Which API of the engine a request is for, read from its method and path as the engine reads them. Pure.

A literal segment is compared before it is decoded (`/%5Fsearch` is no search), a wildcard one is decoded afterwards;
trailing slashes fall away. What is not listed here is `other`: it passes through.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote_to_bytes

INDEX, ID, METRIC = "{index}", "{id}", "{metric}"
OWN = "_crosshatch"  # the first segment of our own endpoints
_READ = ("GET", "POST")
_WRITE = ("PUT", "POST")
# literal segments stand before wildcards of the same length: the first match counts
_ROUTES: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (("GET", "HEAD"), "/", "banner"),
    (_READ, "/_search", "search"),
    (_READ, "/{index}/_search", "search"),
    (_READ, "/_msearch", "msearch"),
    (_READ, "/{index}/_msearch", "msearch"),
    (_READ, "/_count", "count"),
    (_READ, "/{index}/_count", "count"),
    (_READ, "/{index}/_explain/{id}", "explain"),
    (_READ, "/_validate/query", "validate"),
    (_READ, "/{index}/_validate/query", "validate"),
    (_READ, "/_rank_eval", "rank_eval"),
    (_READ, "/{index}/_rank_eval", "rank_eval"),
    (_READ, "/_search/template", "search_template"),
    (_READ, "/{index}/_search/template", "search_template"),
    (_READ, "/_msearch/template", "msearch_template"),
    (_READ, "/{index}/_msearch/template", "msearch_template"),
    (_READ, "/_render/template", "render_template"),
    (_READ, "/_render/template/{id}", "render_template"),
    (_READ, "/_search/scroll", "scroll"),
    (("DELETE",), "/_search/scroll", "clear_scroll"),
    (_READ, "/_search/scroll/{id}", "scroll"),
    (("DELETE",), "/_search/scroll/{id}", "clear_scroll"),
    (("POST",), "/{index}/_search/point_in_time", "pit"),
    (("GET", "DELETE"), "/_search/point_in_time", "pit"),
    (("GET", "DELETE"), "/_search/point_in_time/_all", "pit"),
    (("POST",), "/_plugins/_asynchronous_search", "async_search"),
    (("POST",), "/{index}/_plugins/_asynchronous_search", "async_search"),
    (("POST",), "/_opendistro/_asynchronous_search", "async_search"),  # its old name
    (("POST",), "/{index}/_opendistro/_asynchronous_search", "async_search"),
    (("GET", "DELETE"), "/_plugins/_asynchronous_search/{id}", "async_search"),
    (("POST",), "/_bulk", "bulk"),
    (("PUT",), "/_bulk", "bulk"),
    (_WRITE, "/{index}/_bulk", "bulk"),
    (("POST",), "/_reindex", "reindex"),
    (("POST",), "/_aliases", "aliases"),
    (_WRITE, "/_alias/{id}", "aliases"),
    (_WRITE, "/_aliases/{id}", "aliases"),
    ((*_WRITE, "DELETE"), "/{index}/_alias/{id}", "aliases"),
    ((*_WRITE, "DELETE"), "/{index}/_aliases/{id}", "aliases"),
    (_WRITE, "/{index}/_alias", "aliases"),
    (_WRITE, "/{index}/_aliases", "aliases"),
    (("POST",), "/{index}/_doc", "doc-write"),
    (_WRITE, "/{index}/_doc/{id}", "doc-write"),
    (("DELETE",), "/{index}/_doc/{id}", "delete"),
    (_WRITE, "/{index}/_create/{id}", "create"),
    (("POST",), "/{index}/_update/{id}", "update"),
    (("POST",), "/{index}/_update_by_query", "update_by_query"),
    (("POST",), "/{index}/_delete_by_query", "delete_by_query"),
    (_WRITE, "/_mapping", "mapping"),
    (_WRITE, "/_mappings", "mapping"),
    (_WRITE, "/{index}/_mapping", "mapping"),
    (_WRITE, "/{index}/_mappings", "mapping"),
    (("POST",), "/{index}/_rollover", "index-change"),
    (("POST",), "/{index}/_rollover/{id}", "index-change"),
    (("POST",), "/{index}/_open", "index-change"),
    (("POST",), "/{index}/_close", "index-change"),
    (_WRITE, "/{index}/_shrink/{id}", "index-change"),
    (_WRITE, "/{index}/_split/{id}", "index-change"),
    (_WRITE, "/{index}/_clone/{id}", "index-change"),
    (_WRITE, "/_index_template/{id}", "index-template"),
    (_WRITE, "/_component_template/{id}", "index-template"),
    (_WRITE, "/_template/{id}", "index-template"),
    (("PUT",), "/{index}", "index-create"),
    (("DELETE",), "/{index}", "index-delete"),
    (("GET",), "/_nodes", "nodes_http"),
    (("GET",), "/_nodes/{metric}", "nodes_http"),  # or nodes
    (("GET",), "/_nodes/{id}/{metric}", "nodes_http"),
    (("GET",), "/_nodes/{id}/info/{metric}", "nodes_http"),
)

# where the path names no index, the engine takes it from the query string (tried)
_NAMED_IN_QUERY = {
    "search", "msearch", "count", "validate", "rank_eval", "search_template", "msearch_template", "async_search",
    "bulk",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """One request: its kind, the index expression and id of its path, decoded, and its query string.

    Of a parameter that comes twice the last counts, as in the engine. `id` is the document, scroll, template or alias
    that the path names; of kind `own`, what stands behind `/_crosshatch/`.
    """

    kind: str
    index: str | None = None
    id: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)


def read(method: str, path: bytes, query: bytes = b"") -> Call | None:
    """The call that `method` on `path` is; None where the path cannot be read with certainty: it passes untouched.

    `path` is as it came, still percent-encoded, without the query string. Empty segments, `.` and `..` are not
    resolved: the engine does not do so either.
    """
    segments = path.rstrip(b"/").split(b"/")
    if segments.pop(0) or any(part in (b"", b".", b"..") for part in segments):
        return None
    try:
        raw = [part.decode("ascii") for part in segments]
        params = _params(query)
        if raw[:1] == [OWN]:
            return Call("own", None, "/".join(map(_decoded, raw[1:])), params)
        for methods, pattern, kind in _BY_LENGTH.get(len(raw), ()):
            if method in methods and all(map(_fits, pattern, raw)):
                names = dict(zip(pattern, raw, strict=True))
                index, record = (_decoded(names[name]) if name in names else None for name in (INDEX, ID))
                if index is None and kind in _NAMED_IN_QUERY:
                    index = params.get("index") or None
                return Call(kind, index, record, params)
    except ValueError:
        return None
    return Call("other", None, None, params)


def _fits(wanted: str, came: str) -> bool:
    if wanted == INDEX:
        return not came.startswith("_") or came == "_all"
    return wanted in (ID, METRIC, came)


def _params(query: bytes) -> dict[str, str]:
    """The query string. The engine parts it at `;` too."""
    text = query.decode("ascii").replace(";", "&")
    return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=1024)) if text else {}


def _decoded(segment: str) -> str:
    return unquote_to_bytes(segment).decode()


def _by_length() -> dict[int, list[tuple[tuple[str, ...], tuple[str, ...], str]]]:
    table: dict[int, list[tuple[tuple[str, ...], tuple[str, ...], str]]] = {}
    for methods, pattern, kind in _ROUTES:
        parts = tuple(part for part in pattern.split("/") if part)
        table.setdefault(len(parts), []).append((methods, parts, kind))
    return table


_BY_LENGTH = _by_length()
