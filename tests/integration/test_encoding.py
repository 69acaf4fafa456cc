"""A batch of ids from beginning to end, in memory. What only a real engine can show is tried in tests/live."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from encoders.api import Encoder
from integration import encoding, manners, problems, state, store
from integration.counts import Counts
from integration.encoding import BatchEncoding
from integration.jobs import Job
from integration.settings import Settings
from integration.state import Attached, Bundle
from integration.stored import stored_codes, stored_members
from integration.writer import Key, Outcome
from mappings.bands import Banding
from mappings.errors import BundleError, EngineRefused, EngineUnavailable
from mappings.fields import StoredCodes
from mappings.profile import TargetProfile
from tests.integration.fakes import FakeCluster
from tests.live.fakes import BITS, CARD, FakeEncoder, code_of

PROFILE = TargetProfile.model_validate(
    {"name": "t", "text": ["title"], "pictures": [{"field": "cover", "kind": "base64"}], "versioning": "internal"}
)
BUNDLE = Bundle(CARD.reference, CARD.name, CARD.bits, CARD.digest)
KNOWN = Attached("biblios", "uuid-biblios", "s_1", {"s_1": BUNDLE}, PROFILE, "c2VjcmV0")
GOOD, BROKEN = (base64.b64encode(data).decode() for data in (b"a picture", b"broken"))


class Watch:
    """A job's memory, as `workers.watch` keeps it in Redis."""

    def __init__(
        self,
        *,
        again: bool = False,
        last: bool = False,
        culprits: frozenset[str] = frozenset(),
        hopeless: frozenset[str] = frozenset(),
    ) -> None:
        self.again, self.last, self._culprits, self._hopeless = again, last, culprits, hopeless
        self.tried: list[str] = []

    def culprits(self) -> set[str]:
        return set(self._culprits)

    def hopeless(self) -> set[str]:
        return set(self._hopeless)

    def trying(self, record: str) -> None:
        self.tried.append(record)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> FakeCluster:
    """An attached, empty index; rounds follow each other at once."""
    monkeypatch.setattr(encoding.time, "sleep", lambda _: None)
    cluster = FakeCluster(indices={"biblios": {}, KNOWN.store: {}}, aliases={KNOWN.alias: "biblios"})
    state.ensure(cluster.as_cluster())
    return cluster


def encode(
    cluster: FakeCluster, *records: str, encoder: FakeEncoder | None = None, watch: Watch | None = None, **mode: bool
) -> Counts:
    job = Job("j", "biblios", KNOWN.uuid, "s_1", tuple(Key(record) for record in records), **mode)
    chosen = encoder or FakeEncoder()
    counts = BatchEncoding(job, KNOWN, cluster.as_cluster(), lambda: chosen, Settings()).run(watch or Watch())
    assert counts.documents == len(records), "every record must be in exactly one count"
    return counts


def document(**fields: Any) -> bytes:
    return json.dumps(fields).encode()


def codes(cluster: FakeCluster, record: str) -> StoredCodes:
    found = stored_members(json.loads(cluster.source("biblios", record)), "s_1")
    return StoredCodes.read(found or {}, BITS)


def known_problems(cluster: FakeCluster, *records: str) -> dict[str, problems.Problem]:
    return problems.of_records(cluster.as_cluster(), KNOWN, records)


def test_text_pictures_and_both(cluster: FakeCluster) -> None:
    cluster.put(
        "biblios", "1", document(title="one", cover=[GOOD, BROKEN, GOOD + "?", base64.b64encode(b"b").decode()])
    )
    counts = encode(cluster, "1")
    assert (counts.encoded, counts.partial) == (1, {"picture-unreadable": 1})
    assert codes(cluster, "1").text == code_of(b"one")
    assert codes(cluster, "1").image == ((0, code_of(b"a picture")), (3, code_of(b"b")))
    assert list(known_problems(cluster, "1")["1"].parts) == ["image 1", "image 2"]


def test_a_second_run_asks_for_no_model(cluster: FakeCluster) -> None:
    cluster.put("biblios", "1", document(title="one", cover=[GOOD, BROKEN]))
    encode(cluster, "1")
    written, encoder = cluster.indices["biblios"]["1"], FakeEncoder()
    counts = encode(cluster, "1", encoder=encoder)
    assert (counts.unchanged, counts.partial, encoder.encoded) == (1, {"picture-unreadable": 1}, [])
    assert cluster.indices["biblios"]["1"] is written


def test_a_dropped_code_comes_back_from_the_store_and_force_encodes(cluster: FakeCluster) -> None:
    cluster.put("biblios", "1", document(title="one"))
    encode(cluster, "1")
    cluster.put("biblios", "1", document(title="one", call="813.50"))
    encoder = FakeEncoder()
    assert encode(cluster, "1", encoder=encoder).restored == 1
    assert encoder.encoded == []
    assert encode(cluster, "1", encoder=encoder, force=True).encoded == 1
    assert len(encoder.encoded) == 1


def test_a_code_store_that_somebody_deleted_is_made_again_with_its_mapping(cluster: FakeCluster) -> None:
    """The engine would make one by itself, with a field for every picture number."""
    cluster.put("biblios", "1", document(title="one"))
    del cluster.indices[KNOWN.store]
    assert encode(cluster, "1").encoded == 1
    assert f"PUT /{KNOWN.store}" in cluster.asked


def test_one_content_is_encoded_once(cluster: FakeCluster) -> None:
    for record in "abc":
        cluster.put("biblios", record, document(title="same", call=record))
    encoder = FakeEncoder()
    assert encode(cluster, *"abc", encoder=encoder).encoded == 3
    assert len(encoder.encoded) == 1


def test_a_record_that_breaks_the_encoder_takes_nobody_along(cluster: FakeCluster) -> None:
    for record, title in {"1": "one", "2": "poison", "3": "three"}.items():
        cluster.put("biblios", record, document(title=title))
    counts = encode(cluster, "1", "2", "3")
    assert (counts.encoded, counts.failed) == (2, {"text-unreadable": 1})
    assert known_problems(cluster, "2")["2"].parts == {
        "record": ("text-unreadable", "the encoder cannot take it: poison")
    }
    assert b"crosshatch" not in cluster.source("biblios", "2")


def test_what_cannot_be_encoded_has_its_reason(cluster: FakeCluster) -> None:
    cluster.put("biblios", "empty", b"{}")
    cluster.put("biblios", "object", document(title={"main": "x"}))
    cluster.put("biblios", "both", document(title={"main": "x"}, cover=GOOD))
    cluster.put("biblios", "broken", document(cover=BROKEN))
    counts = encode(cluster, "empty", "object", "both", "broken", "absent")
    assert counts.failed == {"no-content": 1, "text-unreadable": 1, "picture-unreadable": 1, "gone": 1}
    assert (counts.encoded, counts.partial) == (1, {"text-unreadable": 1})


@pytest.mark.parametrize(
    "source",
    [
        b'{"title":"one","crosshatch":"a red pattern"}',
        b'{"title":"one","crosshatch":{},"cross\\u0068atch":{}}',
        b'{"title":' + b"[" * 990 + b"]" * 990 + b"}",
        b'{"title":"one","n":' + b"9" * 5000 + b"}",
    ],
    ids=["foreign", "twice", "deep", "digits"],
)
def test_a_document_that_we_cannot_write_is_a_problem_of_its_own(cluster: FakeCluster, source: bytes) -> None:
    cluster.put("biblios", "odd", source)
    cluster.put("biblios", "good", document(title="two"))
    counts = encode(cluster, "odd", "good")
    assert (counts.encoded, counts.failed.total()) == (1, 1)
    assert cluster.source("biblios", "odd") == source


@pytest.mark.parametrize("members", ['{"image":null}', '{"image":5}', '{"text":[[]]}', "7", "null", "[]", "{}"])
def test_odd_members_of_ours_are_written_anew(cluster: FakeCluster, members: str) -> None:
    cluster.put("biblios", "1", document(title="one"))
    encode(cluster, "1")
    digest = json.loads(cluster.source("biblios", "1"))["crosshatch"]["s_1"]["source"]
    odd = json.loads(members)
    there = {**odd, "source": digest} if isinstance(odd, dict) else odd
    cluster.put("biblios", "1", document(title="one", crosshatch={"s_1": there, "s_2": {"text": "x"}}))
    assert not stored_codes(stored_members(json.loads(cluster.source("biblios", "1")), "s_1"), digest, BITS)
    assert encode(cluster, "1").restored == 1
    assert codes(cluster, "1").text == code_of(b"one")
    assert json.loads(cluster.source("biblios", "1"))["crosshatch"]["s_2"] == {"text": "x"}


def test_a_faster_catalogue_wins(cluster: FakeCluster) -> None:
    cluster.put("biblios", "1", document(title="old"))
    turns = iter([document(title="new")])

    def write(record: str) -> None:
        for source in turns:
            cluster.put("biblios", record, source)
            return

    cluster.before_write = lambda record: write(record) if record == "1" else None
    assert encode(cluster, "1").encoded == 1
    assert codes(cluster, "1").text == code_of(b"new")


def test_a_record_that_changes_all_the_time_is_left_for_later(cluster: FakeCluster) -> None:
    cluster.put("biblios", "1", document(title="0"))
    turns = iter(range(1, 100))
    cluster.before_write = lambda record: (
        cluster.put("biblios", "1", document(title=str(next(turns)))) if record == "1" else None
    )
    assert encode(cluster, "1").failed == {"write-refused": 1}
    assert "at every try" in known_problems(cluster, "1")["1"].parts["record"][1]
    cluster.before_write = lambda _: None
    assert encode(cluster, "1").documents == 1
    assert known_problems(cluster, "1") == {}


def test_a_solved_problem_is_dropped(cluster: FakeCluster) -> None:
    cluster.put("biblios", "1", document(title="poison"))
    encode(cluster, "1")
    cluster.put("biblios", "1", document(title="one"))
    assert encode(cluster, "1").encoded == 1
    assert known_problems(cluster, "1") == {}


def test_emptied_records_lose_their_codes(cluster: FakeCluster) -> None:
    """The old codes would be found for words that are not there any more."""
    cluster.put("biblios", "1", document(title="one"))
    encode(cluster, "1")
    there = json.loads(cluster.source("biblios", "1"))
    cluster.put("biblios", "1", document(crosshatch=there["crosshatch"]))
    assert encode(cluster, "1").failed == {"no-content": 1}
    assert cluster.source("biblios", "1") == b"{}"


def test_a_job_that_killed_its_process_goes_record_by_record_past_the_culprit(cluster: FakeCluster) -> None:
    for record in "abc":
        cluster.put("biblios", record, document(title=record))
    watch = Watch(again=True, culprits=frozenset("b"))
    counts = encode(cluster, *"abc", watch=watch)
    assert (counts.encoded, counts.failed) == (2, {"text-unreadable": 1})
    assert watch.tried == ["a", "b", "c"]
    assert known_problems(cluster, "b")["b"].parts["record"][1] == "a worker process died of it"


def test_what_is_known_of_a_record_outlives_the_process_that_the_next_one_kills(cluster: FakeCluster) -> None:
    class Killed(Watch):
        def trying(self, record: str) -> None:
            if record == "b":
                raise SystemExit

    cluster.put("biblios", "a", document(title="one", cover=[BROKEN]))
    cluster.put("biblios", "b", document(title="two"))
    with pytest.raises(SystemExit):
        encode(cluster, *"ab", watch=Killed(again=True))
    assert known_problems(cluster, "a")["a"].reason == "picture-unreadable"
    counts = encode(cluster, *"ab", watch=Watch(again=True, culprits=frozenset("b")))
    assert (counts.unchanged, counts.partial, counts.failed) == (
        1,
        {"picture-unreadable": 1},
        {"text-unreadable": 1},
    )


def test_a_record_that_kills_when_it_is_only_read_is_not_read_again(cluster: FakeCluster) -> None:
    for record in "abc":
        cluster.put("biblios", record, document(title=record))
    watch = Watch(again=True, culprits=frozenset("b"), hopeless=frozenset("b"))
    counts = encode(cluster, *"abc", watch=watch)
    assert (counts.encoded, counts.failed) == (2, {"gave-up": 1})
    assert watch.tried == ["a", "c"]


def test_an_error_that_nobody_foresaw_is_the_trouble_of_one_record(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever it comes from: here, from the splicing of one document."""
    put = encoding.splice.put

    def broken(source: bytes, *rest: Any) -> bytes:
        if b"odd" in source:
            raise KeyError("a title of the catalogue")
        return put(source, *rest)

    for record, title in zip("abc", ("one", "odd", "three"), strict=True):
        cluster.put("biblios", record, document(title=title))
    monkeypatch.setattr(encoding.splice, "put", broken)
    counts = encode(cluster, *"abc")
    assert (counts.encoded, counts.failed) == (2, {"gave-up": 1})
    problem = known_problems(cluster, "b")["b"]
    assert problem.parts["record"] == ("gave-up", "KeyError: 'a title of the catalogue'")
    assert problem.source, "its content is known, so it is not tried again until that changes"


def test_an_engine_that_refuses_one_record_does_not_stop_the_others(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = EngineRefused(400, "mapper_parsing_exception", "no", "POST /_bulk")
    put = store.CodeStore.put

    def picky(self: store.CodeStore, entries: Any) -> None:
        if any(kept.codes.text == code_of(b"odd") for kept in entries.values()):
            raise refused
        put(self, entries)

    for record, title in zip("abc", ("one", "odd", "three"), strict=True):
        cluster.put("biblios", record, document(title=title))
    monkeypatch.setattr(store.CodeStore, "put", picky)
    counts = encode(cluster, *"abc")
    assert (counts.encoded, counts.failed) == (2, {"gave-up": 1})


@pytest.mark.parametrize("error", [EngineUnavailable("away"), EngineRefused(403, "security_exception", "no", "GET /")])
def test_what_is_no_records_fault_stops_the_job(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def away(*_: object) -> None:
        raise error

    cluster.put("biblios", "a", document(title="a"))
    monkeypatch.setattr(store.CodeStore, "put", away)
    with pytest.raises(type(error)):
        encode(cluster, "a")
    assert known_problems(cluster, "a") == {}


def test_an_encoder_that_cannot_be_loaded_is_no_records_fault(cluster: FakeCluster) -> None:
    def broken() -> Encoder:
        raise OSError("no such device")

    cluster.put("biblios", "a", document(title="a"))
    job = Job("j", "biblios", KNOWN.uuid, "s_1", (Key("a"),))
    with pytest.raises(BundleError, match="the encoder cannot be loaded: OSError: no such device"):
        BatchEncoding(job, KNOWN, cluster.as_cluster(), broken, Settings()).run(Watch())


def test_an_encoder_that_fails_at_everything_is_no_records_fault(cluster: FakeCluster) -> None:
    """A device that fell away: the records stay stale, and none is listed."""

    class Dead(FakeEncoder):
        def encode(self, items: Any) -> Any:
            raise RuntimeError("the device fell off the bus")

    for name in "abc":
        cluster.put("biblios", name, document(title=name))
    job = Job("j", "biblios", KNOWN.uuid, "s_1", tuple(map(Key, "abc")))
    with pytest.raises(BundleError, match="RuntimeError: the device fell off the bus; no record is at fault"):
        BatchEncoding(job, KNOWN, cluster.as_cluster(), Dead, Settings()).run(Watch())
    assert known_problems(cluster, "a", "b", "c") == {}


def test_an_engine_that_stays_busy_ends_with_the_records_listed(
    cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoding.GuardedIndex, "write", lambda _, puts: [Outcome.BUSY] * len(puts))
    monkeypatch.setattr(manners, "FIRST", 0.0)
    cluster.put("biblios", "a", document(title="a"))
    with pytest.raises(EngineUnavailable, match="too busy to write 1 records"):
        encode(cluster, "a")
    assert known_problems(cluster, "a") == {}
    assert encode(cluster, "a", watch=Watch(last=True)).failed == {"gave-up": 1}
    assert known_problems(cluster, "a")["a"].source == "", "the next update tries again"


def test_another_bundle_makes_codes_stale_and_the_store_does_not_mix_them(cluster: FakeCluster) -> None:
    cluster.put("biblios", "1", document(title="one"))
    encode(cluster, "1")
    other = replace(KNOWN, spaces={"s_1": replace(BUNDLE, digest="00")})
    encoder = FakeEncoder()
    job = Job("j", "biblios", KNOWN.uuid, "s_1", (Key("1"),))
    counts = BatchEncoding(job, other, cluster.as_cluster(), lambda: encoder, Settings()).run(Watch())
    assert (counts.encoded, len(encoder.encoded)) == (1, 1)


def test_the_store_does_not_tell_which_texts_it_holds(cluster: FakeCluster) -> None:
    """Its keys are an HMAC: nobody finds a text by hashing guesses."""
    cluster.put("biblios", "1", document(title="one"))
    encode(cluster, "1")
    digest = json.loads(cluster.source("biblios", "1"))["crosshatch"]["s_1"]["source"]
    [(key, kept)] = cluster.indices[KNOWN.store].items()
    assert digest not in key
    assert digest.encode() not in kept.source
    other = store.CodeStore(cluster.as_cluster(), KNOWN.store, "b3RoZXI=", space="s_1", bits=BITS)
    assert other.get([digest]) == {}


def test_codes_of_the_store_that_cannot_be_read_are_made_again(cluster: FakeCluster) -> None:
    cluster.put("biblios", "1", document(title="one"))
    encode(cluster, "1")
    [(key, kept)] = cluster.indices[KNOWN.store].items()
    cluster.put(KNOWN.store, key, kept.source.replace(b'"text":"', b'"text":"AA'))
    cluster.put("biblios", "1", document(title="one"))
    assert encode(cluster, "1").encoded == 1
    assert codes(cluster, "1").text == code_of(b"one")


BANDED = replace(KNOWN, spaces={"s_1": replace(BUNDLE, bands=Banding(BITS, 16))})


def encode_banded(
    cluster: FakeCluster, *records: str, encoder: FakeEncoder, known: Attached = BANDED, **mode: bool
) -> Counts:
    job = Job("j", "biblios", known.uuid, "s_1", tuple(Key(record) for record in records), **mode)
    return BatchEncoding(job, known, cluster.as_cluster(), lambda: encoder, Settings()).run(Watch())


def bands(cluster: FakeCluster, record: str) -> Any:
    return json.loads(cluster.source("biblios", record)).get("_crosshatch")


def test_every_write_carries_the_bands(cluster: FakeCluster) -> None:
    cluster.put("biblios", "1", document(title="one", cover=[GOOD]))
    encoder = FakeEncoder()
    assert encode_banded(cluster, "1", encoder=encoder).encoded == 1
    cut = BANDED.bundle.cut
    assert cut
    assert bands(cluster, "1") == {"s_1": cut.members(codes(cluster, "1"))}
    assert set(bands(cluster, "1")["s_1"]) == {"t", "i", "r", "of"}
    assert encode_banded(cluster, "1", encoder=encoder).unchanged == 1
    cluster.put("biblios", "1", document(title="one", cover=[GOOD], call="813.50"))
    assert encode_banded(cluster, "1", encoder=encoder).restored == 1
    assert bands(cluster, "1") == {"s_1": cut.members(codes(cluster, "1"))}
    assert len(encoder.encoded) == 1


@pytest.mark.parametrize("kept", [True, False], ids=["in the store", "in the document alone"])
@pytest.mark.parametrize("cover", [GOOD, BROKEN], ids=["whole", "partial"])
def test_bands_are_added_to_codes_that_are_there_without_a_model(cluster: FakeCluster, kept: bool, cover: str) -> None:
    """Whatever the code store has lost: the codes lie in the document. What it lacks stays known."""
    cluster.put("biblios", "1", document(title="one", cover=[cover]))
    encode(cluster, "1")
    before, trouble = codes(cluster, "1"), known_problems(cluster, "1")
    assert bool(trouble) is (cover == BROKEN)
    if not kept:
        cluster.indices[KNOWN.store].clear()
    encoder = FakeEncoder()
    counts = encode_banded(cluster, "1", encoder=encoder)
    assert (counts.restored, counts.encoded, counts.documents, encoder.encoded) == (1, 0, 1, [])
    cut = BANDED.bundle.cut
    assert cut
    assert (codes(cluster, "1"), bands(cluster, "1")) == (before, {"s_1": cut.members(before)})
    assert known_problems(cluster, "1") == trouble
    assert counts.partial == ({"picture-unreadable": 1} if trouble else {})
    assert encode_banded(cluster, "1", encoder=encoder).unchanged == 1


def test_another_banding_replaces_the_bands_and_none_takes_them_out(cluster: FakeCluster) -> None:
    cluster.put("biblios", "1", document(title="one"))
    encode(cluster, "1")
    plain, encoder = cluster.source("biblios", "1"), FakeEncoder()
    encode_banded(cluster, "1", encoder=encoder)
    other = replace(KNOWN, spaces={"s_1": replace(BUNDLE, bands=Banding(BITS, 16), filling=Banding(BITS, 8))})
    assert encode_banded(cluster, "1", encoder=encoder, known=other).restored == 1
    assert bands(cluster, "1") == {"s_1": Banding(BITS, 8).members(codes(cluster, "1"))}
    assert encode_banded(cluster, "1", encoder=encoder, known=KNOWN).restored == 1
    assert (cluster.source("biblios", "1"), encoder.encoded) == (plain, [])


def test_a_member_of_somebody_else_keeps_the_bands_out_and_is_told(cluster: FakeCluster) -> None:
    cluster.put("biblios", "1", document(title="one", _crosshatch="red"))
    assert encode(cluster, "1").encoded == 1
    written = cluster.source("biblios", "1")
    counts = encode_banded(cluster, "1", encoder=FakeEncoder())
    assert (counts.failed, cluster.source("biblios", "1")) == ({"write-refused": 1}, written)
    assert "'_crosshatch' that is not ours" in str(known_problems(cluster, "1")["1"].parts)
