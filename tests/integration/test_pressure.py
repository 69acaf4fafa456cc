"""Heap and disk of the nodes against their limits."""

from typing import Any, cast

import pytest

from integration import pressure
from integration.engine.client import Cluster
from integration.pressure import Pressure, reached
from mappings.errors import EngineRefused

GB = 2**30
HIGH = {"defaults": {"cluster": {"routing": {"allocation": {"disk": {"watermark": {"high": "90%"}}}}}}}


class Engine:
    """A cluster of one node."""

    def __init__(self) -> None:
        self.heap, self.collections, self.free = 40, 7, 50
        self.roles = ["cluster_manager", "data"]
        self.settings: dict[str, Any] = HIGH
        self.refusal: EngineRefused | None = None
        self.asked = 0

    def request(self, _: str, path: str, **__: object) -> Any:
        self.asked += 1
        if self.refusal:
            raise self.refusal
        if path == "/_cluster/settings":
            return self.settings
        jvm = {
            "mem": {"heap_used_percent": self.heap},
            "gc": {"collectors": {"young": {"collection_count": self.collections}, "old": {"collection_count": 1}}},
        }
        disk = {"total": {"total_in_bytes": 100 * GB, "available_in_bytes": self.free * GB}}
        return {"nodes": {"n": {"name": "node-1", "roles": self.roles, "jvm": jvm, "fs": disk}}}


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    monkeypatch.setattr(pressure, "FRESH", 0.0)
    return Engine()


def watch(engine: Engine, disk_limit: float | None = None) -> Pressure:
    return Pressure(cast(Cluster, engine), 85.0, disk_limit)


def test_disk(engine: Engine) -> None:
    look = watch(engine)
    assert look.found() is None
    engine.free = 10
    assert look.found() == "the disk of node node-1 is 90 % full"
    engine.roles = ["cluster_manager", "ingest"]
    assert look.found() is None, "only data nodes hold the catalogue"
    engine.roles, engine.free = ["data_hot"], 30
    assert look.found() is None, "it heals"
    assert watch(engine, 70.0).found() == "the disk of node node-1 is 70 % full"


def test_where_disks_may_fill_only_our_own_limit_holds(engine: Engine) -> None:
    engine.free = 1
    disk = {"threshold_enabled": "false", "watermark": {"high": "90%"}}
    engine.settings = {"defaults": {"cluster": {"routing": {"allocation": {"disk": disk}}}}}
    assert watch(engine).found() is None
    assert watch(engine, 95.0).found() is not None


def test_a_setting_that_was_made_comes_before_the_default(engine: Engine) -> None:
    made = {"cluster": {"routing": {"allocation": {"disk": {"watermark": {"high": "60gb"}}}}}}
    engine.settings = {**HIGH, "persistent": made}
    assert watch(engine).found() is not None


def test_a_heap_is_full_where_the_collector_did_not_empty_it(engine: Engine) -> None:
    look = watch(engine)
    engine.heap = 85
    assert look.found() is None, "it may be garbage"
    assert look.found() is None, "no collection ran since"
    engine.collections += 1
    assert look.found() == "the heap of node node-1 is 85 % full"
    engine.heap = 84
    engine.collections += 1
    assert look.found() is None


def test_an_account_that_may_not_look_writes_all_the_same_and_asks_once(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    engine.free, engine.refusal = 0, EngineRefused(403, "security_exception", "no permissions", "GET /_nodes")
    look = watch(engine)
    assert look.found() is look.found() is None
    assert (engine.asked, len(caplog.records)) == (1, 1)


def test_an_answer_is_believed_for_a_while(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pressure, "FRESH", 60.0)
    look = watch(engine)
    for _ in range(100):
        look.found()
    assert engine.asked == 2


@pytest.mark.parametrize(
    ("limit", "free", "over"),
    [
        ("90%", 11, False),
        ("90%", 10, True),
        ("0.9", 11, False),
        ("0.9", 10, True),
        ("10gb", 11, False),
        ("10gb", 10, True),
        ("10240mb", 10, True),
        ("1TB", 99, True),
        ("10g", 11, False),
    ],
)
def test_watermarks_as_the_engine_writes_them(limit: str, free: int, over: bool) -> None:
    assert reached(limit, 100 * GB, free * GB) is over
