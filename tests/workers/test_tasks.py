"""The tasks without a broker: what they answer, and what they leave behind when they fail."""

import base64
import importlib
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
from celery.exceptions import Ignore

from integration import state
from integration.jobs import Job
from integration.state import Attached, Bundle
from integration.writer import Key
from mappings.errors import EngineUnavailable, HeldBack, NotAttachedError, UnknownIndexError
from mappings.profile import TargetProfile
from tests.integration.fakes import FakeCluster
from tests.live.fakes import CARD, FakeEncoder, code_of, weighted
from tests.workers.test_watch import FakeRedis

BUNDLE = Bundle(CARD.reference, CARD.name, CARD.bits, CARD.digest)
KNOWN = Attached("biblios", "uuid", "s_1", {"s_1": BUNDLE}, TargetProfile(name="t", text=("title",)), "c2VjcmV0")
JOB = Job("j1", "biblios", "uuid", "s_1", (Key("1"), Key("2")))
GONE = {"documents": 2, "encoded": 0, "restored": 0, "unchanged": 0, "failed": {"gone": 2}, "partial": {}}


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module, which reads the settings of its process when it is imported; it is forgotten afterwards."""
    before = dict(sys.modules)
    monkeypatch.setenv("CROSSHATCH_OPENSEARCH_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("CROSSHATCH_REDIS_URL", "redis://127.0.0.1:1/0")
    yield importlib.import_module("workers.tasks")
    for name in [name for name in sys.modules if name.startswith("workers.") and name not in before]:
        del sys.modules[name]


@pytest.fixture
def redis(tasks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> FakeRedis:
    redis = FakeRedis()
    monkeypatch.setattr(tasks.process, "broker", lambda: redis)
    monkeypatch.setattr(tasks.process, "cluster", lambda: FakeCluster(indices={state.STATE: {}}).as_cluster())
    return redis


def known_as(monkeypatch: pytest.MonkeyPatch, found: Attached | Exception) -> None:
    def attached(*_: object) -> Attached:
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(state, "attached", attached)


@pytest.mark.parametrize(
    "found",
    [
        NotAttachedError("x"),
        UnknownIndexError("x"),
        Attached("biblios", "another", "s_1", {"s_1": BUNDLE}, KNOWN.profile, "c2VjcmV0"),
        Attached("biblios", "uuid", "s_2", {"s_2": BUNDLE}, KNOWN.profile, "c2VjcmV0"),
        KNOWN,  # the write alias is gone
    ],
    ids=["detached", "dropped", "rebuilt", "no space", "no alias"],
)
def test_a_late_job_finds_its_records_gone(
    tasks: ModuleType, redis: FakeRedis, monkeypatch: pytest.MonkeyPatch, found: Attached | Exception
) -> None:
    known_as(monkeypatch, found)
    assert tasks.encode_batch.run(JOB.message()) == GONE


def test_a_second_delivery_of_a_job_that_ended_does_nothing(
    tasks: ModuleType, redis: FakeRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_as(monkeypatch, KNOWN)
    tasks.encode_batch.run(JOB.message())
    known_as(monkeypatch, AssertionError("it must not look"))
    assert tasks.encode_batch.run(JOB.message()) == GONE


def test_a_job_that_fails_for_a_reason_outside_it_is_no_killer(
    tasks: ModuleType, redis: FakeRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_as(monkeypatch, EngineUnavailable("down"))
    with pytest.raises(EngineUnavailable):
        tasks.encode_batch._orig_run(JOB.message())  # the body, without Celery's retrying around it
    assert redis.strings == {}


def test_a_job_that_is_held_back_goes_back_to_the_queue_and_is_no_retry(
    tasks: ModuleType, redis: FakeRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks.encode_batch, "apply_async", lambda *_, **options: sent.append(options))
    for seconds, countdown in ((7200.0, 60.0), (5.0, 5.0)):
        known_as(monkeypatch, HeldBack("quiet hours", seconds))
        tasks.encode_batch.push_request(id="t1", retries=3, kwargs={"job": JOB.message()})
        with pytest.raises(Ignore):
            tasks.encode_batch._orig_run(JOB.message())
        tasks.encode_batch.pop_request()
        again = sent.pop()
        assert (again["task_id"], again["retries"], again["countdown"]) == ("t1", 3, countdown)
        assert redis.strings == {}, "it was not killed"


def test_an_engine_that_is_down_is_tried_again(tasks: ModuleType) -> None:
    assert tasks.encode_batch.autoretry_for == (EngineUnavailable,)
    assert tasks.encode_batch.max_retries == 10
    assert tasks.encode_batch.name == "crosshatch.encode_batch"
    assert tasks.encode_query.name == "crosshatch.encode_query"
    assert (tasks.encode_query.acks_late, tasks.encode_query.time_limit) == (False, 120)  # a killer comes once
    assert tasks.encode_batch.acks_late is True


def test_a_query_is_encoded_by_part(tasks: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.process, "encoder", lambda *_: FakeEncoder())
    pictures = [base64.b64encode(data).decode() for data in (b"broken", b"a picture")]
    answer = tasks.encode_query.run("fake-128", CARD.digest, "whale", pictures)
    assert answer == {
        "codes": {"text": code_of(b"whale").base64(), "image": code_of(b"a picture").base64()},
        "weights": {
            "text": weighted(code_of(b"whale")).weights_base64(),
            "image": weighted(code_of(b"a picture")).weights_base64(),
        },
        "problem": "broken",
    }
    assert tasks.encode_query.run("fake-128", CARD.digest, None, []) == {"codes": {}, "weights": {}, "problem": None}
