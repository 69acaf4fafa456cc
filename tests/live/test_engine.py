"""The embedded engine and broker, for real: what they can do, how they start, stop, and die."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from integration.engine import docker, state
from integration.engine import services as engines
from integration.engine.client import Cluster
from integration.settings import Settings

ROOT = Path(__file__).parents[2]
CLI = [sys.executable, "-c", "from integration.cli import main; main()"]


def crosshatch(data: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run the command line, as a shell would, in the data folder `data`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CROSSHATCH_")}
    return subprocess.run(
        [*CLI, *words],
        env={**kept, "CROSSHATCH_DATA": str(data), "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )


def mentioning(text: str) -> list[int]:
    """Processes, other than zombies, whose command line holds `text`."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if text.encode() in (folder / "cmdline").read_bytes() and int(folder.name) != os.getpid():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def gone(text: str, seconds: float = 15) -> bool:
    """Whether every process whose command line holds `text` ends in time."""
    deadline = time.monotonic() + seconds
    while mentioning(text) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not mentioning(text)


def test_an_ingest_pipeline_changes_a_document(cluster: Cluster, index: Callable[..., str]) -> None:
    name = index()
    cluster.request("PUT", "/_ingest/pipeline/shout", body={"processors": [{"uppercase": {"field": "title"}}]})
    cluster.request("PUT", f"/{name}/_doc/1", params={"pipeline": "shout"}, body={"title": "emma"})
    assert cluster.request("GET", f"/{name}/_doc/1")["_source"] == {"title": "EMMA"}


def test_the_thai_analyzer_parts_words(cluster: Cluster, index: Callable[..., str]) -> None:
    name = index({"mappings": {"properties": {"title": {"type": "text", "analyzer": "thai"}}}})
    answer = cluster.request("POST", f"/{name}/_analyze", body={"analyzer": "thai", "text": "ห้องสมุดประชาชน"})
    assert [token["token"] for token in answer["tokens"]] == ["ห้อง", "สมุด", "ประชาชน"]


def test_a_painless_script_scores(cluster: Cluster, index: Callable[..., str]) -> None:
    name = index()
    cluster.request("PUT", f"/{name}/_doc/1", params={"refresh": "true"}, body={"n": 7})
    query = {"script_score": {"query": {"match_all": {}}, "script": {"source": "Long.bitCount(doc['n'].value)"}}}
    answer = cluster.request("POST", f"/{name}/_search", body={"query": query})
    assert answer["hits"]["hits"][0]["_score"] == 3.0


def test_the_engine_is_the_version_the_design_names_and_bound_to_loopback(
    cluster: Cluster, services: engines.Services
) -> None:
    assert services.version == cluster.request("GET", "/")["version"]["number"] == "3.8.0"
    node = next(iter(cluster.request("GET", "/_nodes/_local")["nodes"].values()))
    assert sorted(node["roles"]) == ["cluster_manager", "data", "ingest"]
    addresses = [*node["http"]["bound_address"], *node["transport_address"].split(",")]
    assert all(address.startswith("127.0.0.1:") for address in addresses)


def test_the_broker_answers_on_loopback_only_and_keeps_nothing_on_disk(services: engines.Services) -> None:
    with redis.Redis.from_url(services.broker_url) as broker:
        assert broker.config_get("bind") == {"bind": "127.0.0.1"}
        assert broker.config_get("save") == {"save": ""}
        assert broker.config_get("appendonly") == {"appendonly": "no"}


def test_start_status_and_stop_by_the_command_line(tmp_path: Path, services: engines.Services) -> None:
    """A second engine beside the session's one: other ports; its data outlive a stop and a crash."""
    first = crosshatch(tmp_path, "engine", "start", "--engine", "embedded", "--heap", "512m", "--json")
    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout)
    assert set(told) == {"url", "broker_url", "version", "data", "pid"}
    assert told["url"] != services.url
    assert told["broker_url"] != services.broker_url
    try:
        again = crosshatch(tmp_path, "engine", "start", "--json")
        assert json.loads(again.stdout) == told
        assert json.loads(crosshatch(tmp_path, "engine", "status", "--json").stdout) == told
        mine = Settings(data=tmp_path)
        assert engines.found(mine).url == told["url"]
        Cluster(told["url"]).request("PUT", "/kept/_doc/1", params={"refresh": "true"}, body={"title": "kept"})
        os.kill(told["pid"], signal.SIGKILL)
        assert gone(str(tmp_path)), "a SIGKILL of the host must take Java and Redis along"
        silent = crosshatch(tmp_path, "engine", "status", "--json")
        assert silent.returncode == 75
        assert json.loads(silent.stdout)["url"] is None
        assert "crosshatch engine start" in silent.stderr
        third = json.loads(crosshatch(tmp_path, "engine", "start", "--engine", "embedded", "--json").stdout)
        assert Cluster(third["url"]).request("GET", "/kept/_doc/1")["_source"] == {"title": "kept"}
    finally:
        stopped = crosshatch(tmp_path, "engine", "stop", "--json")
    assert json.loads(stopped.stdout) == {"stopped": True}
    assert gone(str(tmp_path), 1)
    assert json.loads(crosshatch(tmp_path, "engine", "stop", "--json").stdout) == {"stopped": False}


def test_killing_the_starter_with_sigkill_leaves_no_process(tmp_path: Path) -> None:
    """What a demo or a test run starts dies with it, whatever ends it."""
    script = (
        "import sys, time; from pathlib import Path; from integration.engine import services; "
        "from integration.settings import Settings; "
        f"settings = Settings(data=Path({str(tmp_path)!r})); "
        "print(services.start(settings, engine='embedded', heap='512m').pid, flush=True); "
        "time.sleep(600)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    )
    with parent:
        assert parent.stdout is not None
        host = int(parent.stdout.readline())
        assert host in mentioning("integration.engine.host")
        assert len(mentioning(str(tmp_path))) == 3, "the starter, the host and Redis"
        parent.kill()
    assert gone(str(tmp_path))
    assert state.holder(state.folder_of(tmp_path)) is None


def test_a_docker_engine_serves_both(tmp_path: Path) -> None:
    if reason := docker.unavailable():
        pytest.skip(reason)
    with engines.running(Settings(data=tmp_path), engine="docker") as services:
        assert services.version == "3.8.0"
        assert Cluster(services.url).request("GET", "/_cluster/health")["status"] in ("green", "yellow")
        with redis.Redis.from_url(services.broker_url) as broker:
            assert broker.ping()


def test_a_node_that_cannot_start_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    done = crosshatch(tmp_path, "engine", "start", "--engine", "embedded", "--node-setting", "no.such=1")
    assert done.returncode == 75
    assert "OpenSearch did not start" in done.stderr
    assert "no.such" in done.stderr
    assert gone(str(tmp_path), 5)


def test_node_settings_are_given(tmp_path: Path) -> None:
    """Ports that are taken are passed over (the session's engine has one); a snapshot folder works."""
    settings = {"path.repo": str(tmp_path / "snapshots")}
    with engines.running(Settings(data=tmp_path / "data"), heap="512m", node_settings=settings) as services:
        cluster = Cluster(services.url)
        body = {"type": "fs", "settings": {"location": str(tmp_path / "snapshots")}}
        assert cluster.request("PUT", "/_snapshot/local", body=body) == {"acknowledged": True}
        cluster.close()
    assert gone(str(tmp_path), 5)
