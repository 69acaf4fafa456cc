"""Each thing that the engine can be put into and attach refuses; and that it really would have harmed."""

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integration import attach as attaching
from integration import state
from integration.engine.client import Cluster
from mappings.errors import AttachRefused, EngineRefused, RequestError, WriteRefused
from tests.live.fakes import CARD
from tests.live.test_writing import PROFILE

TITLE = {"properties": {"title": {"type": "text"}}}


@pytest.fixture
def profile(tmp_path: Path) -> str:
    """A profile file."""
    file = tmp_path / "test.yaml"
    file.write_text(PROFILE.format(versioning="internal"))
    return str(file)


@pytest.mark.parametrize(
    ("check", "body", "then"),
    [
        ("source-whole", {"mappings": {"_source": {"excludes": ["note"]}, **TITLE}}, None),
        ("source-whole", {"mappings": {"_source": {"includes": ["title"]}, **TITLE}}, None),
        ("source-stored", {"settings": {"index.derived_source.enabled": True},
                           "mappings": {"properties": {"title": {"type": "keyword"}}}}, None),
        ("takes-changes", {"settings": {"index.append_only.enabled": True}, "mappings": TITLE}, None),
        ("writable", {"mappings": TITLE}, ("POST", "_close", None)),
        ("writable", {"mappings": TITLE}, ("PUT", "_settings", {"index.blocks.read_only_allow_delete": True})),
        ("writable", {"mappings": TITLE}, ("PUT", "_settings", {"index.blocks.read": True})),
        ("field-name-free", {"mappings": {"properties": {**TITLE["properties"],
                             "crosshatch": {"properties": {"pattern": {"type": "text"}}}}}}, None),
    ],
)  # fmt: skip
def test_an_index_that_would_be_harmed_is_refused(
    cluster: Cluster, index: Callable[..., str], profile: str, check: str, body: Any, then: Any
) -> None:
    """The one check refuses, with what to do, and nothing was changed."""
    made = index(body)
    if then:
        cluster.request(then[0], f"/{made}/{then[1]}", body=then[2])
    try:
        plan = attaching.plan(cluster, made, profile, CARD)
        assert [one.name for one in plan.checks if not one.ok] == [check]
        with pytest.raises(AttachRefused, match=check):
            attaching.attach(cluster, plan)
        assert state.by_name(cluster, made) is None
    finally:
        if then and then[1] == "_settings":
            cluster.request("PUT", f"/{made}/_settings", body=dict.fromkeys(then[2]))


@pytest.fixture
def stream(cluster: Cluster) -> Iterator[str]:
    """A data stream."""
    name = f"stream-{uuid.uuid4().hex[:12]}"
    template = {"index_patterns": [name], "data_stream": {}, "template": {"mappings": TITLE}}
    cluster.request("PUT", f"/_index_template/{name}", body=template)
    cluster.request("PUT", f"/_data_stream/{name}")
    yield name
    cluster.request("DELETE", f"/_data_stream/{name}")
    cluster.request("DELETE", f"/_index_template/{name}")


def test_a_data_stream_is_refused_by_its_name_and_by_its_index(cluster: Cluster, stream: str, profile: str) -> None:
    """Nothing is asked that needs a right on all streams: the index itself tells."""
    backing, _ = state.concrete(cluster, stream)
    for name in (stream, backing):
        plan = attaching.plan(cluster, name, profile, CARD)
        refused = {one.name: one.why for one in plan.checks if not one.ok}
        assert refused["no-data-stream"] == f"it belongs to data stream {stream}"


def test_an_index_whose_metadata_are_blocked_cannot_even_be_looked_at(
    cluster: Cluster, index: Callable[..., str], profile: str
) -> None:
    """The error says what to lift."""
    made = index({"mappings": TITLE})
    cluster.request("PUT", f"/{made}/_settings", body={"index.blocks.metadata": True})
    try:
        with pytest.raises(WriteRefused, match="lift the block"):
            attaching.plan(cluster, made, profile, CARD)
    finally:
        cluster.request("PUT", f"/{made}/_settings", body={"index.blocks.metadata": None})


def test_an_alias_of_several_indices_is_refused(cluster: Cluster, index: Callable[..., str], profile: str) -> None:
    """Which one would be meant?"""
    names = sorted([index({"mappings": TITLE}), index({"mappings": TITLE})])
    alias = f"{names[0]}-both"
    cluster.request("POST", "/_aliases", body={"actions": [{"add": {"indices": names, "alias": alias}}]})
    with pytest.raises(RequestError, match=f"{alias} stands for 2 indices \\({names[0]}, {names[1]}\\)"):
        attaching.plan(cluster, alias, profile, CARD)


def test_append_only_indices_do_refuse_what_we_would_send(cluster: Cluster, index: Callable[..., str]) -> None:
    """The reason for the check: the engine takes no document in the place of another."""
    made = index({"settings": {"index.append_only.enabled": True}, "mappings": TITLE})
    with pytest.raises(EngineRefused):
        cluster.request("PUT", f"/{made}/_doc/1", params={"version": 1, "version_type": "external_gte"}, body=b"{}")
