"""`crosshatch profile suggest` on a live engine: what it prints can be attached; broken input ends in a clear error."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from integration import attach as attaching
from integration.cli import cli
from integration.engine.client import Cluster
from integration.settings import Settings
from mappings.errors import DataError, RequestError, UnknownIndexError
from tests.live.fakes import CARD
from tests.writers import library
from tests.writers.koha import KohaWriter


@pytest.fixture
def run(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """The command, against the session's engine."""
    monkeypatch.setenv("CROSSHATCH_OPENSEARCH_URL", settings.opensearch_url or "")
    return lambda *words: CliRunner().invoke(cli, ["profile", "suggest", *words])


def test_a_proposal_is_attached(
    cluster: Cluster, settings: Settings, index: Callable[..., str], run: Callable[..., Any], tmp_path: Path
) -> None:
    name = index()
    cluster.request("DELETE", f"/{name}")
    KohaWriter(settings.opensearch_url or "", name, library.records(20)).build().stop()
    cluster.request("POST", f"/{name}/_refresh")
    file = tmp_path / "mine.yaml"
    answer = json.loads(run(name, "--json", "--out", str(file)).stdout)
    assert (answer["index"], answer["sampled"]) == (name, 20)
    assert answer["profile"]["marc"] == {"field": "marc_data", "format_field": "marc_format"}
    plan = attaching.plan(cluster, name, str(file), CARD)
    assert [check for check in plan.checks if not check.ok] == []
    again = run(name, "--out", str(file))
    assert isinstance(again.exception, RequestError)
    assert "is there already" in str(again.exception)


def test_what_cannot_be_proposed_for(cluster: Cluster, index: Callable[..., str], run: Callable[..., Any]) -> None:
    assert isinstance(run("no-such-index").exception, UnknownIndexError)
    assert isinstance(run(index()).exception, DataError)
    assert isinstance(run("test-*").exception, RequestError)
    one, other = index(), index()
    add = [{"add": {"index": name, "alias": f"{one}-both"}} for name in (one, other)]
    cluster.request("POST", "/_aliases", body={"actions": add})
    assert "stands for 2 indices" in str(run(f"{one}-both").exception)
    off = index({"mappings": {"_source": {"enabled": False}, "properties": {"title": {"type": "text"}}}})
    cluster.request("PUT", f"/{off}/_doc/1", params={"refresh": "true"}, body={"title": "a"})
    assert "_source is switched off: attach refuses this index" in run(off).stdout
