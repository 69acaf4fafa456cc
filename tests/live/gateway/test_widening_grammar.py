"""Our reading of query strings beside the engine's own: it takes what we take, and searches for the same words."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from integration.engine.client import Cluster
from integration.gateway.widening.strings import Atom, Unsure, lucene, simple

MAPPING = {"free": {"type": "text", "analyzer": "whitespace"}, "branch": {"type": "text", "analyzer": "whitespace"}}
PIECES = (
    "cat", "sea", "dog", " ", " ", " ", "\n", " AND ", " OR ", " NOT ", "+", "-", "!", "(", ")", '"', '"cat sea"',
    "branch:", "branch:(", "_exists_:branch ", "*", "?", "~", "~1", "~0.5", "^2", "^0.5", ">", "\\", "\\:",
    "[1 TO 2]", "{1 TO 2}", "/x/", "&&", "||", "AND", ":", "x-y", "|",
)  # fmt: skip
strings = st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join)
TERM = re.compile(r"\b(free|branch):(\"[^\"]*\"|[^\s()]+)")


@pytest.fixture(scope="module")
def read_by_engine(cluster: Cluster) -> Any:
    """How the engine reads a query: None where it refuses it, else the terms of each field."""
    cluster.request("PUT", "/test-grammar", body={"mappings": {"properties": MAPPING}})

    def read(query: Any) -> set[tuple[str, str]] | None:
        body = {"query": query}
        answer = cluster.request("POST", "/test-grammar/_validate/query", params={"explain": "true"}, body=body)
        if not answer["valid"]:
            return None
        said = answer["explanations"][0]["explanation"]
        return {(field, word) for field, words in TERM.findall(said) for word in words.strip('"').split()}

    yield read
    cluster.request("DELETE", "/test-grammar")


def check(query: Any, split: Callable[[str], list[Atom]], read: Any) -> None:
    """Words with a letter are the same on both sides, but in fields where we say that there is more than words."""
    [body] = query.values()
    try:
        atoms = split(body["query"])
    except Unsure:
        return
    found = read(query)
    assert found is not None, "the engine refuses what we take"
    hypothesis.assume(not re.search(r"\\[\s()\"]", body["query"]))  # the engine's explanation is ambiguous then
    more = {one.field for one in atoms if one.text is None}
    ours = letters((one.field or "free", one.text or "") for one in atoms)
    assert {one for one in ours if one[0] not in more} == {one for one in letters(found) if one[0] not in more}


def letters(said: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Runs of letters by field: the engine's explanation writes other signs in its own way."""
    return {(field, run) for field, word in said if field in MAPPING for run in re.findall("[A-Za-z]+", word)}


@hypothesis.settings(max_examples=100, deadline=None, derandomize=True)
@hypothesis.given(strings)
def test_query_strings_mean_to_the_engine_what_we_read(read_by_engine: Any, said: str) -> None:
    check({"query_string": {"query": said, "default_field": "free"}}, lucene, read_by_engine)


@hypothesis.settings(max_examples=100, deadline=None, derandomize=True)
@hypothesis.given(strings)
def test_simple_query_strings_too(read_by_engine: Any, said: str) -> None:
    check({"simple_query_string": {"query": said, "fields": ["free"]}}, simple, read_by_engine)
