"""Which API a request is for: the engine's own reading of paths, methods and query strings."""

import pytest

from integration.gateway.calls import Call, read


@pytest.mark.parametrize(
    ("method", "path", "kind", "index", "record"),
    [
        ("GET", b"/", "banner", None, None),
        ("POST", b"/_search", "search", None, None),
        ("GET", b"/books/_search/", "search", "books", None),
        ("POST", b"/a%2Cb*,-c/_search", "search", "a,b*,-c", None),
        ("POST", b"/%3Clogs-%7Bnow%2Fd%7D%3E/_search", "search", "<logs-{now/d}>", None),
        ("POST", b"/_all/_search", "search", "_all", None),
        ("POST", b"/books/_msearch", "msearch", "books", None),
        ("GET", b"/books/_search/template", "search_template", "books", None),
        ("POST", b"/_msearch/template", "msearch_template", None, None),
        ("POST", b"/_render/template/t1", "render_template", None, "t1"),
        ("POST", b"/books/_explain/a%2Fb", "explain", "books", "a/b"),
        ("GET", b"/_validate/query", "validate", None, None),
        ("POST", b"/_search/scroll", "scroll", None, None),
        ("DELETE", b"/_search/scroll/abc", "clear_scroll", None, "abc"),
        ("POST", b"/books/_search/point_in_time", "pit", "books", None),
        ("POST", b"/_plugins/_asynchronous_search", "async_search", None, None),
        ("POST", b"/books/_plugins/_asynchronous_search", "async_search", "books", None),
        ("POST", b"/_opendistro/_asynchronous_search", "async_search", None, None),
        ("POST", b"/books/_opendistro/_asynchronous_search", "async_search", "books", None),
        ("POST", b"/books/_doc", "doc-write", "books", None),
        ("PUT", b"/books/_doc/1", "doc-write", "books", "1"),
        ("DELETE", b"/books/_doc/1", "delete", "books", "1"),
        ("PUT", b"/books/_create/%C3%A9", "create", "books", "é"),
        ("POST", b"/books/_update/1+2", "update", "books", "1+2"),
        ("POST", b"/_bulk", "bulk", None, None),
        ("PUT", b"/books/_bulk", "bulk", "books", None),
        ("POST", b"/books/_update_by_query", "update_by_query", "books", None),
        ("POST", b"/books/_delete_by_query", "delete_by_query", "books", None),
        ("POST", b"/_aliases", "aliases", None, None),
        ("PUT", b"/books-1/_alias/books", "aliases", "books-1", "books"),
        ("PUT", b"/books", "index-create", "books", None),
        ("DELETE", b"/books", "index-delete", "books", None),
        ("PUT", b"/books/_mapping", "mapping", "books", None),
        ("POST", b"/_reindex", "reindex", None, None),
        ("POST", b"/books/_rollover", "index-change", "books", None),
        ("PUT", b"/_index_template/t", "index-template", None, "t"),
        ("POST", b"/_template/t", "index-template", None, "t"),
        ("PUT", b"/_component_template/t", "index-template", None, "t"),
        ("GET", b"/_nodes/_all/http", "nodes_http", None, "_all"),
        ("GET", b"/_nodes/http", "nodes_http", None, None),
        ("POST", b"/_crosshatch/search", "own", None, "search"),
        # what the engine takes for something else
        ("GET", b"/books/_doc/1", "other", None, None),
        ("GET", b"/books", "other", None, None),
        ("GET", b"/_cat/_search", "other", None, None),
        ("POST", b"/books/%5Fsearch", "other", None, None),
        ("DELETE", b"/books/_search", "other", None, None),
        ("POST", b"/books/_doc/_search", "doc-write", "books", "_search"),
        ("PUT", b"/_foo", "other", None, None),
    ],
)
def test_a_request_is_what_the_engine_takes_it_for(
    method: str, path: bytes, kind: str, index: str | None, record: str | None
) -> None:
    assert read(method, path) == Call(kind, index, record, {})


@pytest.mark.parametrize(
    ("path", "index"),
    [
        (b"/_search", "a,b*"),
        (b"/_msearch", "a,b*"),
        (b"/_count", "a,b*"),
        (b"/_search/template", "a,b*"),
        (b"/_plugins/_asynchronous_search", "a,b*"),
        (b"/_bulk", "a,b*"),
        (b"/books/_search", "books"),
        (b"/_reindex", None),
        (b"/_search/scroll", None),
    ],
)
def test_an_index_may_be_named_in_the_query_string_where_the_path_names_none(path: bytes, index: str | None) -> None:
    call = read("POST", path, b"index=a%2Cb*")
    assert call is not None
    assert call.index == index


@pytest.mark.parametrize(
    "path",
    [
        b"//books/_search",
        b"/books//_search",
        b"/a/../_search",
        b"/./_search",
        b"books/_search",
        b"/%ff/_search",
        b"/\xe9/_search",
    ],
)
def test_a_path_of_which_we_cannot_be_certain_is_no_call(path: bytes) -> None:
    assert read("POST", path) is None


def test_the_last_of_two_parameters_counts_as_in_the_engine() -> None:
    call = read("GET", b"/_search", b"q=a+b&size=1;size=2&pretty&x=%C3%A9")
    assert call is not None
    assert call.params == {"q": "a b", "size": "2", "pretty": "", "x": "é"}


def test_a_query_string_that_is_no_text_is_no_call() -> None:
    assert read("GET", b"/_search", b"q=%ff") is None
