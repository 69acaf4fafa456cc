"""Library systems write at full speed beside encoding: nothing of theirs is lost, changed or refused."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx
import pytest

from integration import attach as attaching
from integration import problems, scan, state
from integration.counts import Counts
from integration.encoding import BatchEncoding
from integration.engine.client import Cluster
from integration.jobs import Job
from integration.settings import Settings
from integration.writer import Key
from mappings.errors import EngineUnavailable, NotAttachedError, UnknownIndexError
from tests.live.fakes import CARD, FakeEncoder, NoWatch
from tests.writers import library, smile
from tests.writers.codes import wrong_codes
from tests.writers.folio import FolioWriter
from tests.writers.invenio import InvenioWriter
from tests.writers.koha import KohaWriter
from tests.writers.writer import Writer

RECORDS = 500
WRITTEN = 1500


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
            known = state.attached(self._cluster, index)
            stale = [one.key for one in scan.judged(self._cluster, known) if one.verdict == "stale"]
            for start in range(0, len(stale), 64):
                if not until():
                    self._job(known, stale[start : start + 64])
        except (NotAttachedError, UnknownIndexError, EngineUnavailable):  # between a rebuild and the next attach
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


def attach(cluster: Cluster, index: str, target: str | None) -> state.Attached:
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
        known = attach(cluster, name, None)
        encoded = encoding.counts.encoded
        wait_for(written(writer, WRITTEN))
        truth = writer.stop()
    encoding.update(name)
    print(dict(truth.counts), encoding.counts, f"{encoded} encoded before the rebuild")
    assert encoding.broke == []
    assert not truth.check(cluster), truth.check(cluster)
    assert (truth.counts["missed"], truth.counts["found"]) == (0, 0)
    assert truth.counts["updated"] > WRITTEN
    assert truth.counts["deleted"] > 0
    assert wrong_codes(cluster, known, FakeEncoder(), tolerated=0) == []
    assert encoding.counts.restored > 0


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
    print(dict(truth.counts), encoding.counts)
    assert encoding.broke == []
    assert not truth.check(cluster), truth.check(cluster)
    assert wrong_codes(cluster, known, FakeEncoder(), tolerated=0) == []


def test_invenio_at_full_speed(cluster: Cluster, settings: Settings, name: str) -> None:
    """No write is refused, no record lost; a rewrite at the same revision that fell into our window is told."""
    writer = InvenioWriter(settings.opensearch_url or "", f"{name}-", library.records(RECORDS)).build()
    known = attach(cluster, writer.index, "invenio")
    with Encoding(cluster, settings, [known.index]) as encoding:
        writer.start()
        wait_for(written(writer, WRITTEN))
        writer.reindex()
        truth = writer.stop()
    encoding.update(known.index)
    differences = truth.check(cluster)
    print(dict(truth.counts), encoding.counts, len(differences.foreign_changed), "lie beneath a write of ours")
    assert encoding.broke == []
    assert (differences.lost, differences.brought_back, differences.errors) == ((), (), ())
    assert truth.counts["missed"] == 0
    told = {problem.record for problem in problems.every(cluster, known)}
    assert {record for _, record in differences.foreign_changed} <= told
    assert wrong_codes(cluster, known, FakeEncoder(), tolerated=0) == []


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
