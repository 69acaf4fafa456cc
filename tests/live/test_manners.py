"""Manners against the real engine and broker: a flood stage, a full disk, one rate for all, quiet hours of a worker."""

from collections.abc import Callable
from typing import Any

import pytest
from redis import Redis

from integration import attach as attaching
from integration import encoding, manners, problems, state
from integration.engine.client import Cluster
from integration.engine.services import Services
from integration.rate import KEY, Rate
from integration.settings import Settings
from mappings.errors import EngineUnavailable, HeldBack, WriteRefused
from tests.live.fakes import CARD, FakeEncoder
from tests.live.test_writing import PROFILE, STRICT, encode, put, source

RECORDS = 5


@pytest.fixture(params=["internal", "external"])
def attached(
    request: pytest.FixtureRequest, cluster: Cluster, index: Callable[..., str], settings: Settings
) -> state.Attached:
    """An attached index of a few records."""
    file = settings.data / "manners.yaml"
    file.write_text(PROFILE.format(versioning=request.param))
    known = attaching.attach(cluster, attaching.plan(cluster, index(STRICT), str(file), CARD))
    for number in range(RECORDS):
        put(cluster, known, str(number), b'{"title":"number %d"}' % number)
    return known


def block(cluster: Cluster, known: state.Attached, name: str, value: bool | None) -> None:
    cluster.request("PUT", f"/{known.index}/_settings", body={f"index.blocks.{name}": value})


def with_codes(cluster: Cluster, known: state.Attached) -> int:
    return sum(b"crosshatch" in source(cluster, known, str(number)) for number in range(RECORDS))


def test_a_flood_stage_is_waited_for_and_a_lasting_block_is_told(
    cluster: Cluster, attached: state.Attached, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manners, "FIRST", 0.001)
    monkeypatch.setattr(encoding, "ROUNDS", 2)
    block(cluster, attached, "read_only_allow_delete", True)
    with pytest.raises(EngineUnavailable, match="too busy"):
        encode(cluster, attached, settings, FakeEncoder())
    assert list(problems.every(cluster, attached)) == [], "it heals: no record is at fault"
    block(cluster, attached, "read_only_allow_delete", None)
    block(cluster, attached, "write", True)
    with pytest.raises(WriteRefused, match="index write"):
        encode(cluster, attached, settings, FakeEncoder())
    block(cluster, attached, "write", None)
    assert with_codes(cluster, attached) == 0
    counts = encode(cluster, attached, settings, FakeEncoder())
    assert (counts.restored, counts.failed) == (RECORDS, {})
    assert with_codes(cluster, attached) == RECORDS
    assert list(problems.every(cluster, attached)) == []


def test_a_full_disk_holds_writes_back(
    cluster: Cluster, attached: state.Attached, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manners, "PATIENCE", 0.0)
    full = settings.model_copy(update={"disk_limit": 0.001})
    with pytest.raises(HeldBack, match=r"the disk of node .+ is \d+ % full; what is left is done later"):
        encode(cluster, attached, full, FakeEncoder())
    assert with_codes(cluster, attached) == 0
    assert encode(cluster, attached, settings, FakeEncoder()).encoded == RECORDS


@pytest.fixture
def broker(services: Services) -> Any:
    broker = Redis.from_url(services.broker_url, decode_responses=True)
    broker.delete(KEY)
    yield broker
    broker.delete(KEY)
    broker.close()


def test_all_workers_share_one_rate(broker: Redis) -> None:
    """Turns follow each other by documents / rate, whoever takes them; times are those of the broker."""
    one, other = Rate(broker, 0.5), Rate(broker, 0.5)
    assert one.take(10, patience=60) == 0
    assert 15 < other.take(20, patience=60) <= 20
    assert 55 < one.take(5, patience=60) <= 60
    beyond = other.take(5, patience=60)
    assert 60 < beyond <= 70
    assert other.take(5, patience=60) <= beyond, "a turn beyond the patience is not taken"


def test_a_rate_that_the_broker_lost_or_that_its_clock_left_behind_starts_anew(broker: Redis) -> None:
    rate = Rate(broker, 0.5)
    rate.take(100, patience=1)
    assert rate.take(1, patience=1) > 1
    broker.delete(KEY)
    assert rate.take(100, patience=1) == 0
    for name in ("at", "free"):  # noted an hour ahead of what the clock says now
        broker.hincrbyfloat(KEY, name, 3600)
    assert rate.take(1, patience=1) == 0
    assert 0 < broker.pttl(KEY) <= 3000, "what nobody needs goes by itself"


def test_a_job_pays_for_its_documents(
    cluster: Cluster, attached: state.Attached, settings: Settings, broker: Redis
) -> None:
    paced = manners.Manners(cluster, settings.model_copy(update={"write_rate": 0.01}), lambda: broker)
    paced.admit(RECORDS)
    with pytest.raises(HeldBack, match=r"rate of writing is used up for \d+ seconds") as held:
        paced.admit(RECORDS)
    assert 400 < held.value.seconds <= 500
