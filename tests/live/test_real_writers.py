"""Library systems write at full speed beside encoding: nothing of theirs is lost, changed or refused."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from integration import attach as attaching
from integration import problems, reattach, scan, state
from integration.counts import Counts
from integration.encoding import BatchEncoding
from integration.engine.client import Cluster
from integration.jobs import Job
from integration.settings import Settings
from integration.writer import Key
from mappings.errors import EngineUnavailable, UnknownIndexError
from tests.live.fakes import CARD, FakeEncoder, NoWatch
from tests.writers import folio, invenio, library, smile
from tests.writers.codes import wrong_codes
from tests.writers.folio import FolioWriter
from tests.writers.invenio import InvenioWriter
from tests.writers.koha import KohaWriter
from tests.writers.writer import Action, Writer

RECORDS = 300
WRITTEN = 800


class Encoding:
    """Updates without pause in a thread of their own, in jobs of a worker's size, until told to end."""

    def __init__(self, cluster: Cluster, settings: Settings, indexes: Sequence[str]) -> None:
        self._cluster, self._settings, self._indexes = cluster, settings, indexes
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.encoder = FakeEncoder()
        self.counts = Counts()
        self.broke: list[BaseException] = []

    def __enter__(self) -> "Encoding":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._end.is_set():
                for index in self._indexes:
                    self.update(index, until=self._end.is_set)
        except BaseException as error:
            self.broke.append(error)

    def update(self, index: str, *, until: Callable[[], bool] = lambda: False) -> int:
        """Encode what is stale; how many records that was."""
        try:
            known = reattach.current(self._cluster, index)
            if known is None:  # the catalogue is making it
                return 0
            stale = [one.key for one in scan.judged(self._cluster, known) if one.verdict == "stale"]
            for start in range(0, len(stale), 64):
                if not until():
                    self._job(known, stale[start : start + 64])
        except (UnknownIndexError, EngineUnavailable):  # it was dropped under us
            return 0
        return len(stale)

    def _job(self, known: state.Attached, keys: Sequence[Key]) -> None:
        job = Job(uuid.uuid4().hex, known.index, known.uuid, known.space, tuple(keys))
        encoding = BatchEncoding(job, known, self._cluster, lambda: self.encoder, self._settings)
        self.counts.add(encoding.run(NoWatch()))


def wait_for(ready: Callable[[], bool]) -> None:
    """Wait until `ready`; three minutes are an error."""
    deadline = time.monotonic() + 180
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def written(writer: Writer, number: int) -> Callable[[], bool]:
    """Whether the writer has written so many more records from now on."""
    results = ("created", "updated", "deleted")
    start = sum(writer.truth.counts[name] for name in results)
    return lambda: bool(writer.truth.errors) or sum(writer.truth.counts[name] for name in results) >= start + number


def told(cluster: Cluster, known: state.Attached) -> set[str]:
    """Records of which we say that our write may lie on top of one of the library system's."""
    mine = problems.MAYBE_OVERWRITTEN
    return {found.record for found in problems.every(cluster, known) if mine in found.parts.values()}


def attach(cluster: Cluster, index: str, target: str) -> state.Attached:
    """Attach with the shipped profile; every check passes."""
    plan = attaching.plan(cluster, index, target, CARD)
    assert [check for check in plan.checks if not check.ok] == []
    return attaching.attach(cluster, plan)


@pytest.fixture
def name(cluster: Cluster) -> Iterator[str]:
    """A name of its own; every index that begins with it is deleted afterwards."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    yield name
    cluster.request("DELETE", f"/{name}*", params={"expand_wildcards": "all"})


def test_koha_at_full_speed_with_a_rebuild_in_the_middle(cluster: Cluster, settings: Settings, name: str) -> None:
    """Bulk of whole documents, deletes, delete + create + put mapping: codes come back, and Koha met no error."""
    writer = KohaWriter(settings.opensearch_url or "", name, library.records(RECORDS)).build()
    attach(cluster, name, "koha")
    with Encoding(cluster, settings, [name]) as encoding:
        writer.start()
        wait_for(written(writer, WRITTEN))
        writer.rebuild()
        encoded = encoding.counts.encoded
        wait_for(written(writer, WRITTEN))
        truth = writer.stop()
    encoding.update(name)
    known = state.attached(cluster, name)
    print(dict(truth.counts), encoding.counts, f"{encoded} encoded before the rebuild")
    assert encoding.broke == []
    assert not truth.check(cluster), truth.check(cluster)
    assert (truth.counts["missed"], truth.counts["found"]) == (0, 0)
    assert truth.counts["updated"] > WRITTEN
    assert truth.counts["deleted"] > 0
    assert wrong_codes(cluster, known, FakeEncoder(), tolerated=0) == []
    assert encoding.counts.restored > 0
    indexes = cluster.request("GET", "/_cat/indices", params={"format": "json", "expand_wildcards": "all"})
    assert [found["index"] for found in indexes if found["index"].startswith("crosshatch-w-")] == []


def test_folio_with_two_tenants_at_full_speed(cluster: Cluster, settings: Settings, name: str) -> None:
    """SMILE and gzip: what we write back is JSON of equal value, and mod-search's next bulk meets no error."""
    writer = FolioWriter(settings.opensearch_url or "", ["diku", "college"], library.records(RECORDS), prefix=name)
    writer.build()
    attached = [attach(cluster, index, "folio") for index in writer.indexes]
    with Encoding(cluster, settings, writer.indexes) as encoding:
        writer.start()
        wait_for(written(writer, WRITTEN))
        truth = writer.stop()
    for index in writer.indexes:
        encoding.update(index)
    print(dict(truth.counts), encoding.counts)
    assert encoding.broke == []
    assert not truth.check(cluster), truth.check(cluster)
    assert (truth.counts["missed"], truth.counts["found"]) == (0, 0)
    assert truth.counts["deleted"] > 0
    for known in attached:
        assert wrong_codes(cluster, known, FakeEncoder(), tolerated=0) == []


def test_invenio_at_a_rate_of_every_day(cluster: Cluster, settings: Settings, name: str) -> None:
    """A strict mapping, revisions as versions, rewrites at the same one: at 20 records a second nothing is lost."""
    writer = InvenioWriter(settings.opensearch_url or "", f"{name}-", library.records(200)).build()
    known = attach(cluster, writer.index, "invenio")
    with Encoding(cluster, settings, [known.index]) as encoding:
        writer.start(rate=20)
        wait_for(written(writer, 100))
        truth = writer.stop()
    encoding.update(known.index)
    print(dict(truth.counts), encoding.counts, f"{len(told(cluster, known))} told")
    assert encoding.broke == []
    assert not truth.check(cluster), truth.check(cluster)
    assert wrong_codes(cluster, known, FakeEncoder(), tolerated=0) == []


def test_invenio_at_full_speed(cluster: Cluster, settings: Settings, name: str) -> None:
    """Nothing is refused, lost or brought back; a rewrite at the same revision in the instant of our write is told.

    Few records and nearly all changes rewrites: that the two meet is made likely here, and is rare anywhere else.
    """
    writer = InvenioWriter(settings.opensearch_url or "", f"{name}-", library.records(60)).build()
    writer.relabelled = 0.9
    known = attach(cluster, writer.index, "invenio")
    with Encoding(cluster, settings, [known.index]) as encoding:
        writer.start()
        wait_for(written(writer, 2 * WRITTEN))
        writer.reindex()
        truth = writer.stop()
    encoding.update(known.index)
    differences = truth.check(cluster)
    named = told(cluster, known)
    print(
        dict(truth.counts), encoding.counts, f"{len(differences.foreign_changed)} lie beneath ours, {len(named)} told"
    )
    assert encoding.broke == []
    assert (differences.lost, differences.brought_back, differences.errors) == ((), (), ())
    assert truth.counts["missed"] == 0
    assert {record for _, record in differences.foreign_changed} <= named
    assert wrong_codes(cluster, known, FakeEncoder(), tolerated=0) == []


def test_the_judge_sees_every_kind_of_harm(cluster: Cluster, settings: Settings, name: str) -> None:
    """What is done to the records by hand here is what the other tests say did not happen."""
    writer = KohaWriter(settings.opensearch_url or "", name, library.records(12)).build()
    known = attach(cluster, name, "koha")
    Encoding(cluster, settings, [name]).update(name)
    writer.send([Action(name, "7", None)])
    truth = writer.stop()
    assert not truth.check(cluster)
    assert wrong_codes(cluster, known, FakeEncoder(), tolerated=0) == []
    cluster.request("DELETE", f"/{name}/_doc/1")
    cluster.request("POST", f"/{name}/_update/2", body={"doc": {"itype": ["DVD"]}})
    cluster.request(
        "POST", f"/{name}/_update/3", body={"doc": {"crosshatch": {known.space: {"text": "A" * 22 + "=="}}}}
    )
    cluster.request("PUT", f"/{name}/_doc/4", body=dict(json.loads(bytes(truth.held[name, "5"].body or b""))))
    cluster.request("PUT", f"/{name}/_doc/7", body={"title": "back"})
    differences = truth.check(cluster)
    assert differences.lost == ((name, "1"),)
    assert differences.brought_back == ((name, "7"),)
    assert set(differences.foreign_changed) == {(name, "2"), (name, "4")}
    assert wrong_codes(cluster, known, FakeEncoder()) == ["3: another code", "4: no code"]


@pytest.mark.parametrize("mapping", ["of the system", "a part of it"])
def test_each_profile_fits_its_system(
    cluster: Cluster, settings: Settings, name: str, mapping: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every check passes, every record has a text, and the BM25 side finds it by a word of its title."""
    if mapping == "a part of it":
        monkeypatch.setattr(folio, "MODEL", Path("none"))
        monkeypatch.setattr(invenio, "MODEL", Path("none"))
    elif not (folio.MODEL.is_dir() and invenio.MODEL.is_file()):
        pytest.skip("the mappings of FOLIO and InvenioRDM do not lie beside the checkout (../shared/targets)")
    url, books = settings.opensearch_url or "", library.records(4)
    writers = {
        "koha": KohaWriter(url, f"{name}-koha", books).build(),
        "folio": FolioWriter(url, ["diku"], books, prefix=name).build(),
        "invenio": InvenioWriter(url, f"{name}-", books).build(),
    }
    for target, writer in writers.items():
        [index] = {index for index, _ in writer.stop().held}
        known = attach(cluster, index, target)
        encoding = Encoding(cluster, settings, [index])
        assert (encoding.update(index), encoding.counts.encoded) == (4, 4)
        assert not writer.truth.check(cluster)
        words = {"query": library.bib(books[0]).title, "type": "cross_fields", "fields": known.profile.searched}
        found = cluster.request("POST", f"/{known.index}/_search", body={"query": {"multi_match": words}})
        assert found["hits"]["hits"], target


def test_smile_is_read_as_it_was_meant(cluster: Cluster, settings: Settings, index: Callable[..., str]) -> None:
    """The engine's own reader says what our encoder wrote, every kind of value in all its lengths."""
    values: list[Any] = [None, True, False, 0, -16, 15, 16, -17, 2**31 - 1, -(2**31), 2**31, 2**63 - 1, -(2**63)]
    values += [2**64, -(10**30), 3.5, -0.25, 1e300, "", "a", "é", "鯨", "\U0001f40b", {}, [], [[], [1, [2]]]]
    texts = ("x" * n for n in (1, 63, 64, 65, 66, 3000))
    values += [sign + text for text in texts for sign in ("", "é", "鯨")]
    names = dict.fromkeys(("a", "é", "x" * 64, "x" * 65, "é" * 28, "é" * 29, "x" * 300), 1)
    document = {"tag": [{"v": value} for value in values] + [names]}
    made = index({"mappings": {"properties": {"tag": {"type": "object", "enabled": False}}}})
    body = smile.bulk({"index": {"_index": made, "_id": "1"}}, document)
    headers = {"content-type": "application/smile", "accept": "application/json"}
    answer = httpx.post(f"{settings.opensearch_url}/_bulk", content=body, headers=headers).json()
    assert not answer["errors"], answer
    assert json.loads(cluster.raw("GET", f"/{made}/_source/1")) == document
