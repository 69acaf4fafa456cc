"""Sending jobs and waiting for them: what is lost is sent again, what fails surfaces, nobody waits for ever."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from billiard.exceptions import TimeLimitExceeded
from celery.exceptions import TaskRevokedError
from kombu.exceptions import OperationalError

from integration import dispatch, jobs, reindex, scan
from integration.counts import Counts
from integration.jobs import Job
from integration.parcels import Mode
from integration.problems import Problem
from integration.scan import Judged
from integration.settings import Settings
from integration.state import Attached, Bundle
from integration.store import CodeStore
from integration.writer import Key
from mappings.errors import (
    BrokerUnavailable,
    CrosshatchError,
    DataError,
    EngineRefused,
    EngineUnavailable,
    WorkerUnavailable,
)
from mappings.profile import TargetProfile
from tests.integration.fakes import FakeCluster
from tests.integration.farm import Farm, farm_of

KNOWN = Attached(
    "biblios", "u", "s", {"s": Bundle("b", "b", 16, "ab")}, TargetProfile(name="t", text=("a",)), "c2VjcmV0"
)
CLUSTER = FakeCluster().as_cluster()
TROUBLE = Problem("x", None, "d", True, {"record": ("no-content", "why")})
PARTLY = Problem("x", None, "d", False, {"image 0": ("picture-missing", "404")})


class Heard:
    """What whoever waits was told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.total = -1
        self.seen: list[int] = []

    def scanned(self, documents: int) -> None:
        """Not looked at."""

    def started(self, total: int, settled: int = 0) -> None:
        self.total = total

    def advanced(self, counts: Counts) -> None:
        self.seen.append(counts.documents)

    def waiting(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def farm(monkeypatch: pytest.MonkeyPatch) -> Farm:
    monkeypatch.setattr(reindex.problems, "forget_gone", lambda *_: None)  # there are no documents
    return farm_of(monkeypatch)


@pytest.fixture
def judge(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say what the scan finds."""

    def found(*verdicts: Judged) -> None:
        monkeypatch.setattr(scan, "judged", lambda *_: iter(verdicts))

    return found


def stale(count: int) -> list[Judged]:
    return [Judged(Key(f"r{n}", "r" if n % 2 else None), f"d{n}", "stale") for n in range(count)]


def run(heard: Heard | None = None, *, batch: int = 3, mode: Mode | None = None) -> Counts:
    settings = Settings(batch=batch)
    return reindex.run(CLUSTER, KNOWN, "redis://x", settings, mode or Mode(), heard or Heard())


def test_every_stale_record_is_sent_once_with_its_routing(farm: Farm, judge: Callable[..., None]) -> None:
    judge(*stale(8))
    heard = Heard()
    counts = run(heard)
    assert (counts.encoded, counts.documents, heard.total) == (8, 8, 8)
    assert [len(job.keys) for job in farm.sent] == [3, 3, 2]
    assert [key for job in farm.sent for key in job.keys] == [one.key for one in stale(8)]
    assert {(job.index, job.uuid, job.space, job.force, job.retry) for job in farm.sent} == {
        ("biblios", "u", "s", False, False)
    }
    assert len(farm.times) == 3, "every job has an id of its own"
    assert heard.seen == [8], "there was room for all of it while the scan went on"


def test_a_scan_waits_for_no_worker(farm: Farm, judge: Callable[..., None]) -> None:
    """Jobs leave while it goes on only as far as there is room: a scroll would not outlive the wait."""
    judge(*stale(40))
    farm.work = lambda job: Counts(encoded=len(job.keys)).message()
    heard = Heard()
    assert run(heard).encoded == 40
    assert heard.seen == [0, *range(3, 40, 3), 40]


def test_what_was_sent_before_a_scan_broke_off_is_counted_once(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    done: set[Key] = set()

    def work(job: Job) -> Any:
        done.update(job.keys)
        return Counts(encoded=len(job.keys)).message()

    def judged(*_: object) -> Iterator[Judged]:
        for one in stale(scan.PAGE):
            yield Judged(one.key, one.digest, "unchanged" if one.key in done else "stale")
        if not tries:
            tries.append(1)
            raise EngineUnavailable("away")
        yield Judged(Key("last"), "d", "stale")

    tries: list[int] = []
    farm.work = work
    monkeypatch.setattr(scan, "judged", judged)
    counts = run(batch=scan.PAGE)
    assert (counts.unchanged, counts.encoded) == (scan.PAGE, 1)


def test_the_queue_stays_short(farm: Farm, judge: Callable[..., None]) -> None:
    """Stopped in the middle, a run leaves few jobs behind."""
    judge(*stale(300))
    farm.workers = ["w1", "w2"]
    assert run().encoded == 300
    assert farm.most == 2 * dispatch.AHEAD


EVERYTHING = [
    Judged(Key("stale"), "d1", "stale"),
    Judged(Key("done"), "d2", "unchanged"),
    Judged(Key("partly"), "d3", "unchanged", PARTLY),
    Judged(Key("failed"), "d4", "failed", TROUBLE),
]


@pytest.mark.parametrize(
    ("mode", "sent"),
    [
        (Mode(), ["stale"]),
        (Mode(retry=True), ["stale", "partly", "failed"]),
        (Mode(force=True), ["stale", "done", "partly", "failed"]),
    ],
    ids=str,
)
def test_the_mode_says_what_is_tried_again(farm: Farm, judge: Callable[..., None], mode: Mode, sent: list[str]) -> None:
    judge(*EVERYTHING)
    counts = run(batch=10, mode=mode)
    assert [key.id for job in farm.sent for key in job.keys] == sent
    assert [(job.force, job.retry) for job in farm.sent] == [(mode.force, mode.retry)]
    assert counts.documents == 4, "what needs no worker is counted too"
    if mode == Mode():
        assert (counts.unchanged, counts.failed, counts.partial) == (2, {"no-content": 1}, {"picture-missing": 1})


def test_a_dry_run_counts_and_sends_nothing(
    farm: Farm, judge: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CodeStore, "get", lambda _, digests: dict.fromkeys(set(digests) & {"d1"}))
    judge(*EVERYTHING, *stale(1))
    counts = reindex.dry_run(CLUSTER, KNOWN, Mode(), Heard())
    assert (counts.encoded, counts.restored, counts.unchanged, counts.failed) == (1, 1, 2, {"no-content": 1})
    judge(*EVERYTHING)
    assert reindex.dry_run(CLUSTER, KNOWN, Mode(force=True), Heard()).encoded == 4
    assert farm.sent == []


def test_nothing_stale_sends_nothing(farm: Farm, judge: Callable[..., None]) -> None:
    judge()
    assert run().documents == 0
    assert farm.sent == []


def test_without_a_worker_nothing_is_begun(farm: Farm, judge: Callable[..., None]) -> None:
    judge(*stale(1))
    farm.workers = []
    with pytest.raises(WorkerUnavailable) as raised:
        run()
    assert str(raised.value) == "no worker answers; start one with `crosshatch worker`, then run this again"
    assert farm.sent == []


def test_a_lost_job_is_sent_again_and_counted_once(farm: Farm, judge: Callable[..., None]) -> None:
    """A killed worker takes its job along: nobody holds it, and it is not in the queue."""
    judge(*stale(6))
    seen: Counter[str] = Counter()

    def work(job: Job) -> Any:
        seen[job.id] += 1
        lost = job.keys[0].id == "r0" and seen[job.id] == 1
        return None if lost else Counts(encoded=len(job.keys)).message()

    farm.work = work
    heard = Heard()
    assert run(heard).encoded == 6
    assert sorted(farm.times.values()) == [1, 2]
    assert heard.said == ["3 records were lost on their way; sending them again"]
    assert farm.clock.now - 1000 < 4 * dispatch.STALL


def test_a_slow_job_is_left_alone(farm: Farm, judge: Callable[..., None]) -> None:
    """Held by a worker, or behind others in the queue: it is not lost, however long it takes."""
    judge(*stale(1))
    farm.work = lambda _: None
    answer = Counts(encoded=1).message()

    def held_until(end: float) -> Callable[[float], None]:
        def sleep(seconds: float) -> None:
            farm.clock.now += seconds
            farm.held = {"task-0"} if farm.clock.now < end / 2 else set()
            farm.waiting = set() if farm.held else {"task-0"}
            if farm.clock.now > end:
                farm.answer("task-0", answer)

        return sleep

    farm.clock.sleep = held_until(1400.0)  # type: ignore[method-assign]
    assert run().encoded == 1
    assert farm.clock.now > 1400
    assert list(farm.times.values()) == [1]


def test_one_look_that_misses_a_job_does_not_send_it_again(farm: Farm, judge: Callable[..., None]) -> None:
    """Between queue and worker a job is nowhere for a moment."""
    judge(*stale(1))
    farm.work = lambda _: None
    looks: list[float] = []

    def running(*_: object, **__: object) -> set[str]:
        looks.append(farm.clock.now)
        if len(looks) == 4:
            farm.answer("task-0", Counts(encoded=1).message())
        return set() if len(looks) % 2 else {"task-0"}

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(jobs, "running", running)
        assert run().encoded == 1
    assert len(farm.sent) == 1


def test_workers_that_come_back_in_time_are_waited_for(farm: Farm, judge: Callable[..., None]) -> None:
    judge(*stale(1))
    farm.work = lambda _: None

    def sleep(seconds: float) -> None:
        farm.clock.now += seconds
        gone = 1005 < farm.clock.now < 1500
        farm.workers = [] if gone else ["w1"]
        if farm.clock.now > 1510:
            farm.answer(f"task-{len(farm.sent) - 1}", Counts(encoded=1).message())

    farm.clock.sleep = sleep  # type: ignore[method-assign]
    heard = Heard()
    assert run(heard).encoded == 1
    assert "no worker answers; start one with `crosshatch worker`" in heard.said


def test_workers_that_stay_away_end_the_run(farm: Farm, judge: Callable[..., None]) -> None:
    judge(*stale(1))
    farm.work = lambda _: None

    def sleep(seconds: float) -> None:
        farm.clock.now += seconds
        farm.workers = []

    farm.clock.sleep = sleep  # type: ignore[method-assign]
    with pytest.raises(WorkerUnavailable, match="no worker has answered for ten minutes"):
        run()
    assert dispatch.PATIENCE < farm.clock.now - 1000 < dispatch.PATIENCE + 60


@pytest.mark.parametrize(
    ("failure", "kind", "said"),
    [
        (EngineUnavailable("down"), EngineUnavailable, "down"),
        (EngineRefused(400, "x", "y", "PUT a"), EngineRefused, "OpenSearch refused PUT a: 400 x: y"),
        (type("EngineUnavailable", (Exception,), {})("down"), EngineUnavailable, "down"),
        (TaskRevokedError("x"), DataError, "a batch was revoked; its records are as they were: run this again"),
    ],
    ids=["ours", "refusal", "by name", "revoked"],
)
def test_a_failed_job_surfaces(
    farm: Farm, judge: Callable[..., None], failure: Exception, kind: type[CrosshatchError], said: str
) -> None:
    judge(*stale(1))
    farm.work = lambda _: failure
    with pytest.raises(kind) as raised:
        run()
    assert type(raised.value) is kind
    assert str(raised.value) == said


def test_a_job_that_breaks_its_worker_does_not_end_the_run(
    farm: Farm, judge: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent again as the same job, so that workers know it; in the end its records are listed."""
    judge(*stale(6))
    listed: list[str] = []

    def give_up(_: object, __: object, keys: Sequence[Key], why: str) -> Counts:
        listed.extend([*(key.id for key in keys), why])
        return Counts(failed=Counter({"gave-up": len(keys)}))

    def work(job: Job) -> Any:
        bad = any(key.id == "r2" for key in job.keys)
        return TimeLimitExceeded(900) if bad else Counts(encoded=len(job.keys)).message()

    monkeypatch.setattr(reindex.problems, "give_up", give_up)
    farm.work = work
    counts = run()
    assert counts.documents == 6
    bad = next(job for job in farm.sent if any(key.id == "r2" for key in job.keys))
    assert counts.failed == {"gave-up": len(bad.keys)}
    assert farm.times[bad.id] == dispatch.TRIES
    assert listed == [
        *(key.id for key in bad.keys),
        "a worker gave up on a batch: TimeLimitExceeded; see the worker's log",
    ]


@pytest.mark.parametrize("back", [True, False])
def test_a_broker_that_goes_away_is_waited_for(farm: Farm, judge: Callable[..., None], *, back: bool) -> None:
    """What it forgot is sent again; where it stays away, whoever waits hears that what was written stays."""
    judge(*stale(6))
    calls: list[float] = []

    def work(job: Job) -> Any:
        calls.append(farm.clock.now)
        if len(calls) > 1 and (farm.clock.now < 1300 or not back):
            raise OperationalError("gone")
        return Counts(encoded=len(job.keys)).message()

    farm.work = work
    heard = Heard()
    if back:
        assert run(heard).encoded == 6
        assert farm.clock.now < 1310
    else:
        with pytest.raises(BrokerUnavailable) as raised:
            run(heard)
        assert str(raised.value) == (
            "the broker went away (gone); what was encoded is written: start it and run this again"
        )
        assert dispatch.PATIENCE < farm.clock.now - 1000 < dispatch.PATIENCE + 60
    assert set(heard.said) == {"the broker does not answer (gone); waiting for it"}
    assert len(heard.said) < 30


def test_a_wiped_broker_is_filled_again(farm: Farm, judge: Callable[..., None]) -> None:
    """Nobody holds the jobs any more and no answer is left."""
    judge(*stale(9))
    seen: Counter[str] = Counter()

    def work(job: Job) -> Any:
        seen[job.id] += 1
        return None if seen[job.id] == 1 else Counts(encoded=len(job.keys)).message()

    farm.work = work
    assert run().encoded == 9
    assert set(seen.values()) == {2}


def test_an_engine_that_is_away_for_a_while_ends_nothing(
    farm: Farm, judge: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that gave up is asked again, and a scan that broke off begins anew and counts nothing twice."""
    tries: list[float] = []

    def scanned(*_: object) -> Iterator[Judged]:
        tries.append(farm.clock.now)
        yield from EVERYTHING
        if len(tries) < 3:
            raise EngineUnavailable("away")

    monkeypatch.setattr(scan, "judged", scanned)
    farm.work = lambda _: EngineUnavailable("busy") if farm.clock.now < 1100 else Counts(encoded=1).message()
    heard = Heard()
    counts = run(heard)
    assert (counts.documents, counts.encoded, counts.unchanged, len(tries)) == (4, 1, 2, 3)
    assert heard.said[:2] == ["away; reading the index again"] * 2
    assert "busy; sending 1 records again" in heard.said


def test_an_engine_that_stays_away_while_it_is_read_ends_the_run(farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    def scanned(*_: object) -> Iterator[Judged]:
        yield from EVERYTHING
        raise EngineUnavailable("away")

    monkeypatch.setattr(scan, "judged", scanned)
    with pytest.raises(EngineUnavailable):
        run()
    assert dispatch.PATIENCE < farm.clock.now - 1000 < dispatch.PATIENCE + 60
