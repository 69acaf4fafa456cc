"""Which searches pass untouched, which rule counts, and what is sent in place of the others."""

import copy
from pathlib import Path
from typing import Any

import pytest

from integration.gateway.positions import Path as Place
from integration.gateway.widening.decision import Fields, Untouched, Words, look
from integration.gateway.widening.reranking import reranked, script_for
from integration.gateway.widening.rules import Rule, rule_for
from integration.search.plan import Target
from integration.settings import load
from mappings.code import HashCode
from mappings.errors import RequestError, SettingsError

FIELDS = Fields(("title",))
WORD = {"match": {"title": "cats"}}
FACETS = {"branch": {"terms": {"field": "branch"}, "aggs": {"n": {"avg": {"field": "price"}}}}}
TABLE = tuple(1 - d / 16 for d in range(17))
TARGET = Target("books", "s", {("text", "text"): TABLE, ("text", "image"): TABLE}, weight=0.25)
CODES = {"s": [("text", HashCode(16, b"\x0f\xf0"))]}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"from": 40, "size": 20, "track_total_hits": True, "aggs": FACETS, "_source": ["title"]},
        {"sort": "_score"},
        {"sort": ["_score", {"title.raw": "asc"}]},
        {"sort": [{"_score": {"order": "desc"}}], "post_filter": {"term": {"open": True}}},
        {"highlight": {"fields": {"title": {}}}, "suggest": {}},
    ],
)
def test_a_search_by_words_is_widened(more: dict[str, Any]) -> None:
    found = look({"query": WORD, **more}, {"routing": "a", "pretty": ""}, FIELDS)
    assert isinstance(found, Words)
    assert found.text == "cats"


@pytest.mark.parametrize(
    ("more", "params", "kind"),
    [
        ({"sort": [{"year": "desc"}]}, {}, "sort"),
        ({"sort": {"_score": "asc"}}, {}, "sort"),
        ({"sort": ["year", "_score"]}, {}, "sort"),
        ({"size": 0}, {}, "size"),
        ({}, {"size": "0"}, "size"),
        ({}, {"scroll": "1m"}, "member"),
        ({}, {"q": "cats"}, "member"),
        ({}, {"sort": "year"}, "member"),
        ({}, {"search_pipeline": "x"}, "member"),
        ({"collapse": {"field": "work"}}, {}, "member"),
        ({"search_after": [1]}, {}, "member"),
        ({"rescore": {}}, {}, "member"),
        ({"pit": {"id": "x"}}, {}, "member"),
        ({"min_score": 1}, {}, "member"),
        ({"explain": True}, {}, "member"),
        ({"profile": True}, {}, "member"),
        ({"terminate_after": 3}, {}, "member"),
        ({"slice": {"id": 0, "max": 2}}, {}, "member"),
        ({"ext": {}}, {}, "member"),
        ({"aggs": {"best": {"top_hits": {}}}}, {}, "aggregation"),
        ({"aggs": {"a": {"sampler": {}, "aggs": FACETS}}}, {}, "aggregation"),
        ({"aggregations": {"a": {"terms": {"field": "b"}, "aggs": {"s": {"max": {"script": "_score"}}}}}}, {},
         "aggregation"),
        ({"query": {"match_all": {}}}, {}, "no_words"),
        ({"query": {"match": {"title": "9783 16148"}}}, {}, "numbers"),
        ({"query": {"match": {"title": "a" * 5000}}}, {}, "too_long"),
        ({"query": {"query_string": {"query": "cats OR"}}}, {}, "unsure"),
    ],
)  # fmt: skip
def test_what_another_order_could_change_passes_untouched(more: Any, params: Any, kind: str) -> None:
    found = look({"query": WORD, **more}, params, FIELDS)
    assert isinstance(found, Untouched)
    assert found.kind == kind


def test_a_body_that_is_no_search_passes() -> None:
    assert isinstance(look([], {}, FIELDS), Untouched)
    assert isinstance(look({"size": 3}, {}, FIELDS), Untouched)


def test_the_clause_is_wrapped_unchanged_and_nothing_else_is_another_object() -> None:
    tree = {
        "query": {"bool": {"must": [WORD], "filter": [{"term": {"open": True}}]}},
        "aggs": FACETS, "highlight": {"fields": {"title": {}}}, "size": 3,
    }  # fmt: skip
    before = copy.deepcopy(tree)
    found = look(tree, {}, FIELDS)
    assert isinstance(found, Words)
    script = script_for([TARGET], CODES)
    made = reranked(tree, found.path, script)
    assert tree == before
    assert made == {
        "query": {
            "bool": {
                "must": [{"script_score": {"query": WORD, "script": script}}],
                "filter": [{"term": {"open": True}}],
            }
        },
        "aggs": FACETS,
        "highlight": {"fields": {"title": {}}, "highlight_query": before["query"]},
        "size": 3,
    }
    assert script["params"]["weight"] == 0.25
    assert [pair["part"] for pair in script["params"]["pairs"]] == ["text", "image"]
    assert "min_similarity" not in script["params"]


def test_a_query_for_marks_of_the_opac_s_own_stays() -> None:
    marks = {"highlight_query": {"match_all": {}}, "fields": {}}
    path: Place = ("query",)
    assert reranked({"query": WORD, "highlight": marks}, path, {})["highlight"] == marks


@pytest.mark.parametrize(
    "targets",
    [
        [TARGET, Target("b", "s", TARGET.tables, weight=0.5)],
        [Target("b", "s", TARGET.tables, weight=0.0)],
        [TARGET, Target("b", "s", TARGET.tables, weight=0.25, part_weights={"image": 0.5})],
    ],
)
def test_indices_that_disagree_or_want_no_codes_are_not_widened(targets: list[Target]) -> None:
    with pytest.raises(RequestError, match="weight"):
        script_for(targets, CODES)


RULES = [Rule("koha_authorities", "off"), Rule("koha_*", "rerank"), Rule("rdm", "shadow"), Rule("a", "rerank")]


@pytest.mark.parametrize(
    ("asked", "reached", "mode"),
    [
        ("koha_biblios", ["koha_biblios"], "rerank"),
        ("koha_authorities", ["koha_authorities"], "off"),
        ("opac", ["koha_biblios"], "rerank"),
        ("rdm", ["records-v7"], "shadow"),
        (None, ["koha_biblios"], "rerank"),
        (None, ["koha_biblios", "other"], None),
        ("koha_biblios,other", ["koha_biblios", "other"], None),
        ("koha_biblios,koha_authorities", ["koha_biblios", "koha_authorities"], None),
        ("a,rdm", ["x", "y"], None),
        ("other", ["other"], None),
        ("other", [], None),
    ],
)
def test_the_first_rule_that_fits_counts(asked: str | None, reached: list[str], mode: str | None) -> None:
    rule = rule_for(RULES, asked, reached)
    assert (rule.mode if rule else None) == mode


@pytest.mark.parametrize(
    "text",
    [
        'widen = "koha_*=rerank, rdm=shadow"',
        'widen = ["koha_*=rerank", "rdm=shadow"]',
        '[widen]\n"koha_*" = "rerank"\nrdm = "shadow"',
    ],
)
def test_rules_are_written_in_the_settings(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CROSSHATCH_WIDEN", raising=False)
    (tmp_path / "crosshatch.toml").write_text(text)
    assert load().widen == (Rule("koha_*", "rerank"), Rule("rdm", "shadow"))
    monkeypatch.setenv("CROSSHATCH_WIDEN", "x=off")
    assert list(map(str, load().widen)) == ["x=off"]


def test_a_wrong_rule_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CROSSHATCH_WIDEN", "koha_biblios=always")
    with pytest.raises(SettingsError, match=r"CROSSHATCH_WIDEN.*off, shadow, rerank"):
        load()
