"""The write path against the real engine: attach, encode, restore, conflicts, detach; with a fake encoder."""

import base64
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from integration import attach as attaching
from integration import problems, scan, state, status
from integration.counts import Counts
from integration.encoding import BatchEncoding
from integration.engine.client import Cluster, part
from integration.jobs import Job
from integration.settings import Settings
from integration.writer import Current, GuardedIndex, Key, Outcome, Refusal
from mappings.errors import (
    AlreadyAttachedError,
    AttachRefused,
    NotAttachedError,
    RequestError,
    UnknownIndexError,
    WriteRefused,
)
from mappings.fields import StoredCodes
from tests.live.fakes import BITS, CARD, FakeEncoder, NoWatch, code_of

PROFILE = """
name: test
versioning: {versioning}
text: [title, note]
pictures: [{{field: picture, kind: base64}}]
"""
STRICT = {
    "mappings": {
        "dynamic": "strict",
        "properties": {
            "title": {"type": "text"},
            "note": {"type": "text"},
            "picture": {"type": "keyword", "index": False},
            "call": {"type": "keyword"},
            "tag": {"type": "object", "enabled": False},
        },
    }
}
PICTURE = base64.b64encode(b"a picture").decode()


@pytest.fixture(params=["internal", "external"])
def profile(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    """A profile file for either way of versioning."""
    file = tmp_path / "test.yaml"
    file.write_text(PROFILE.format(versioning=request.param))
    return str(file)


@pytest.fixture
def attached(cluster: Cluster, index: Callable[..., str], profile: str) -> state.Attached:
    """An attached, empty, strict index."""
    return attaching.attach(cluster, attaching.plan(cluster, index(STRICT), profile, CARD))


def put(cluster: Cluster, known: state.Attached, record: str, body: bytes, **params: Any) -> None:
    """Write a document as the catalogue does."""
    path = f"/{known.index}/_doc/{part(record)}"
    cluster.request("PUT", path, params={"refresh": "true", **params}, body=body)


def source(cluster: Cluster, known: state.Attached, record: str, **params: Any) -> bytes:
    """The raw bytes of a document."""
    return cluster.raw("GET", f"/{known.index}/_source/{part(record)}", params=params)


def encode(
    cluster: Cluster, known: state.Attached, settings: Settings, encoder: FakeEncoder, **options: bool
) -> Counts:
    """Encode everything that a scan finds stale (all with `force`), in one job."""
    found = scan.judged(cluster, known)
    keys = [one.key for one in found if one.verdict == "stale" or options]
    job = Job("job", known.index, known.uuid, known.space, tuple(keys), **options)
    return BatchEncoding(job, known, cluster, lambda: encoder, settings).run(NoWatch())


def members(raw: bytes, space: str) -> dict[str, Any]:
    """Our members in a document."""
    found: dict[str, Any] = json.loads(raw)["crosshatch"][space]
    return found


def test_codes_lie_beside_a_document_whose_bytes_stay(
    cluster: Cluster, attached: state.Attached, settings: Settings
) -> None:
    """Numbers, escapes, blanks, long ids and routing come out as they went in."""
    documents = {
        "a/b c": b'{"title": "Moby-Dick",  "call": 813.50, "tag": {"n": 1E2, "big": 123456789012345678901234567890}}',
        "\U0001f40b": b'{"title":"caf\\u00e9 \\ud83d\\ude00","picture":"%s"}' % PICTURE.encode(),
        "x" * 512: b'{\n  "title": "pretty",\n  "note": ["a", "b"]\n}',
    }
    for record, body in documents.items():
        put(cluster, attached, record, body)
    put(cluster, attached, "routed", b'{"title":"routed"}', routing="r1")
    counts = encode(cluster, attached, settings, FakeEncoder())
    assert (counts.encoded, counts.documents) == (4, 4)
    for record, body in documents.items():
        raw = source(cluster, attached, record)
        assert raw.startswith(body.rstrip(b"}").rstrip(b"\n"))
        assert "source" in members(raw, attached.space)
    assert b"crosshatch" in source(cluster, attached, "routed", routing="r1")
    whale = StoredCodes.read(members(source(cluster, attached, "\U0001f40b"), attached.space), BITS)
    assert whale.text == code_of("café \U0001f600".encode())
    assert whale.image == ((0, code_of(b"a picture")),)
    assert whale.record is not None
    attaching.detach(cluster, state.attached(cluster, attached.index), drop_codes=True)
    for record, body in documents.items():
        assert source(cluster, attached, record) == body


def test_a_second_run_writes_nothing(cluster: Cluster, attached: state.Attached, settings: Settings) -> None:
    """Versions do not move, and no model runs."""
    put(cluster, attached, "1", b'{"title":"one"}')
    encode(cluster, attached, settings, FakeEncoder())
    before = cluster.request("GET", f"/{attached.index}/_doc/1")
    encoder = FakeEncoder()
    assert encode(cluster, attached, settings, encoder).documents == 0
    assert not encoder.encoded
    job = Job("again", attached.index, attached.uuid, attached.space, (Key("1"),))
    counts = BatchEncoding(job, attached, cluster, lambda: encoder, settings).run(NoWatch())
    assert (counts.unchanged, counts.encoded) == (1, 0)
    assert cluster.request("GET", f"/{attached.index}/_doc/1")["_seq_no"] == before["_seq_no"]


def test_codes_come_back_from_the_store_without_a_model(
    cluster: Cluster, attached: state.Attached, settings: Settings
) -> None:
    """A whole-document write drops the codes; the same content gets them back."""
    put(cluster, attached, "1", b'{"title":"one","call":"1"}')
    encode(cluster, attached, settings, FakeEncoder())
    put(cluster, attached, "1", b'{"title":"one","call":"2"}')
    encoder = FakeEncoder()
    counts = encode(cluster, attached, settings, encoder)
    assert (counts.restored, counts.encoded, encoder.encoded) == (1, 0, [])
    put(cluster, attached, "1", b'{"title":"two"}')
    assert encode(cluster, attached, settings, encoder).encoded == 1


def test_what_cannot_be_encoded_is_written_down_and_stops_nothing(
    cluster: Cluster, attached: state.Attached, settings: Settings
) -> None:
    """Failed and partial records keep their reasons; the others are encoded; a retry tries again."""
    broken = base64.b64encode(b"broken").decode()
    put(cluster, attached, "good", b'{"title":"good"}')
    put(cluster, attached, "empty", b'{"call":"1"}')
    put(cluster, attached, "half", json.dumps({"title": "half", "picture": broken}).encode())
    put(cluster, attached, "picture", json.dumps({"picture": broken}).encode())
    put(cluster, attached, "poison", b'{"title":"poison"}')
    counts = encode(cluster, attached, settings, FakeEncoder())
    assert counts.encoded == 2
    assert counts.failed == {"no-content": 1, "picture-unreadable": 1, "text-unreadable": 1}
    assert counts.partial == {"picture-unreadable": 1}
    stands = status.of_index(cluster, attached)
    assert stands["failed"] == dict(counts.failed)
    assert stands["partial"] == dict(counts.partial)
    assert (stands["documents"], stands["stale"], stands["encoded"]["text"]) == (5, 0, 2)
    verdicts = {one.key.id: one.verdict for one in scan.judged(cluster, attached)}
    assert verdicts == {
        "good": "unchanged",
        "half": "unchanged",
        "empty": "failed",
        "picture": "failed",
        "poison": "failed",
    }
    again = encode(cluster, attached, settings, FakeEncoder(), retry=True)
    assert (again.unchanged, again.failed, again.partial) == (2, counts.failed, counts.partial)
    put(cluster, attached, "poison", b'{"title":"cured"}')
    assert encode(cluster, attached, settings, FakeEncoder()).encoded == 1
    assert {p.record for p in problems.every(cluster, attached)} == {"empty", "half", "picture"}


def test_codes_of_an_older_content_are_taken_out_where_the_new_one_has_none(
    cluster: Cluster, attached: state.Attached, settings: Settings
) -> None:
    """A partial update of the catalogue keeps our object; codes that are no longer true must not stay."""
    put(cluster, attached, "1", b'{"title":"one"}')
    encode(cluster, attached, settings, FakeEncoder())
    path = f"/{attached.index}/_update/1"
    script = {"script": {"source": "ctx._source.remove('title')"}}
    cluster.request("POST", path, params={"refresh": "true"}, body=script)
    counts = encode(cluster, attached, settings, FakeEncoder())
    assert counts.failed == {"no-content": 1}
    assert source(cluster, attached, "1") == b"{}"


def test_a_faster_catalogue_wins(cluster: Cluster, attached: state.Attached, settings: Settings) -> None:
    """A write of the catalogue between our read and our write survives, and is what gets encoded."""
    put(cluster, attached, "1", b'{"title":"old"}')

    class Slow(FakeEncoder):
        def encode(self, items: Any) -> Any:
            if not self.encoded:
                put(cluster, attached, "1", b'{"title":"new"}')
            return super().encode(items)

    counts = encode(cluster, attached, settings, Slow())
    assert counts.encoded == 1
    raw = source(cluster, attached, "1")
    assert raw.startswith(b'{"title":"new"')
    assert StoredCodes.read(members(raw, attached.space), BITS).text == code_of(b"new")


def test_a_rewrite_at_the_same_version_while_we_encode_survives(
    cluster: Cluster, index: Callable[..., str], settings: Settings, tmp_path: Any
) -> None:
    """Labels are rewritten at the record's own revision: the write alone could not see it, so we read again."""
    file = tmp_path / "p.yaml"
    file.write_text(PROFILE.format(versioning="external"))
    known = attaching.attach(cluster, attaching.plan(cluster, index(STRICT), str(file), CARD))
    same = {"version": 3, "version_type": "external_gte"}
    put(cluster, known, "1", b'{"title":"old"}', **same)
    put(cluster, known, "2", b'{"title":"other","call":"1"}', **same)

    class Slow(FakeEncoder):
        def encode(self, items: Any) -> Any:
            if not self.encoded:
                put(cluster, known, "1", b'{"title":"new"}', **same)
                put(cluster, known, "2", b'{"title":"other","call":"2"}', **same)
            return super().encode(items)

    assert encode(cluster, known, settings, Slow()).encoded == 2
    assert source(cluster, known, "1").startswith(b'{"title":"new",')
    assert source(cluster, known, "2").startswith(b'{"title":"other","call":"2",')
    assert StoredCodes.read(members(source(cluster, known, "1"), known.space), BITS).text == code_of(b"new")


def test_a_deleted_record_stays_deleted(cluster: Cluster, attached: state.Attached, settings: Settings) -> None:
    """Whatever the versioning, our write does not bring a record back."""
    put(cluster, attached, "1", b'{"title":"old"}')

    class Slow(FakeEncoder):
        def encode(self, items: Any) -> Any:
            cluster.request("DELETE", f"/{attached.index}/_doc/1")
            return super().encode(items)

    counts = encode(cluster, attached, settings, Slow())
    assert counts.failed == {"gone": 1}
    assert not cluster.exists(f"/{attached.index}/_doc/1")


def test_external_versions_do_not_move(
    cluster: Cluster, index: Callable[..., str], settings: Settings, tmp_path: Any
) -> None:
    """The catalogue's next write with its own version meets no conflict."""
    file = tmp_path / "p.yaml"
    file.write_text(PROFILE.format(versioning="external"))
    known = attaching.attach(cluster, attaching.plan(cluster, index(STRICT), str(file), CARD))
    put(cluster, known, "1", b'{"title":"one"}', version=7, version_type="external_gte")
    assert encode(cluster, known, settings, FakeEncoder()).encoded == 1
    assert cluster.request("GET", f"/{known.index}/_doc/1")["_version"] == 7
    put(cluster, known, "1", b'{"title":"two"}', version=8, version_type="external_gte")


def test_a_late_job_makes_no_index(cluster: Cluster, attached: state.Attached, settings: Settings) -> None:
    """The write alias dies with the index: nothing is made, nothing is written into a rebuilt one."""
    put(cluster, attached, "1", b'{"title":"one"}')
    [current] = GuardedIndex(cluster, attached.alias, "external").read([Key("1")])
    assert isinstance(current, Current)
    cluster.request("DELETE", f"/{attached.index}")
    job = Job("late", attached.index, attached.uuid, attached.space, (Key("1"),))
    counts = BatchEncoding(job, attached, cluster, FakeEncoder, settings).run(NoWatch())
    assert counts.failed == {"gone": 1}
    outcomes = GuardedIndex(cluster, attached.alias, "external").write([(current, b'{"title":"x"}')])
    assert outcomes == [Outcome.GONE]
    outcomes = GuardedIndex(cluster, attached.alias, "external").write([(current, b'{\n"title":"x"}')])
    assert outcomes == [Outcome.GONE]
    assert not cluster.exists(f"/{attached.index}")
    assert not cluster.exists(f"/{part(attached.alias)}")
    cluster.request("PUT", f"/{attached.index}", body=STRICT)
    with pytest.raises(NotAttachedError, match="dropped and made anew"):
        state.attached(cluster, attached.index)


def test_a_rebuilt_index_gets_its_codes_back(
    cluster: Cluster, attached: state.Attached, settings: Settings, profile: str
) -> None:
    """Drop, create, put mapping, bulk: attach again, and nothing is encoded anew."""
    put(cluster, attached, "1", b'{"title":"one"}')
    encode(cluster, attached, settings, FakeEncoder())
    cluster.request("DELETE", f"/{attached.index}")
    cluster.request("PUT", f"/{attached.index}", body=STRICT)
    known = attaching.attach(cluster, attaching.plan(cluster, attached.index, None, CARD))
    put(cluster, known, "1", b'{"title":"one"}')
    encoder = FakeEncoder()
    assert encode(cluster, known, settings, encoder).restored == 1
    assert not encoder.encoded


def test_an_index_rebuilt_while_we_attach_keeps_no_alias_of_the_old_one(
    cluster: Cluster, index: Callable[..., str], profile: str
) -> None:
    """A late job of the old index would write through it, and into a mapping that is not there."""
    name = index(STRICT)
    plan = attaching.plan(cluster, name, profile, CARD)
    cluster.request("DELETE", f"/{name}")
    cluster.request("PUT", f"/{name}", body=STRICT)
    with pytest.raises(NotAttachedError, match="made anew"):
        attaching.attach(cluster, plan)
    assert cluster.request("GET", f"/{name}/_alias")[name]["aliases"] == {}


def test_a_refused_write_is_a_problem_of_its_record(
    cluster: Cluster, attached: state.Attached, settings: Settings
) -> None:
    """A pipeline that nobody can leave out refuses one document, in the engine's words; the other is written."""
    put(cluster, attached, "1", b'{"title":"one"}')
    put(cluster, attached, "2", b'{"title":"two"}')
    pipeline, refuse = f"refuse-{attached.index}", {"message": "not this one", "if": "ctx._id == '1'"}
    cluster.request("PUT", f"/_ingest/pipeline/{pipeline}", body={"processors": [{"fail": refuse}]})
    cluster.request("PUT", f"/{attached.index}/_settings", body={"index.final_pipeline": pipeline})
    counts = encode(cluster, attached, settings, FakeEncoder())
    assert (counts.failed, counts.encoded) == ({"write-refused": 1}, 1)
    [problem] = problems.every(cluster, attached)
    assert "not this one" in problem.parts["record"][1]
    cluster.request("PUT", f"/{attached.index}/_settings", body={"index.final_pipeline": None})
    cluster.request("DELETE", f"/_ingest/pipeline/{pipeline}")
    assert encode(cluster, attached, settings, FakeEncoder(), retry=True).documents == 2


@pytest.mark.parametrize("block", ["write", "read_only"])
def test_a_blocked_index_is_no_problem_of_its_records(
    cluster: Cluster, attached: state.Attached, settings: Settings, block: str
) -> None:
    """An administrator blocks writes for a snapshot: the work stops and says so, and goes on when the block is gone."""
    put(cluster, attached, "1", b'{"title":"one"}')
    put(cluster, attached, "2", b'{"title":\n"two"}')
    for record in ("1", "2"):
        cluster.request("PUT", f"/{attached.index}/_settings", body={f"index.blocks.{block}": True})
        job = Job("job", attached.index, attached.uuid, attached.space, (Key(record),))
        with pytest.raises(WriteRefused, match="lift the block"):
            BatchEncoding(job, attached, cluster, FakeEncoder, settings).run(NoWatch())
        cluster.request("PUT", f"/{attached.index}/_settings", body={f"index.blocks.{block}": None})
    assert list(problems.every(cluster, attached)) == []
    assert encode(cluster, attached, settings, FakeEncoder()).documents == 2
    assert status.of_index(cluster, attached)["stale"] == 0


def test_writers_and_workers_at_once_lose_nothing(
    cluster: Cluster, attached: state.Attached, settings: Settings
) -> None:
    """A catalogue that rewrites its records all the time ends with its last words and the right codes."""
    records = [f"r{n}" for n in range(40)]
    external = attached.profile.versioning == "external"

    def write(turn: int) -> None:
        for record in records:
            params = {"version": turn + 1, "version_type": "external_gte"} if external else {}
            put(cluster, attached, record, f'{{"title":"{record} turn {turn}"}}'.encode(), **params)

    write(0)
    writer = threading.Thread(target=lambda: [write(turn) for turn in range(1, 6)])
    writer.start()
    while writer.is_alive():
        encode(cluster, attached, settings, FakeEncoder())
    writer.join()
    encode(cluster, attached, settings, FakeEncoder())
    for record in records:
        raw = source(cluster, attached, record)
        assert json.loads(raw)["title"] == f"{record} turn 5"
        assert StoredCodes.read(members(raw, attached.space), BITS).text == code_of(f"{record} turn 5".encode())


def test_the_catalogues_own_searches_stay_the_same(
    cluster: Cluster, attached: state.Attached, settings: Settings
) -> None:
    """`*` expands to nothing of ours: validated queries and hits are the same before and after."""
    put(cluster, attached, "1", b'{"title":"one whale","call":"813.50"}')
    queries = [
        {"query_string": {"query": "whale"}},
        {"query_string": {"query": "whale", "lenient": True}},
        {"multi_match": {"query": "whale", "fields": ["*"], "lenient": True}},
        {"simple_query_string": {"query": "whale"}},
    ]
    fresh = cluster.request("PUT", f"/{attached.index}-plain", body=STRICT)["index"]
    try:
        for query in queries:
            asked = {"params": {"explain": "true"}, "body": {"query": query}}
            ours = cluster.request("POST", f"/{attached.index}/_validate/query", **asked)["explanations"][0]
            plain = cluster.request("POST", f"/{fresh}/_validate/query", **asked)["explanations"][0]
            assert ours["explanation"] == plain["explanation"]
        assert encode(cluster, attached, settings, FakeEncoder()).encoded == 1
        digest = members(source(cluster, attached, "1"), attached.space)["source"]
        body = {"query": {"query_string": {"query": f'"{digest}" OR {digest[:8]}*', "lenient": True}}}
        assert cluster.request("POST", f"/{attached.index}/_search", body=body)["hits"]["total"]["value"] == 0
    finally:
        cluster.request("DELETE", f"/{fresh}")


def test_attach_refuses_with_reasons(cluster: Cluster, index: Callable[..., str], profile: str) -> None:
    """Every check that refuses says why and what to do; nothing was changed."""
    cases = {
        "source-whole": {"mappings": {"_source": {"enabled": False}, "properties": {"title": {"type": "text"}}}},
        "field-name-free": {"mappings": {"properties": {"crosshatch": {"type": "keyword"}}}},
        "field-limit": {"settings": {"index.mapping.total_fields.limit": 4},
                        "mappings": {"properties": {"title": {"type": "text"}}}},
        "writable": {"settings": {"index.blocks.read_only": True}},
        "no-final-pipeline": {"settings": {"index.final_pipeline": "of-the-ils"}},
        "profile-fits": {"mappings": {"dynamic": "strict", "properties": {"other": {"type": "text"}}}},
    }  # fmt: skip
    for name, body in cases.items():
        made = index(body)
        plan = attaching.plan(cluster, made, profile, CARD)
        assert [check.name for check in plan.checks if not check.ok] == [name], name
        with pytest.raises(AttachRefused, match=name):
            attaching.attach(cluster, plan)
        assert state.by_name(cluster, made) is None
        cluster.request("PUT", f"/{made}/_settings", body={"index.blocks.read_only": None})
    allowed = attaching.plan(cluster, index(cases["no-final-pipeline"]), profile, CARD, allow_final_pipeline=True)
    assert allowed.ok


def test_attach_twice_is_once_and_another_encoder_is_refused(
    cluster: Cluster, attached: state.Attached, profile: str
) -> None:
    """The message names the command that adds a space."""
    again = attaching.attach(cluster, attaching.plan(cluster, attached.index, profile, CARD))
    assert (again.space, again.secret) == (attached.space, attached.secret)
    other = type(CARD)("other-64", 64, "0" * 64, CARD.parts, {}, "other-64")
    with pytest.raises(AlreadyAttachedError, match=f"spaces add {attached.index} --encoder other-64"):
        attaching.plan(cluster, attached.index, profile, other)


def test_wrong_names_end_in_clear_errors(cluster: Cluster, index: Callable[..., str], profile: str) -> None:
    """No index, several behind an alias, wildcards."""
    with pytest.raises(UnknownIndexError, match="no-such-index"):
        attaching.plan(cluster, "no-such-index", profile, CARD)
    for wrong in ("a*", "a,b", ""):
        with pytest.raises(RequestError, match="one index or alias"):
            attaching.plan(cluster, wrong, profile, CARD)
    with pytest.raises(NotAttachedError, match="attach"):
        state.attached(cluster, index())


def test_the_engine_refuses_a_document_in_its_own_words(cluster: Cluster, attached: state.Attached) -> None:
    """A mapping that refuses ends in a Refusal, not in an exception."""
    put(cluster, attached, "1", b'{"title":"one"}')
    guarded = GuardedIndex(cluster, attached.alias, attached.profile.versioning)
    [current] = guarded.read([Key("1")])
    assert current is not None
    [refused] = guarded.write([(current, b'{"title":"one","unknown":1}')])
    assert isinstance(refused, Refusal)
    assert "unknown" in refused.reason
