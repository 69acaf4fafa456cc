"""What the doctor says when things are down: findings, never a traceback."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from kombu.exceptions import OperationalError
from redis.exceptions import NoPermissionError

from integration import doctor, jobs
from integration.cli.doctor import doctor as command
from integration.doctor import Finding
from integration.settings import Settings
from mappings.errors import SettingsError

DEAD = {
    "CROSSHATCH_OPENSEARCH_URL": "http://u:s3cret@127.0.0.1:1",
    "CROSSHATCH_REDIS_URL": "redis://:s3cret@127.0.0.1:1/0",
}


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing runs, and neither torch nor weights are loaded: they have tests of their own."""
    for name in [name for name in os.environ if name.startswith("CROSSHATCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "_device", lambda _: "cpu is cpu")
    monkeypatch.setattr(doctor, "_weights", lambda _: "fake")


def examined(**settings: Any) -> dict[str, Finding]:
    return {one.name: one for one in doctor.examine(Settings(**settings))}


def test_nothing_runs(tmp_path: Path) -> None:
    found = examined(data=tmp_path)
    assert {name: one.ok for name, one in found.items()} == {
        "engine": False,
        "broker": False,
        "device": True,
        "weights": True,
    }
    assert found["engine"].do == "start OpenSearch, or name it in CROSSHATCH_OPENSEARCH_URL"
    assert found["broker"].do == "start Redis, or name it in CROSSHATCH_REDIS_URL"


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_dead_addresses_end_in_1_without_password_or_traceback(
    monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    for name, value in DEAD.items():
        monkeypatch.setenv(name, value)
    ended = CliRunner().invoke(command, options)
    assert ended.exit_code == 1
    assert isinstance(ended.exception, SystemExit)
    assert "s3cret" not in ended.output
    assert "127.0.0.1:1" in ended.output.replace("\n", "")
    if options:
        answer = json.loads(ended.stdout)
        assert answer["ok"] is False
        assert [one["name"] for one in answer["findings"]] == ["engine", "broker", "device", "weights"]
        assert all(one["do"] for one in answer["findings"] if not one["ok"])


def test_a_wrong_setting_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Settings) -> str:
        raise SettingsError("CROSSHATCH_DEVICE is 'gpu'; expected auto, cpu, cuda or cuda:N")

    monkeypatch.setattr(doctor, "_device", refuse)
    found = examined()["device"]
    assert (found.ok, found.do) == (False, "set CROSSHATCH_DEVICE to auto, cpu or cuda:N")
    assert "'gpu'" in found.found


class Broker:
    """A Redis that answers a ping and lets nothing else pass."""

    def __init__(self, refusal: Exception | None) -> None:
        self.refusal = refusal

    def llen(self, _: str) -> int:
        if self.refusal:
            raise self.refusal
        return 3

    def info(self, _: str) -> dict[str, str]:
        return {"redis_version": "7.2"}

    def close(self) -> None:
        """Nothing to close."""


def workers(
    monkeypatch: pytest.MonkeyPatch, names: list[str] | Exception, refusal: Exception | None = None
) -> dict[str, Finding]:
    def live(_: object) -> list[str]:
        if isinstance(names, Exception):
            raise names
        return names

    monkeypatch.setattr(jobs, "check_broker", lambda _: Broker(refusal))
    monkeypatch.setattr(jobs, "live_workers", live)
    return examined(redis_url="redis://127.0.0.1:1/0")


def test_broker_and_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    found = workers(monkeypatch, ["w1", "w2"])
    assert found["broker"] == Finding("broker", True, "redis 7.2, 3 batches waiting")
    assert found["workers"] == Finding("workers", True, "w1, w2")
    none = workers(monkeypatch, [])["workers"]
    assert (none.ok, none.found) == (False, "none answers")
    assert none.do.startswith("start one with `crosshatch worker`")


def test_a_broker_that_forbids_or_goes_away_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not workers(monkeypatch, [], NoPermissionError("NOPERM"))["broker"].ok
    assert not workers(monkeypatch, OperationalError("gone"))["workers"].ok


class Engine:
    """A cluster that says this of itself."""

    about: dict[str, Any]

    def __init__(self, *_: object, **__: object) -> None:
        """No connection."""

    def request(self, _: str, path: str, **__: object) -> Any:
        answers: dict[str, Any] = {
            "/": self.about,
            "/_cat/plugins": [{"component": "b"}, {"component": "a"}, {"component": "a"}],
            "/_nodes/plugins": {"nodes": {"a": {"roles": ["data"], "plugins": []}}},
            "/_cluster/health": {"status": "green", "number_of_nodes": 2},
            "/_cluster/settings": {},
            "/.crosshatch-state/_search": {"hits": {"hits": []}},
        }
        return answers[path]

    def close(self) -> None:
        """Nothing to close."""


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> type[Engine]:
    monkeypatch.setattr(doctor, "Cluster", Engine)
    return Engine


@pytest.mark.parametrize(
    ("version", "ok", "found"),
    [
        ({"distribution": "opensearch", "number": "3.8.0"}, True, "opensearch 3.8.0"),
        ({"distribution": "opensearch", "number": "1.0.0"}, True, "opensearch 1.0.0"),
        ({"number": "7.10.2"}, True, "elasticsearch 7.10.2"),
        ({"number": "7.9.3"}, False, "elasticsearch 7.9.3"),
        ({"number": "6.8"}, False, "elasticsearch 6.8"),
        ({"number": "8.12.0-SNAPSHOT"}, True, "elasticsearch 8.12.0-SNAPSHOT"),
    ],
)
def test_versions(engine: type[Engine], version: dict[str, Any], ok: bool, found: str) -> None:
    engine.about = {"version": version}
    seen = examined(opensearch_url="http://127.0.0.1:1")
    assert (seen["engine"].ok, seen["engine"].found) == (ok, found)
    assert bool(seen["engine"].do) is not ok
    assert seen["plugins"].found == "a, b"
    assert seen["k-NN"].found == "not used: the plugin is not installed (none is needed)"
    assert seen["health"].found == "green, 2 nodes"


@pytest.mark.parametrize(
    "about", [{}, [], "hello", {"version": {}}, {"version": {"number": "next"}}, {"version": None}]
)
def test_something_else_answers(engine: type[Engine], about: Any) -> None:
    engine.about = about
    seen = examined(opensearch_url="http://127.0.0.1:1")
    assert not seen["engine"].ok
    assert "no OpenSearch" in seen["engine"].found
