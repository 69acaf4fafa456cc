"""What falls between our read and our write, made to happen there: no write of the catalogue is lost in silence."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from integration import attach as attaching
from integration import problems, scan, state, window
from integration.encoding import BatchEncoding
from integration.engine.client import Cluster
from integration.engine.services import Services
from integration.jobs import Job
from integration.settings import Settings
from integration.writer import GuardedIndex, Key, Outcome
from mappings.errors import EngineUnavailable
from mappings.fields import StoredCodes
from tests.live.fakes import BITS, CARD, FakeEncoder, code_of
from tests.live.test_writing import PROFILE, STRICT, NoWatch, encode, members, put, source

AT_3 = {"version": 3, "version_type": "external_gte"}


class Instant(Cluster):
    """A cluster where `then` runs right before a bulk request of documents is sent: the catalogue's very instant."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.then: list[Callable[[], object]] = []

    def bulk(self, path: str, lines: bytes, *, params: Any = None) -> Any:
        """Once each, whatever waits in `then`."""
        while path.startswith("/crosshatch-w-") and self.then:
            self.then.pop(0)()
        return super().bulk(path, lines, params=params)


@pytest.fixture
def instant(services: Services) -> Iterator[Instant]:
    """A cluster for us; the catalogue writes through the plain one."""
    instant = Instant(services.url)
    yield instant
    instant.close()


@pytest.fixture
def external(cluster: Cluster, index: Callable[..., str], tmp_path: Any) -> state.Attached:
    """An attached index of two shards, whose catalogue gives the versions; thirty records at version 3."""
    file = tmp_path / "external.yaml"
    file.write_text(PROFILE.format(versioning="external"))
    made = index({**STRICT, "settings": {"number_of_shards": 2, "refresh_interval": "-1"}})
    known = attaching.attach(cluster, attaching.plan(cluster, made, str(file), CARD))
    lines = [
        json.dumps({"index": {"_id": f"r{n}", **AT_3}}) + "\n" + json.dumps({"title": f"title {n}"}) for n in range(30)
    ]
    cluster.bulk(f"/{known.index}", ("\n".join(lines) + "\n").encode(), params={"refresh": "true"})
    return known


def run(known: state.Attached, cluster: Cluster, settings: Settings, *records: str, **options: bool) -> Any:
    """One job over these records."""
    job = Job("job", known.index, known.uuid, known.space, tuple(map(Key, records)), **options)
    return BatchEncoding(job, known, cluster, FakeEncoder, settings).run(NoWatch())


RECORDS = [f"r{n}" for n in range(30)]


def test_a_rewrite_at_the_same_version_in_the_instant_of_our_write_is_told(
    cluster: Cluster, instant: Instant, external: state.Attached, settings: Settings
) -> None:
    """The engine lets our write win and nothing can prevent it: the record is named, with what to do."""
    instant.then = [lambda: put(cluster, external, "r7", b'{"title":"new label"}', **AT_3)]
    counts = run(external, instant, settings, *RECORDS)
    assert (counts.encoded, counts.failed) == (30, {})
    found = {problem.record: problem for problem in problems.every(cluster, external)}
    assert "r7" in found
    assert counts.partial == {"maybe-overwritten": len(found)}
    assert not found["r7"].failed
    assert "index the record again from the library system" in found["r7"].parts["document"][1]
    put(cluster, external, "r7", b'{"title":"new label"}', **AT_3)  # as the message asks for
    again = encode(cluster, external, settings, FakeEncoder())
    assert (again.encoded, again.partial) == (1, {})
    assert "r7" not in {problem.record for problem in problems.every(cluster, external)}
    stale = [one.verdict for one in scan.judged(cluster, external) if one.verdict == "stale"]
    retried = run(external, cluster, settings, *found, retry=True)
    assert (stale, retried.unchanged, retried.partial) == ([], len(found), {})
    assert not list(problems.every(cluster, external))


def test_writes_to_other_records_in_that_instant_raise_no_doubt(
    cluster: Cluster, instant: Instant, external: state.Attached, settings: Settings
) -> None:
    """Their numbers belong to living documents; so it is with new ones and with newer versions of ours."""
    instant.then = [
        lambda: put(cluster, external, "other", b'{"title":"one more"}', version=1, version_type="external_gte"),
        lambda: put(cluster, external, "r3", b'{"title":"newer"}', version=4, version_type="external_gte"),
    ]
    counts = run(external, instant, settings, *RECORDS)
    assert (counts.encoded, counts.partial, counts.failed) == (30, {}, {})
    assert source(cluster, external, "r3").startswith(b'{"title":"newer"')
    assert not list(problems.every(cluster, external))


def test_neither_what_is_written_after_our_write_nor_deletes_within_raise_a_doubt(
    cluster: Cluster, external: state.Attached
) -> None:
    """A record of ours that got a newer version hides nothing, nor does a delete; another number without owner may."""

    def ours(*records: str) -> set[tuple[str, int]]:
        paths = {record: f"/{external.index}/_doc/{record}" for record in records}
        return {(r, cluster.request("PUT", path, params=AT_3, body=b"{}")["_seq_no"]) for r, path in paths.items()}

    path = f"/{external.index}"
    before = window.marks(cluster, path)
    own = ours(*RECORDS[:10])
    after = window.marks(cluster, path)
    assert window.is_quiet(before, after, own=10)
    for record in RECORDS[:5]:
        put(cluster, external, record, b"{}", version=4, version_type="external_gte")
    assert window.on_top(cluster, path, before, after, own) == set()
    before = window.marks(cluster, path)
    for record in RECORDS[10:20]:
        cluster.request("DELETE", f"{path}/_doc/{record}", params=AT_3)
    own = ours(*RECORDS[20:])
    after = window.marks(cluster, path)
    assert not window.is_quiet(before, after, own=10)
    assert window.on_top(cluster, path, before, after, own) == set()
    before = window.marks(cluster, path)
    cluster.request("DELETE", f"{path}/_doc/{RECORDS[9]}", params=AT_3)
    for record in RECORDS[20:]:
        put(cluster, external, record, b"{}", version=3, version_type="external_gte")
    own = ours(*RECORDS[20:])
    after = window.marks(cluster, path)
    assert window.on_top(cluster, path, before, after, own) == own
    assert not window.is_quiet({}, after, own=0)
    assert window.on_top(cluster, path, {"0": after["0"]}, after, own) == own


def test_without_other_writers_nothing_is_refreshed_nor_read_again(
    cluster: Cluster, external: state.Attached, settings: Settings
) -> None:
    """The numbers alone prove that nobody wrote."""
    before = cluster.request("GET", f"/{external.index}/_stats/refresh,get")["_all"]["primaries"]
    assert run(external, cluster, settings, *RECORDS).encoded == 30
    after = cluster.request("GET", f"/{external.index}/_stats/refresh,get")["_all"]["primaries"]
    assert after["refresh"]["external_total"] == before["refresh"]["external_total"]
    assert after["get"]["total"] - before["get"]["total"] == 30 + 1  # one asks what the account sees


@pytest.mark.parametrize("version", [3, 4])
def test_a_delete_in_that_instant_stays_and_leaves_the_catalogues_own_tombstone(
    cluster: Cluster, instant: Instant, external: state.Attached, settings: Settings, version: int
) -> None:
    """The record stays gone, and is made again at the deleted version without a conflict that we caused."""
    guard = {"version": version, "version_type": "external_gte"}
    instant.then = [lambda: cluster.request("DELETE", f"/{external.index}/_doc/r7", params=guard)]
    counts = run(external, instant, settings, "r7")
    assert counts.failed == {"gone": 1}
    assert not cluster.exists(f"/{external.index}/_doc/r7")
    put(cluster, external, "r7", b'{"title":"again"}', **guard)
    assert source(cluster, external, "r7") == b'{"title":"again"}'


def test_a_record_that_came_back_goes_however_long_the_engine_is_too_busy_for_it(
    cluster: Cluster, instant: Instant, external: state.Attached, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job that was run again instead would find it there, and leave it."""
    ask, busy = instant.request, [EngineUnavailable("429")] * 2

    def request(method: str, path: str, **more: Any) -> Any:
        if method == "DELETE" and busy:
            raise busy.pop()
        return ask(method, path, **more)

    monkeypatch.setattr(instant, "request", request)
    instant.then = [lambda: cluster.request("DELETE", f"/{external.index}/_doc/r7", params=AT_3)]
    assert run(external, instant, settings, "r7").failed == {"gone": 1}
    assert not busy
    assert not cluster.exists(f"/{external.index}/_doc/r7")


def test_a_record_that_is_made_again_is_not_taken_back(
    cluster: Cluster, instant: Instant, external: state.Attached, settings: Settings
) -> None:
    """Between our write and the look at it the catalogue made the record again: that is the one that stays."""
    cluster.request("DELETE", f"/{external.index}/_doc/r7", params=AT_3)
    guarded = GuardedIndex(cluster, external.alias, "external")
    [current] = guarded.read([Key("r8")])
    assert current is not None
    put(cluster, external, "r8", b'{"title":"made again"}', **AT_3)
    guarded._take_back(current, {"_seq_no": current.seq_no, "_primary_term": current.primary_term})
    assert source(cluster, external, "r8") == b'{"title":"made again"}'


def test_a_change_between_read_and_write_is_a_conflict_at_the_same_version_too(
    cluster: Cluster, external: state.Attached
) -> None:
    """Sequence numbers tell what versions do not."""
    guarded = GuardedIndex(cluster, external.alias, "external")
    current = guarded.read([Key("r1"), Key("r2"), Key("r3")])
    put(cluster, external, "r1", b'{"title":"rewritten"}', **AT_3)
    cluster.request("DELETE", f"/{external.index}/_doc/r2", params=AT_3)
    outcomes = guarded.write([(one, b'{"title":"ours"}') for one in current if one])
    assert outcomes == [Outcome.CONFLICT, Outcome.CONFLICT, Outcome.WRITTEN]
    assert source(cluster, external, "r1") == b'{"title":"rewritten"}'
    assert not cluster.exists(f"/{external.index}/_doc/r2")


def busy(*before: Callable[[], object]) -> None:
    """What happens before the engine turns a request away."""
    for one in before:
        one()
    raise EngineUnavailable("429 es_rejected_execution_exception")


@pytest.mark.parametrize("versioning", ["internal", "external"])
def test_a_busy_engine_is_sent_nothing_twice(
    cluster: Cluster, instant: Instant, index: Callable[..., str], settings: Settings, tmp_path: Any, versioning: str
) -> None:
    """After a 429 the record is read again: what the catalogue wrote meanwhile is what gets the codes."""
    file = tmp_path / "p.yaml"
    file.write_text(PROFILE.format(versioning=versioning))
    known = attaching.attach(cluster, attaching.plan(cluster, index(STRICT), str(file), CARD))
    at_3 = AT_3 if versioning == "external" else {}
    put(cluster, known, "1", b'{"title":"old"}', **at_3)
    instant.then = [lambda: busy(lambda: put(cluster, known, "1", b'{"title":"new"}', **at_3)), busy]
    counts = run(known, instant, settings, "1")
    assert (counts.encoded, counts.failed, counts.partial) == (1, {}, {})
    raw = source(cluster, known, "1")
    assert raw.startswith(b'{"title":"new",')
    assert StoredCodes.read(members(raw, known.space), BITS).text == code_of(b"new")


def test_an_answer_that_is_lost_is_not_a_second_write(
    cluster: Cluster, instant: Instant, external: state.Attached, settings: Settings
) -> None:
    """The write arrived, its answer did not: reading again finds the codes there."""

    def arrived() -> None:
        assert run(external, cluster, settings, "r1", "r2").restored == 2  # the first try had kept them
        busy()

    instant.then = [arrived]
    counts = run(external, instant, settings, "r1", "r2")
    assert (counts.documents, counts.failed) == (2, {})
    seen = cluster.request("GET", f"/{external.index}/_doc/r1")["_seq_no"]
    run(external, cluster, settings, "r1", "r2")
    assert cluster.request("GET", f"/{external.index}/_doc/r1")["_seq_no"] == seen


def test_an_allowed_final_pipeline_runs_on_our_write_and_a_default_one_does_not(
    cluster: Cluster, index: Callable[..., str], settings: Settings, tmp_path: Any
) -> None:
    """No parameter of a request switches a final pipeline off: that is why attach asks."""
    for name in ("default", "final"):
        marks = {"processors": [{"set": {"field": "note", "value": f"by {name}"}}]}
        cluster.request("PUT", f"/_ingest/pipeline/guard-{name}", body=marks)
    file = tmp_path / "p.yaml"
    file.write_text(PROFILE.format(versioning="external"))
    made = index(STRICT)
    cluster.request("PUT", f"/{made}/_doc/1", params=AT_3, body=b'{"title":"one"}')
    pipelines = {f"index.{name}_pipeline": f"guard-{name}" for name in ("default", "final")}
    cluster.request("PUT", f"/{made}/_settings", body=pipelines)
    try:
        plan = attaching.plan(cluster, made, str(file), CARD, allow_final_pipeline=True)
        known = attaching.attach(cluster, plan)
        run(known, cluster, settings, "1")
        assert json.loads(source(cluster, known, "1"))["note"] == "by final"
    finally:
        cluster.request("PUT", f"/{made}/_settings", body=dict.fromkeys(pipelines))
        for name in ("default", "final"):
            cluster.request("DELETE", f"/_ingest/pipeline/guard-{name}")
