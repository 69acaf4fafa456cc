"""Every check of `attach`, from the plain answers of a cluster: when it passes, when it refuses, and what it says."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from integration import checks
from integration.checks import Check
from integration.engine.client import Cluster
from mappings.bands import space_mapping as bands_mapping
from mappings.errors import EngineRefused, UnknownIndexError
from mappings.fields import space_mapping
from mappings.profile import TargetProfile
from mappings.vectors import space_mapping as vectors_mapping

PROFILE = TargetProfile.model_validate(
    {"name": "t", "text": ["title", "creators.name"], "pictures": [{"field": "cover", "kind": "url"}]}
)
FIELDS: dict[str, Any] = {
    "title": {"type": "text", "fields": {"raw": {"type": "keyword"}}},
    "creators": {"properties": {"name": {"type": "text"}}},
    "cover": {"type": "keyword"},
}
NAMES = [
    *("catalogue-index", "writable", "takes-changes", "source-whole", "source-stored", "no-data-stream"),
    *("no-follower", "no-final-pipeline", "field-name-free", "field-limit", "profile-fits", "account-sees-all"),
    "scripts-allowed",
]


class Answers:
    """A cluster with one index; an answer that is an error is raised."""

    def __init__(
        self,
        settings: Mapping[str, Any] | None = None,
        mapping: Mapping[str, Any] | None = None,
        cluster: Mapping[str, Any] | Exception | None = None,
        stream: str | None = None,
    ) -> None:
        self.settings, self.mapping = settings or {}, {"properties": FIELDS} if mapping is None else mapping
        self.cluster, self.index = cluster or {}, {"data_stream": stream} if stream else {}

    def request(self, _: str, path: str, **__: Any) -> Any:
        if "/_update/" in path:
            raise UnknownIndexError("[require_alias] request flag is [true] and it is not an alias")
        if path != "/_cluster/settings":
            return {path.strip("/"): {"settings": self.settings, "mappings": self.mapping, **self.index}}
        if isinstance(self.cluster, Exception):
            raise self.cluster
        return self.cluster


def all_of(answers: Answers, index: str = "biblios", *, allowed: bool = False) -> list[Check]:
    here = cast(Cluster, answers)
    return list(checks.of_index(here, index, "s_1", PROFILE, allow_final_pipeline=allowed))


def refused(answers: Answers, index: str = "biblios", *, allowed: bool = False) -> dict[str, str]:
    found = all_of(answers, index, allowed=allowed)
    assert all(check.why and check.do for check in found if not check.ok)
    return {check.name: check.why for check in found if not check.ok}


def test_an_ordinary_index_passes_everything() -> None:
    found = all_of(Answers())
    assert [check.name for check in found] == NAMES
    assert [check.name for check in found if not check.ok] == []


@pytest.mark.parametrize(
    ("settings", "name", "why"),
    [
        ({"index.blocks.read_only": "true"}, "writable", "blocked by index.blocks.read_only"),
        ({"index.blocks.write": True, "index.blocks.read_only_allow_delete": "true"}, "writable",
         "blocked by index.blocks.read_only_allow_delete, index.blocks.write"),
        ({"index.store.type": "remote_snapshot"}, "writable", "blocked by a searchable snapshot"),
        ({"index.store.type": "snapshot"}, "writable", "blocked by a searchable snapshot"),
        ({"index.blocks.search_only": "true"}, "writable", "blocked by index.blocks.search_only"),
        ({"index.verified_before_close": "true"}, "writable", "blocked by being closed"),
        ({"index.append_only.enabled": "true"}, "takes-changes", "index.append_only.enabled is true"),
        ({"index.mode": "time_series"}, "takes-changes", "index.mode is time_series"),
        ({"index.mode": "logsdb"}, "takes-changes", "index.mode is logsdb"),
        ({"index.mapping.source.mode": "synthetic"}, "source-stored", "_source is synthetic"),
        ({"index.mapping.source.mode": "disabled"}, "source-stored", "_source is disabled"),
        ({"index.derived_source.enabled": "true"}, "source-stored", "_source is derived from doc values"),
        ({"index.plugins.replication.follower.leader_index": "x"}, "no-follower", "it follows another cluster's index"),
        ({"index.xpack.ccr.following_index": "true"}, "no-follower", "it follows another cluster's index"),
        ({"index.final_pipeline": "ils"}, "no-final-pipeline", "final_pipeline ils runs on every write, ours too"),
        ({"index.mapping.total_fields.limit": "9"}, "field-limit",
         "10 fields with ours, of index.mapping.total_fields.limit 9"),
    ],
)  # fmt: skip
def test_settings_that_refuse(settings: dict[str, Any], name: str, why: str) -> None:
    assert refused(Answers(settings)) == {name: why}


@pytest.mark.parametrize(
    "settings",
    [
        {"index.blocks.read_only": "false", "index.blocks.write": None},
        {"index.final_pipeline": "_none"},
        {"index.final_pipeline": ""},
        {"index.default_pipeline": "ils"},
        {"index.mapping.total_fields.limit": "11"},
        {"index.store.type": "fs", "index.derived_source.enabled": "false", "index.append_only.enabled": "false"},
        {"index.mode": "standard", "index.mapping.source.mode": "stored"},
        {"index.mode": "lookup"},
    ],
    ids=str,
)
def test_settings_that_pass(settings: dict[str, Any]) -> None:
    assert refused(Answers(settings)) == {}


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ({"enabled": False}, "_source is switched off"),
        ({"excludes": ["a"]}, "_source is filtered by excludes"),
        ({"includes": ["a"], "excludes": ["b"]}, "_source is filtered by includes, excludes"),
    ],
)
def test_a_source_that_is_not_whole(source: dict[str, Any], why: str) -> None:
    assert refused(Answers(mapping={"_source": source, "properties": FIELDS})) == {"source-whole": why}
    assert refused(Answers(mapping={"_source": {"enabled": True, "excludes": []}, "properties": FIELDS})) == {}
    assert refused(Answers(mapping={"_source": {"mode": "stored"}, "properties": FIELDS})) == {}
    synthetic = Answers(mapping={"_source": {"mode": "synthetic"}, "properties": FIELDS})
    assert refused(synthetic) == {"source-stored": "_source is synthetic"}


def test_a_final_pipeline_may_be_allowed() -> None:
    assert refused(Answers({"index.final_pipeline": "ils"}), allowed=True) == {}


def test_hidden_indices_and_data_streams() -> None:
    assert refused(Answers(), ".kibana") == {"catalogue-index": ".kibana is a system or hidden index"}
    assert refused(Answers(stream="logs")) == {"no-data-stream": "it belongs to data stream logs"}


OURS = space_mapping("s_0")["properties"]["crosshatch"]
TWO = {"text": {"type": "binary"}, "image": {"type": "binary"}}


@pytest.mark.parametrize(
    ("field", "free"),
    [
        (OURS, True),
        (space_mapping("s_1")["properties"]["crosshatch"], True),
        ({"type": "keyword"}, False),
        ({"type": "object"}, False),
        ({"properties": {"pattern": {"type": "text"}}}, False),
        ({"properties": {**OURS["properties"], "pattern": {"type": "text"}}}, False),
        ({"properties": {"s_0": {"properties": TWO}}}, False),
        ({"properties": {"s_0": {"properties": {**TWO, "record": {"type": "keyword"}}}}}, False),
        ({"properties": {"s_0": {"properties": {**TWO, "record": {"properties": {}}}}}}, False),
        (
            {"properties": {"s_0": {"properties": {**TWO, "record": {"type": "binary"}, "bands": {"type": "x"}}}}},
            True,
        ),
    ],
)
def test_a_field_of_our_name_must_be_ours(field: dict[str, Any], free: bool) -> None:
    said = {} if free else {"field-name-free": "the index has a field 'crosshatch' that is not ours"}
    assert refused(Answers(mapping={"properties": {**FIELDS, "crosshatch": field}})) == said


BANDS = bands_mapping("s_0")["properties"]["_crosshatch"]
GUESSED = {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}


@pytest.mark.parametrize(
    ("field", "free"),
    [
        (BANDS, True),
        ({"type": "keyword"}, False),
        ({"properties": {**BANDS["properties"], "pattern": {"type": "text"}}}, False),
        ({"properties": {"s_0": {"properties": {"t": GUESSED, "of": GUESSED}}}}, False),
        ({"properties": {"s_0": {"properties": {"knn_text": {"type": "knn_vector"}}}}}, True),
        ({"properties": {"s_0": {"properties": {"knn_text": {"type": "knn_vector"}, "t": GUESSED}}}}, False),
        ({"properties": {"s_0": {}}}, False),
        ({"properties": {"s_0": {"properties": dict.fromkeys(["t", "i", "r"], GUESSED)}}}, False),
    ],
)
def test_the_field_of_the_bands_must_be_ours(field: dict[str, Any], free: bool) -> None:
    """The last ones are what the engine makes of copied documents, where the mapping of the copy is dynamic."""
    said = {} if free else {"field-name-free": "the index has a field '_crosshatch' that is not ours"}
    assert refused(Answers(mapping={"properties": {**FIELDS, "_crosshatch": field}})) == said


GRAPHS = vectors_mapping("s_1", 128, "lucene")


@pytest.mark.parametrize(
    ("limit", "beside"),
    [
        ("10", []),
        ("15", [bands_mapping("s_1")]),
        ("18", [GRAPHS]),
        ("21", [bands_mapping("s_1"), GRAPHS]),
    ],
)
def test_bands_and_vectors_count_as_fields(limit: str, beside: list[dict[str, Any]]) -> None:
    """Five of the catalogue's, five of the codes, two objects with three fields of the bands and six of vectors."""
    least = Answers({"index.mapping.total_fields.limit": limit})
    short = Answers({"index.mapping.total_fields.limit": str(int(limit) - 1)})
    for answers, fits in ((least, True), (short, False)):
        found = checks.of_index(
            cast(Cluster, answers), "biblios", "s_1", PROFILE, allow_final_pipeline=False, beside=beside
        )
        assert {one.name for one in found if not one.ok} == (set() if fits else {"field-limit"})


def test_a_space_that_is_there_adds_no_field() -> None:
    there = {"properties": {**FIELDS, **space_mapping("s_1")["properties"]}}
    assert refused(Answers({"index.mapping.total_fields.limit": "11"}, there)) == {}


@pytest.mark.parametrize(
    ("mapping", "fits"),
    [
        ({"properties": {"other": {"type": "text"}}}, False),
        ({"properties": {"other": {"type": "text"}}, "dynamic": "strict"}, False),
        ({"properties": {"other": {"type": "text"}}, "dynamic": "false"}, True),
        ({"properties": {"title": {"type": "text"}}}, True),
        ({"properties": {"creators.name": {"type": "text"}}}, True),
        ({"properties": {"creators": {"type": "object", "enabled": False}}}, True),
        ({"properties": {"creators": {"dynamic": "false", "properties": {"id": {"type": "keyword"}}}}}, True),
        ({"properties": {"creators": {"type": "flat_object"}}}, True),
        ({"properties": {"creators": {"type": "flattened"}}}, True),
        ({"properties": {"creators": {"properties": {"id": {"type": "keyword"}}}}}, False),
        ({"properties": {"creators": {"type": "text"}}}, False),
        ({"properties": {}}, True),
        ({}, True),
        ({"properties": {"crosshatch": OURS}}, True),
    ],
)
def test_the_wrong_profile_is_found_before_anything_is_encoded(mapping: dict[str, Any], fits: bool) -> None:
    assert ("profile-fits" not in refused(Answers(mapping=mapping))) is fits


@pytest.mark.parametrize(
    ("cluster", "why"),
    [
        ({}, None),
        ({"defaults": {"script.allowed_types": []}}, None),
        ({"defaults": {"script.allowed_types": ["inline", "stored"]}}, None),
        ({"defaults": {"script.allowed_types": ["inline"]}}, "script.allowed_types is inline"),
        ({"defaults": {"script.allowed_types": "none"}}, "script.allowed_types is none"),
        ({"defaults": {"script.allowed_types": "inline"}}, "script.allowed_types is inline"),
        ({"defaults": {"script.allowed_types": "stored"}}, None),
        ({"persistent": {"search.allow_expensive_queries": "false"}}, "search.allow_expensive_queries is false"),
        ({"persistent": {"search.allow_expensive_queries": "false"},
          "transient": {"search.allow_expensive_queries": "true"}}, None),
        (EngineRefused(403, "security_exception", "no permissions", "GET"), None),
    ],
)  # fmt: skip
def test_scripts(cluster: Any, why: str | None) -> None:
    assert refused(Answers(cluster=cluster)) == ({} if why is None else {"scripts-allowed": why})
