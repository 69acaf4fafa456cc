"""`reindex --beside` and `--rollback` under a catalogue that writes and deletes all the time, and every way to fail."""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from integration import aliases, beside, changeover, jobs, move, scan, splice, state, twin
from integration import attach as attaching
from integration import reindex as reindexing
from integration.changeover import Changeover
from integration.cli import cli
from integration.counts import Counts
from integration.encoding import BatchEncoding
from integration.engine.client import Cluster
from integration.engine.services import Services
from integration.jobs import Job
from integration.settings import Settings
from mappings.errors import (
    DataError,
    EngineUnavailable,
    NotAttachedError,
    RequestError,
    WorkerUnavailable,
    WriteRefused,
)
from mappings.fields import StoredCodes
from tests.live.fakes import BITS, CARD, FakeEncoder, NoWatch, code_of

BODY = {
    "settings": {
        "number_of_shards": 2,
        "refresh_interval": "200ms",
        "analysis": {"analyzer": {"plain": {"type": "custom", "tokenizer": "standard", "filter": ["asciifolding"]}}},
    },
    "mappings": {
        "dynamic": "strict",
        "_meta": {"owner": "the catalogue"},
        "properties": {"title": {"type": "text", "analyzer": "plain"}, "call": {"type": "keyword"}},
    },
}


@pytest.fixture(params=["internal", "external"])
def versioning(request: pytest.FixtureRequest) -> str:
    """How the catalogue versions its documents."""
    return str(request.param)


@pytest.fixture
def name(
    cluster: Cluster, index: Callable[..., str], versioning: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The alias of an attached index, which also has an alias with a filter; what was built is deleted afterwards."""
    monkeypatch.setattr(move, "QUIET", 0.5)
    concrete = index(BODY)
    name = f"{concrete}-catalogue"
    actions = [{"add": {"index": concrete, "alias": name}}]
    actions += [{"add": {"index": concrete, "alias": f"{name}-red", "filter": {"match": {"title": "red"}}}}]
    cluster.request("POST", "/_aliases", body={"actions": actions})
    file = tmp_path / "test.yaml"
    file.write_text(f"name: test\nversioning: {versioning}\ntext: [title]\n")
    attaching.attach(cluster, attaching.plan(cluster, name, str(file), CARD))
    yield name
    for built in cluster.request("GET", f"/{concrete}-beside-*/_settings"):
        cluster.request("DELETE", f"/{built}")


class Writer:
    """A catalogue: bulk requests of whole documents and deletes through the alias; it knows what it wrote last."""

    def __init__(self, cluster: Cluster, name: str, versioning: str) -> None:
        self._cluster, self._name, self._external = cluster, name, versioning == "external"
        self._random = random.Random(7)
        self.truth: dict[str, bytes] = {}
        self._versions: dict[str, int] = {}
        self.errors: list[Any] = []
        self.writes = 0
        self.rewrites = self._external  # at the same version, as InvenioRDM does for labels
        self._stop, self.between = threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._run)

    def start(self) -> None:
        """Write from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Write no more."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            with self.between:
                self.step(self._random.randrange(1, 12))
            time.sleep(0.01)

    def step(self, size: int) -> None:
        """One bulk request."""
        lines, after = [], dict(self.truth)
        for _ in range(size):
            record = f"r/{self._random.randrange(250)}"
            if record in after and self._random.random() < 0.25:
                lines.append({"delete": self._about(record)})
                del after[record]
                continue
            again = self.rewrites and record in after and self._random.random() < 0.2
            lines.append({"index": self._about(record, step=0 if again else 1)})
            self.writes += 1
            call = self._random.choice(("813.50", "1E2", "30"))
            after[record] = b'{"title":"%s red %d",  "call":%s}' % (record.encode(), self.writes, call.encode())
            lines.append(after[record])
        body = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines) + b"\n"
        try:
            answer = self._cluster.bulk(f"/{self._name}", body)
        except Exception as error:
            self.errors.append(error)
            return
        self.errors += [item for item in answer["items"] if "error" in next(iter(item.values()))]
        self.truth = after

    def _about(self, record: str, *, step: int = 1) -> dict[str, Any]:
        if not self._external:
            return {"_id": record}
        self._versions[record] = self._versions.get(record, 0) + step
        return {"_id": record, "version": self._versions[record], "version_type": "external_gte"}


@pytest.fixture
def writer(cluster: Cluster, name: str, versioning: str) -> Iterator[Writer]:
    """A catalogue with some records, not yet writing."""
    writer = Writer(cluster, name, versioning)
    for _ in range(60):
        writer.step(10)
    yield writer
    writer.stop() if writer._thread.is_alive() else None


def encoder(cluster: Cluster) -> Callable[[state.Attached], None]:
    """What brings the codes of an index up to date."""

    def encode(known: state.Attached) -> None:
        keys = tuple(one.key for one in scan.judged(cluster, known) if one.verdict == "stale")
        job = Job("fill", known.index, known.uuid, known.space, keys)
        BatchEncoding(job, known, cluster, FakeEncoder, Settings()).run(NoWatch())

    return encode


def told(message: str) -> None:
    """Progress, with the time."""
    print(f"{time.monotonic():.2f} {message}")


def documents(cluster: Cluster, name: str) -> dict[str, bytes]:
    """Every document behind `name`, as it is."""
    cluster.request("POST", f"/{name}/_refresh")
    return {hit.id: hit.source for page in scan.pages(cluster, name) for hit in page}


def without_codes(found: dict[str, bytes]) -> dict[str, bytes]:
    """The documents as the catalogue wrote them."""
    return {record: splice.take_out(source) for record, source in found.items()}


def assert_codes(found: dict[str, bytes], space: str) -> None:
    """Every document has the code of its own title."""
    for source in found.values():
        document = json.loads(source)
        codes = StoredCodes.read(document["crosshatch"][space], BITS)
        assert codes.text == code_of(document["title"].encode())


def test_an_index_is_rebuilt_and_rolled_back_under_a_busy_catalogue(
    cluster: Cluster, name: str, writer: Writer
) -> None:
    """No error for the writer, no document other than what it wrote last, the codes right, both ways."""
    first = state.attached(cluster, name)
    encoder(cluster)(first)
    writer.rewrites = False  # one in the very instant of a guarded write is lost, and named: see integration.writer
    writer.start()
    done = beside.run(cluster, name, encoder(cluster), told)
    assert (done.before, done.now) == (first.index, f"{first.index}-beside-1")
    with writer.between:
        second = state.attached(cluster, name)
        assert (second.index, second.secret, second.spaces) == (done.now, first.secret, first.spaces)
        assert without_codes(documents(cluster, name)) == writer.truth
        encoder(cluster)(second)
        assert_codes(documents(cluster, name), second.space)
    assert writer.errors == []
    time.sleep(1)  # a catalogue at work on the new one
    back = beside.rollback(cluster, name, encoder(cluster), told)
    assert (back.before, back.now) == (done.now, first.index)
    writer.stop()
    assert writer.errors == []
    assert state.attached(cluster, name).index == first.index
    assert without_codes(documents(cluster, name)) == writer.truth
    encoder(cluster)(state.attached(cluster, name))
    assert_codes(documents(cluster, name), first.space)


@pytest.mark.parametrize("versioning", ["external"])
def test_the_new_index_is_like_the_old_one(
    cluster: Cluster, name: str, writer: Writer, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Settings, mappings, aliases with their filters, bytes and routing; by the command, which tells what it did."""
    old = state.attached(cluster, name)
    cluster.request(
        "PUT", f"/{old.index}/_doc/odd", params={"routing": "x"}, body=b'{\n "title": "odd",\n "call": 1E2 }'
    )
    before = cluster.request("GET", f"/{old.index}", params={"flat_settings": "true"})[old.index]
    held = documents(cluster, name)
    monkeypatch.setenv("CROSSHATCH_OPENSEARCH_URL", services.url)
    monkeypatch.setenv("CROSSHATCH_REDIS_URL", services.broker_url)
    planned = json.loads(CliRunner().invoke(cli, ["reindex", name, "--beside", "--dry-run", "--json"]).stdout)["beside"]
    assert (planned["before"], planned["aliases"], planned["size"]["documents"]) == (
        old.index,
        [name, f"{name}-red"],
        len(held),
    )
    assert isinstance(CliRunner().invoke(cli, ["reindex", name, "--beside"]).exception, WorkerUnavailable)
    monkeypatch.setattr(jobs, "live_workers", lambda _: ["one"])
    modes: list[reindexing.Mode] = []

    def encode(*arguments: Any) -> Counts:
        modes.append(arguments[4])
        return Counts(encoded=1, unchanged=len(held) - 1)

    monkeypatch.setattr(reindexing, "run", encode)
    told = json.loads(CliRunner().invoke(cli, ["reindex", name, "--beside", "--force", "--json"]).stdout)
    assert (told["documents"], told["encoded"], told["unchanged"]) == (len(held), 2, len(held) - 2)
    assert [mode.force for mode in modes] == [True, False]  # what comes late is not encoded all over again
    new = state.attached(cluster, name)
    assert told["beside"] == {
        "alias": name, "before": old.index, "now": new.index, "documents": len(held), "carried_late": 0,
        "deleted_late": 0,
    }  # fmt: skip
    after = cluster.request("GET", f"/{new.index}", params={"flat_settings": "true"})[new.index]
    assert after["mappings"] == before["mappings"]
    own = {"index.uuid", "index.creation_date", "index.provided_name", "index.auto_expand_replicas"}
    assert {k: v for k, v in after["settings"].items() if k not in own} == {
        k: v for k, v in before["settings"].items() if k not in own
    }
    assert [found["aliases"].pop(ours, None) for found, ours in ((after, new.alias), (before, old.alias))] == [
        {"is_hidden": True}
    ] * 2
    assert after["aliases"] == before["aliases"]
    assert documents(cluster, name) == held
    assert cluster.exists(f"/{new.index}/_doc/odd?routing=x")
    assert set(cluster.request("GET", f"/{old.index}/_alias")[old.index]["aliases"]) == set()


def test_what_is_written_around_the_swap_is_neither_lost_nor_brought_back(
    cluster: Cluster, name: str, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several late writes and deletes in the old index, then fewer in the new: versions alone would mislead."""
    swap = aliases.swap

    def swap_amid(*arguments: Any) -> None:
        for _ in range(30):
            writer.step(10)
        swap(*arguments)
        for _ in range(4):
            writer.step(10)

    monkeypatch.setattr(aliases, "swap", swap_amid)
    known = state.attached(cluster, name)
    done = beside.run(cluster, name, encoder(cluster), told)
    assert done.carried_late
    assert done.deleted_late
    assert writer.errors == []
    assert without_codes(documents(cluster, name)) == writer.truth
    beside.rollback(cluster, name, encoder(cluster), told)
    assert writer.errors == []
    assert without_codes(documents(cluster, name)) == writer.truth
    assert_codes(documents(cluster, name), known.space)


@pytest.mark.parametrize("versioning", ["internal"])
def test_stopped_before_the_swap_nothing_has_happened(
    cluster: Cluster, name: str, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error clears the half-built index away at once; after a kill the next run does, once it is sure."""
    old = state.attached(cluster, name)

    def fail(_: state.Attached) -> None:
        raise DataError("no worker")

    with pytest.raises(DataError, match="no worker"):
        beside.run(cluster, name, fail, told)
    assert_untouched(cluster, name, old)
    with monkeypatch.context() as killed:
        killed.setattr(beside, "_clear_away", lambda *_: None)
        with pytest.raises(DataError, match="no worker"):
            beside.run(cluster, name, fail, told)
    half_built = f"{old.index}-beside-1"
    assert cluster.exists(f"/{half_built}")
    assert state.attached(cluster, name) == old
    with pytest.raises(RequestError, match=r"another run rebuilds .* \(a sign of life"):
        beside.run(cluster, name, fail, told)
    monkeypatch.setattr(changeover, "DEAD", 0.0)
    with pytest.raises(RequestError, match="which no `reindex --beside` made"):
        beside.rollback(cluster, name, fail, told)
    assert_untouched(cluster, name, old)
    assert beside.run(cluster, name, lambda _: None, told).now == half_built
    assert without_codes(documents(cluster, name)) == writer.truth


@pytest.mark.parametrize("versioning", ["external"])
def test_a_swap_whose_answer_came_late_is_not_cleared_away(
    cluster: Cluster, name: str, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks while the swap still waits its turn: a look shows the old index, and then it happens."""
    monkeypatch.setattr(changeover, "DEAD", 0.0)
    swap, unlink, waiting = aliases.swap, aliases.unlink, []

    def broken(*arguments: Any) -> None:
        waiting.append(arguments)
        raise EngineUnavailable("the connection broke")

    def next_one(*arguments: Any) -> None:
        while waiting:
            swap(*waiting.pop())
        unlink(*arguments)

    with monkeypatch.context() as slow:
        slow.setattr(aliases, "swap", broken)
        slow.setattr(aliases, "unlink", next_one)
        with pytest.raises(EngineUnavailable, match=r"changed over to test-.*-beside-1 after all; run this again"):
            beside.run(cluster, name, lambda _: None, told)
    beside.run(cluster, name, lambda _: None, told)
    assert without_codes(documents(cluster, name)) == writer.truth
    assert writer.errors == []


@pytest.mark.parametrize("versioning", ["external"])
def test_stopped_after_the_swap_the_next_run_finishes(
    cluster: Cluster, name: str, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The late writes are carried by the next run, whichever direction it was stopped in."""
    monkeypatch.setattr(changeover, "DEAD", 0.0)
    old = state.attached(cluster, name)
    for begin, finish in ((beside.run, beside.run), (beside.rollback, beside.rollback)):
        with monkeypatch.context() as killed:
            killed.setattr(move, "finish", stopped)
            killed.setattr(aliases, "swap", after(writer, aliases.swap))
            with pytest.raises(KeyboardInterrupt):
                begin(cluster, name, lambda _: None, told)
        finish(cluster, name, lambda _: None, told)
        assert without_codes(documents(cluster, name)) == writer.truth
    assert writer.errors == []
    assert state.attached(cluster, name).index == old.index
    assert beside.rollback(cluster, name, lambda _: None, told).now == f"{old.index}-beside-1"


@pytest.mark.parametrize("versioning", ["external"])
def test_who_goes_on_writing_to_the_old_index_by_its_own_name_is_told_of(
    cluster: Cluster, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, end, late = state.attached(cluster, name).index, threading.Event(), list[str]()

    def write() -> None:
        while not end.wait(0.05):
            path, params = f"/{old}/_doc/late-{len(late)}", {"version": 1, "version_type": "external_gte"}
            cluster.request("PUT", path, params=params, body={"title": "late"})
            late.append(path.rsplit("/", 1)[1])

    monkeypatch.setattr(changeover, "DEAD", 0.0)
    monkeypatch.setattr(move, "QUIET", 0.5)
    with monkeypatch.context() as short:
        short.setattr(move, "PATIENCE", 2.0)
        writing = threading.Thread(target=write)
        writing.start()
        try:
            with pytest.raises(RequestError, match="by its own name, 2 seconds after the alias moved"):
                beside.run(cluster, name, lambda _: None, told)
        finally:
            end.set()
            writing.join()
    beside.run(cluster, name, lambda _: None, told)
    assert late
    assert documents(cluster, name).keys() >= set(late)


def stopped(*_: Any) -> Any:
    """What a kill looks like from inside."""
    raise KeyboardInterrupt


def after(writer: Writer, swap: Callable[..., None]) -> Callable[..., None]:
    """The swap, with late writes before it."""

    def late(*arguments: Any) -> None:
        writer.step(20)
        swap(*arguments)

    return late


def assert_untouched(cluster: Cluster, name: str, old: state.Attached) -> None:
    """The live index, its aliases and its state are as they were, and nothing is left of the new one."""
    assert state.attached(cluster, name) == old
    found = cluster.request("GET", f"/{old.index}/_alias")[old.index]["aliases"]
    assert set(found) == {name, f"{name}-red", old.alias}
    assert not cluster.exists(f"/{old.index}-beside-1")
    assert state.by_name(cluster, f"{old.index}-beside-1") is None


@pytest.mark.parametrize("versioning", ["internal"])
def test_what_cannot_be_rebuilt_beside_is_refused(
    cluster: Cluster, name: str, index: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A concrete name, two indices, one not attached, no room, a template that would let it be searched, no old one."""
    old = state.attached(cluster, name)
    two = index()
    cluster.request("POST", "/_aliases", body={"actions": [{"add": {"index": two, "alias": f"{name}-red"}}]})
    cluster.request("POST", "/_aliases", body={"actions": [{"add": {"index": two, "alias": f"{name}-two"}}]})
    for wrong, error, said in (
        (old.index, RequestError, "is an index and no alias. Koha and FOLIO rebuild theirs"),
        (f"{name}-red", RequestError, "stands for 2 indices"),
        (f"{name}-two", NotAttachedError, "run `crosshatch attach"),
    ):
        with pytest.raises(error, match=said):
            beside.plan(cluster, wrong)
    template = {"index_patterns": [f"{old.index}*"], "template": {"aliases": {f"{name}-red": {}}}}
    cluster.request("PUT", f"/_index_template/{old.index}", body=template)
    with pytest.raises(RequestError, match="half-built index would be searched"):
        beside.plan(cluster, name)
    cluster.request("DELETE", f"/_index_template/{old.index}")
    with pytest.raises(RequestError, match="nothing to go back to"):
        beside.rollback(cluster, name, lambda _: None, told)
    planned = beside.plan(cluster, name)
    assert (planned.now, planned.aliases) == (f"{old.index}-beside-1", (name, f"{name}-red"))
    monkeypatch.setattr(twin, "GROWTH", 1e15)
    with pytest.raises(WriteRefused, match=r"needs .* bytes, and .* are free"):
        beside.run(cluster, name, lambda _: None, told)
    assert_untouched(cluster, name, old)


@pytest.mark.parametrize("versioning", ["internal"])
def test_an_alias_that_somebody_else_moves_meanwhile_stays_theirs(
    cluster: Cluster, name: str, index: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compare before act, before the request and within it."""
    old, other, swap = state.attached(cluster, name), index(), aliases.swap

    def elsewhere(*_: Any) -> None:
        both = [{"remove": {"index": old.index, "alias": name}}, {"add": {"index": other, "alias": name}}]
        cluster.request("POST", "/_aliases", body={"actions": both})

    monkeypatch.setattr(aliases, "swap", lambda *arguments: (elsewhere(), swap(*arguments)))
    with pytest.raises(RequestError, match="was changed by somebody else meanwhile"):
        beside.run(cluster, name, lambda _: None, told)
    assert list(cluster.request("GET", f"/_alias/{name}")) == [other]
    assert not cluster.exists(f"/{old.index}-beside-1")
    cluster.request("POST", "/_aliases", body={"actions": [
        {"remove": {"index": other, "alias": name}}, {"add": {"index": old.index, "alias": name}},
    ]})  # fmt: skip
    monkeypatch.setattr(aliases, "swap", swap)
    within = aliases.aliased
    monkeypatch.setattr(aliases, "aliased", lambda *arguments: (within(*arguments), elsewhere())[0])
    over = Changeover(old.index, old.index, old.uuid, other, "", built=True)
    with pytest.raises(RequestError, match="was changed by somebody else meanwhile"):
        aliases.swap(cluster, name, over, old)
    assert list(cluster.request("GET", f"/_alias/{name}")) == [other]
    assert cluster.request("GET", f"/{old.index}/_alias")[old.index]["aliases"].keys() == {f"{name}-red", old.alias}
