"""`update --follow` against the real engine: nothing that changes is missed, whatever is lost on the way.

Workers and broker are `Hands`: jobs that are held until the test lets go of them, done by the real `BatchEncoding`.
tests/live/test_follow_processes.py has the real ones.
"""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from integration import attach as attaching
from integration import jobs, lease, lines, reattach, rollcall, spaces, state, status, switch, watermarks
from integration.cli.follow import awaited
from integration.encoding import BatchEncoding
from integration.engine.client import Cluster, part
from integration.follow import Follower
from integration.jobs import Job
from integration.lease import Lease
from integration.settings import Settings
from integration.store import today
from mappings.errors import EngineUnavailable, FollowedAlready, NotAttachedError, UnknownIndexError
from mappings.fields import StoredCodes
from tests.live.fakes import BITS, CARD, FakeEncoder, code_of
from tests.live.test_writing import NoWatch

PROFILE = "name: test\nversioning: internal\ntext: [title]\n"
SHARDS = {"settings": {"number_of_shards": 2, "number_of_replicas": 0, "refresh_interval": "-1"}}


class Hands:
    """Broker and workers: jobs lie in `held` until `work` is true."""

    def __init__(self, cluster: Cluster, settings: Settings) -> None:
        self._cluster, self._settings = cluster, settings
        self.encoder = FakeEncoder()
        self.work = True
        self.held: dict[str, Job] = {}
        self.done: list[Job] = []

    def send(self, _: object, job: Job) -> str:
        """As `jobs.send`."""
        task = f"task-{len(self.done)}-{len(self.held)}-{job.id}"
        self.held[task] = job
        return task

    def answers(self, _: object, tasks: Sequence[str]) -> dict[str, Any]:
        """As `jobs.answers`."""
        return {task: self._answer(self.held.pop(task)) for task in tasks if self.work and task in self.held}

    def _answer(self, job: Job) -> dict[str, Any]:
        self.done.append(job)
        known = state.attached(self._cluster, job.index).in_space(job.space)
        return BatchEncoding(job, known, self._cluster, lambda: self.encoder, self._settings).run(NoWatch()).message()

    @property
    def records(self) -> list[str]:
        """Ids of every record that a job was done for."""
        return [key.id for job in self.done for key in job.keys]


@pytest.fixture
def hands(cluster: Cluster, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Hands:
    """Hands in the place of broker and workers."""
    hands = Hands(cluster, settings)
    monkeypatch.setattr(jobs, "check_broker", lambda _: None)
    monkeypatch.setattr(jobs, "queued", lambda _: set(hands.held))
    monkeypatch.setattr(jobs, "live_workers", lambda *_, **__: ["w"])
    monkeypatch.setattr(jobs, "running", lambda *_, **__: set())
    monkeypatch.setattr(jobs, "send", hands.send)
    monkeypatch.setattr(jobs, "answers", hands.answers)
    return hands


@pytest.fixture
def known(cluster: Cluster, index: Callable[..., str], tmp_path: Any) -> state.Attached:
    """An attached index of two shards with 30 records; one is routed."""
    (tmp_path / "p.yaml").write_text(PROFILE)
    name = index(SHARDS)
    routing = {7: {"routing": "r"}}
    lines = [({"index": {"_id": str(n)} | routing.get(n, {})}, {"title": f"book {n}"}) for n in range(30)]
    cluster.bulk(f"/{name}", b"".join(json.dumps(line).encode() + b"\n" for pair in lines for line in pair))
    return attaching.attach(cluster, attaching.plan(cluster, name, str(tmp_path / "p.yaml"), CARD))


def write(cluster: Cluster, index: str, record: str, title: str, **params: Any) -> None:
    """Write a whole document as the catalogue does: without our field, and without a refresh."""
    cluster.request("PUT", f"/{index}/_doc/{part(record)}", params=params, body={"title": title})


def text_code(cluster: Cluster, known: state.Attached, record: str, **params: Any) -> Any:
    """The code for the text of a record; None where it has none."""
    source = json.loads(cluster.raw("GET", f"/{known.index}/_source/{part(record)}", params=params))
    members = source.get("crosshatch", {}).get(known.space)
    return StoredCodes.read(members, BITS).text if members else None


def begun(cluster: Cluster, known: state.Attached, settings: Settings, **options: bool) -> tuple[Follower, list[str]]:
    """A follower that has the lease, and what it tells."""
    told: list[str] = []
    often = settings.model_copy(update={"follow_interval": 0.1})
    follower = Follower(cluster, known.index, "redis://127.0.0.1:1/0", often, told.append, **options)
    follower.begin(lambda _: True)
    return follower, told


def until(follower: Follower, reached: Callable[[], bool]) -> None:
    """Let it follow until something holds."""
    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(min(follower.step(), 0.1))


def settled(follower: Follower) -> Callable[[], bool]:
    """Nothing is unread, unanswered or to be scanned, as of a look that comes after this call."""
    begun = time.monotonic()

    def reached() -> bool:
        now = follower.summary()
        return follower.looked > begun and not (now["stale"] or now["unread"] or now["scanning"])

    return reached


def test_what_changes_gets_its_codes_back(
    cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands
) -> None:
    """All of it is scanned once; then only what was written is read, and what is unchanged needs no model."""
    follower, told = begun(cluster, known, settings)
    until(follower, settled(follower))
    assert all(text_code(cluster, known, str(n)) == code_of(f"book {n}".encode()) for n in range(30) if n != 7)
    assert text_code(cluster, known, "7", routing="r") == code_of(b"book 7")
    assert sum("scanning all of it" in line for line in told) == 1
    until(follower, settled(follower))  # our own writes came by
    assert len(hands.records) == len(set(hands.records)) == 30
    assert len(hands.encoder.encoded) == 30
    assert rollcall.last_taken(cluster, known, known.space) == today()  # it told the code store what it met

    hands.done.clear()
    write(cluster, known.index, "3", "book 3")  # replaced whole, unchanged
    write(cluster, known.index, "4", "another book")
    cluster.request("DELETE", f"/{known.index}/_doc/5")
    write(cluster, known.index, "5", "book 5")  # deleted and made anew
    cluster.request("DELETE", f"/{known.index}/_doc/6")
    write(cluster, known.index, "new", "book 8")  # words that are known
    until(follower, settled(follower))
    assert sorted(hands.records) == ["3", "4", "5", "new"]
    assert [item.text for item in hands.encoder.encoded[30:]] == ["another book"]
    for record, title in {"3": "book 3", "4": "another book", "5": "book 5", "new": "book 8"}.items():
        assert text_code(cluster, known, record) == code_of(title.encode())
    follower.end()


def test_a_document_that_changes_while_its_job_is_in_flight(
    cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands
) -> None:
    """Finding goes on meanwhile, the watermark does not; status tells what is outstanding without a scan."""
    follower, _ = begun(cluster, known, settings)
    until(follower, settled(follower))
    assert status.of_index(cluster, known)["lag_s"] == 0.0
    hands.work = False
    write(cluster, known.index, "1", "first")
    until(follower, lambda: len(hands.held) == 1)
    before = follower.summary()["shards"]
    write(cluster, known.index, "1", "second")
    write(cluster, known.index, "2", "third")
    until(follower, lambda: {key.id for job in hands.held.values() for key in job.keys} == {"1", "2"})
    summary = follower.summary()
    assert summary["shards"] == before
    assert summary["stale"] == 3
    assert summary["lag_s"] > 0
    stands = status.of_index(cluster, known)
    assert stands["stale"] == 2
    assert stands["lag_s"] > 0
    hands.work = True
    until(follower, settled(follower))
    assert text_code(cluster, known, "1") == code_of(b"second")
    assert text_code(cluster, known, "2") == code_of(b"third")
    follower.end()
    stands = status.of_index(cluster, known)
    assert (stands["stale"], stands["lag_s"], stands["encoded"]["text"]) == (0, 0.0, 30)
    assert stands["follow"]["running"] is False
    assert stands["follow"]["last_scan"]


def test_a_follower_and_a_broker_that_die_lose_nothing(
    cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands
) -> None:
    """Killed between two sweeps, with jobs in flight that nobody ever answers; what it kept is gone on from."""
    first, _ = begun(cluster, known, settings)
    until(first, settled(first))
    hands.work = False
    write(cluster, known.index, "1", "changed")
    until(first, lambda: len(hands.held) == 1)
    first._beat()  # the last thing it kept; then it is killed
    hands.held.clear()
    hands.work = True
    write(cluster, known.index, "2", "changed while nobody looked")
    second, told = begun(cluster, known, settings)
    hands.done.clear()
    until(second, settled(second))
    assert sorted(hands.records) == ["1", "2"]
    assert not any("scanning" in line for line in told)
    assert text_code(cluster, known, "1") == code_of(b"changed")
    assert text_code(cluster, known, "2") == code_of(b"changed while nobody looked")


@pytest.mark.parametrize(
    "doctored",
    [{"history": "that of before a restore"}, {"checkpoint": 10_000}, {"judging": {}}, {"shards": {}}],
    ids=lambda change: next(iter(change)),
)
def test_watermarks_that_say_nothing_of_the_index_mean_a_full_scan(
    cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands, doctored: dict[str, Any]
) -> None:
    """What was kept is bent as a restored or rebuilt index would have it; a record changed below it is found."""
    first, _ = begun(cluster, known, settings)
    until(first, settled(first))
    write(cluster, known.index, "9", "changed below the watermark")
    until(first, lambda: first.summary()["unread"] == 0 and not hands.held)
    until(first, settled(first))
    first.end()
    kept = lease.stored(cluster, known.index)
    assert kept
    write(cluster, known.index, "9", "and again")
    after = kept["shards"] | {}
    now = {number: shard | {"checkpoint": shard["checkpoint"] + 1} for number, shard in after.items()}  # it is not seen
    bent = kept | {"shards": {n: shard | doctored for n, shard in now.items()}}
    bent |= {name: value for name, value in doctored.items() if name in kept}
    first._lease.keep(bent, last=True)
    assert status.of_index(cluster, known)["stale"] == 1
    second, told = begun(cluster, known, settings)
    until(second, settled(second))
    assert text_code(cluster, known, "9") == code_of(b"and again")
    assert any("scanning all of it" in line for line in told)
    second.end()


def test_a_record_that_failed_is_tried_again_when_it_changed(
    cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands
) -> None:
    write(cluster, known.index, "1", "poison")
    first, _ = begun(cluster, known, settings)
    until(first, settled(first))
    assert status.of_index(cluster, known)["failed"] == {"text-unreadable": 1}
    hands.done.clear()
    write(cluster, known.index, "1", "poison")
    until(first, settled(first))
    assert hands.records == []
    first.end()
    again, _ = begun(cluster, known, settings, retry=True)
    until(again, settled(again))
    assert hands.records == ["1"]
    write(cluster, known.index, "1", "cured")
    until(again, settled(again))
    assert text_code(cluster, known, "1") == code_of(b"cured")
    assert status.of_index(cluster, known)["failed"] == {}
    again.end()


def test_a_space_that_is_added_is_filled_beside(
    cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands
) -> None:
    """And both stay up to date from then on."""
    follower, told = begun(cluster, known, settings)
    until(follower, settled(follower))
    second = spaces.add(cluster, known, replace(CARD, name="other-128", digest="07e2" * 16))
    follower.hurry()
    until(follower, lambda: any("its spaces or its profile changed" in line for line in told))
    until(follower, settled(follower))
    write(cluster, known.index, "1", "changed")
    until(follower, settled(follower))
    for space in (known.space, second):
        seen = state.attached(cluster, known.index).in_space(space)
        assert status.of_index(cluster, seen)["encoded"]["text"] == 30
        assert text_code(cluster, seen, "1") == code_of(b"changed")
    follower.end()


def test_a_change_of_spaces_is_not_forgotten_with_the_write_that_fails_then(
    cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither with the process: what is kept never says that all was judged by what no scan has looked at yet."""
    follower, _ = begun(cluster, known, settings)
    until(follower, settled(follower))
    second = spaces.add(cluster, known, replace(CARD, name="other-128", digest="07e2" * 16))
    kept: list[Any] = []

    def fails(_: Lease, body: Any, **__: bool) -> None:
        kept.append(body)
        raise EngineUnavailable("the engine is away")

    with monkeypatch.context() as away:
        away.setattr(Lease, "keep", fails)
        follower.hurry()
        follower.patiently()
    seen = state.attached(cluster, known.index).in_space(second)
    shards = lines.restored(kept[0], known.uuid, watermarks.judging(seen))
    assert all(shard.scan and shard.needed for shard in shards.values())
    until(follower, settled(follower))
    assert status.of_index(cluster, seen)["encoded"]["text"] == 30
    follower.end()


def test_an_index_that_is_made_anew_is_waited_for_and_followed(
    cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands
) -> None:
    """Dropped and made again under its name: codes come back from the store, and what is new is encoded."""
    follower, told = begun(cluster, known, settings)
    until(follower, settled(follower))
    cluster.request("DELETE", f"/{known.index}")
    for _ in range(3):
        follower.hurry()
        assert follower.patiently() > 0
    assert any(line.endswith("; waiting") for line in told)
    cluster.request("PUT", f"/{known.index}", body=SHARDS)
    for number in range(20, 32):
        write(cluster, known.index, str(number), f"book {number}")
    follower.hurry()
    until(follower, settled(follower))
    again = state.attached(cluster, known.index)
    assert again.uuid != known.uuid
    assert all(text_code(cluster, again, str(n)) == code_of(f"book {n}".encode()) for n in range(20, 32))
    assert [item.text for item in hands.encoder.encoded[30:]] in (["book 30", "book 31"], ["book 31", "book 30"])
    follower.end()
    assert status.of_index(cluster, again)["follow"]["last_scan"]


def test_an_index_that_is_not_there_when_following_begins_is_waited_for(
    cluster: Cluster, known: state.Attached, index: Callable[..., str]
) -> None:
    """As in the middle of a rebuild; a name that was never attached is a mistake."""
    cluster.request("DELETE", f"/{known.index}")
    told: list[str] = []

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            if told and not cluster.exists(f"/{known.index}"):
                cluster.request("PUT", f"/{known.index}", body=SHARDS)
                write(cluster, known.index, "1", "book 1")
            return self.is_set()

    assert awaited(cluster, known.index, Stop(), told.append)
    assert told == [f"there is no index {known.index}, or its owner is still making it; waiting"]
    with pytest.raises(UnknownIndexError, match="no index never-heard-of"):
        awaited(cluster, "never-heard-of", Stop(), told.append)
    cluster.request("DELETE", f"/{known.index}")
    stop = threading.Event()
    stop.set()
    assert not awaited(cluster, known.index, stop, told.append)


def test_documents_of_any_size_are_read_in_small_pages(
    cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every one of them, though a page holds but a few."""
    monkeypatch.setattr(watermarks, "PAGE_BYTES", 1)
    monkeypatch.setattr(watermarks, "FIRST", watermarks.LEAST)
    follower, _ = begun(cluster, known, settings)
    until(follower, settled(follower))
    assert len(set(hands.records)) == 30
    assert max(len(job.keys) for job in hands.done) <= watermarks.LEAST
    follower.end()


def test_a_scan_once_in_a_while_finds_what_no_watermark_shows(
    cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands
) -> None:
    """A follower that goes on, and yet looks at everything once more."""
    often = settings.model_copy(update={"follow_scan": 0.2 / 3600})
    follower, _ = begun(cluster, known, often)
    until(follower, settled(follower))
    ended = follower.summary()["last_scan"]
    follower.hurry()
    until(follower, lambda: (follower.summary()["last_scan"] or 0) > ended)
    assert len(set(hands.records)) == len(hands.records), "what is up to date needs no worker"
    follower.end()


def test_off_pauses_and_detach_ends(cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands) -> None:
    follower, told = begun(cluster, known, settings)
    until(follower, settled(follower))
    switch.off(cluster, known.index)
    write(cluster, known.index, "1", "while off")
    for _ in range(3):
        follower.patiently()
        follower.hurry()
    assert text_code(cluster, known, "1") is None
    assert any("was switched off by" in line for line in told)
    switch.on(cluster, known.index)
    until(follower, settled(follower))
    assert text_code(cluster, known, "1") == code_of(b"while off")
    attaching.detach(cluster, state.attached(cluster, known.index), drop_codes=True)
    follower.hurry()
    with pytest.raises(NotAttachedError):
        follower.patiently()
    follower.end()
    assert lease.stored(cluster, known.index) is None


def test_one_follower_an_index(cluster: Cluster, known: state.Attached, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that lives is left alone; one that is dead, or let go, is followed by the next."""
    monkeypatch.setattr(lease, "DEAD", 0.3)
    first, second = Lease(cluster, known.index), Lease(cluster, known.index)
    for one, host in ((first, "here"), (second, "there")):
        one._owner["host"] = host
    assert first.take(lambda _: True) is None

    def beat(_: float) -> bool:
        first.keep({"uuid": "u"})
        return True

    with pytest.raises(FollowedAlready, match=r"is followed by process \d+ on here already"):
        second.take(beat)
    assert second.take(lambda _: time.sleep(0.1) or True)  # type: ignore[func-returns-value]
    with pytest.raises(FollowedAlready, match="on there already"):
        first.keep({})
    second.keep({"uuid": "u"}, last=True)
    third = Lease(cluster, known.index)
    before = third.take(lambda _: pytest.fail("nobody has it"))
    assert before
    assert before["uuid"] == "u"


def test_another_follower_that_is_met_after_a_move_is_waited_for_in_pauses(
    cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands, monkeypatch: pytest.MonkeyPatch
) -> None:
    follower, _ = begun(cluster, known, settings)
    follower.end()
    pauses: list[float] = []
    follower.begin(lambda seconds: bool(pauses.append(seconds)))
    there = lease.Lease(cluster, "moved")
    there._owner |= {"host": "elsewhere"}
    there.take(lambda _: True)
    monkeypatch.setattr(reattach, "current", lambda *_: replace(known, index="moved"))
    with pytest.raises(FollowedAlready):
        follower.step()
    assert pauses == [1.0]
