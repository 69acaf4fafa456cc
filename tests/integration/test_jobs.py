"""Jobs as they travel, and a broker that does not answer."""

import json

import pytest

from integration import jobs
from integration.jobs import Job
from integration.writer import Key
from mappings.errors import BrokerUnavailable

JOB = Job("j1", "biblios", "u-1", "s_1", (Key("a/b"), Key("\U0001f40b", "r1"), Key("", "")), True, False)


def test_a_job_carries_ids_and_survives_json() -> None:
    message = json.loads(json.dumps(JOB.message()))
    assert message["keys"] == [["a/b", None], ["\U0001f40b", "r1"], ["", ""]]
    assert Job.read(message) == JOB
    assert Job.read(Job("j2", "i", "u", "s", ()).message()) == Job("j2", "i", "u", "s", ())


def test_the_queue_is_as_the_design_asks() -> None:
    """JSON only, late acknowledgement, lost workers, one job at a time, time limits, a queue of its own for queries."""
    conf = jobs.queue_app("redis://127.0.0.1:1/0").conf
    assert (conf.task_serializer, conf.result_serializer, conf.accept_content) == ("json", "json", ["json"])
    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.worker_prefetch_multiplier == 1
    assert conf.task_time_limit == jobs.HARD_LIMIT
    assert conf.broker_transport_options["visibility_timeout"] > jobs.HARD_LIMIT
    assert conf.task_routes[jobs.ENCODE_QUERY]["queue"] != conf.task_routes[jobs.ENCODE_BATCH]["queue"]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://127.0.0.1:1/0", "redis://127.0.0.1:1/0"),
        ("redis://me:secret@127.0.0.1:1/0", "127.0.0.1:1/0"),
        ("redis://:se@cret@127.0.0.1:1", "127.0.0.1:1"),
        ("redis://127.0.0.1:1/0?password=secret", "redis://127.0.0.1:1/0"),
        ("nonsense", "nonsense"),
        ("redis://:secret@127.0.0.1:port/0", "127.0.0.1:port/0"),
        ("redis://:secret/x@127.0.0.1:1", "127.0.0.1:1"),
        ("redis://:secret#x@127.0.0.1:1", "127.0.0.1:1"),
    ],
)
def test_a_broker_that_does_not_answer_is_named_without_its_password(url: str, shown: str) -> None:
    with pytest.raises(BrokerUnavailable) as raised:
        jobs.check_broker(url)
    said = str(raised.value)
    assert said.startswith(f"the broker at {shown} does not answer (")
    assert said.endswith("start one (`crosshatch engine start`) or set CROSSHATCH_REDIS_URL")
    assert "secret" not in said


class Control:
    """Answers as Celery's control does."""

    def __init__(self, *, nobody: bool = False) -> None:
        self.nobody = nobody

    def broadcast(self, *_: object, **__: object) -> list[dict[str, object]] | None:
        return None if self.nobody else [{"w1@here": {"ok": "pong"}}, {"w2@there": {"ok": "pong"}}]

    def inspect(self, **_: object) -> "Control":
        return self

    def active(self) -> dict[str, list[dict[str, object]]] | None:
        return None if self.nobody else {"w1@here": [{"id": "t1"}], "w2@there": []}

    def reserved(self) -> dict[str, list[dict[str, object]]] | None:
        return None if self.nobody else {"w1@here": [{"id": "t2"}]}

    def scheduled(self) -> dict[str, list[dict[str, object]]] | None:
        return None if self.nobody else {"w2@there": [{"eta": "soon", "request": {"id": "t3"}}]}


def test_what_workers_say(monkeypatch: pytest.MonkeyPatch) -> None:
    app = jobs.queue_app("redis://127.0.0.1:1/0")
    monkeypatch.setattr(type(app), "control", Control())
    assert jobs.live_workers(app) == ["w1@here", "w2@there"]
    assert jobs.running(app, 2) == {"t1", "t2", "t3"}
    monkeypatch.setattr(type(app), "control", Control(nobody=True))
    assert jobs.live_workers(app) == []
    assert jobs.running(app, 2) == set()
