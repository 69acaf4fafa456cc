"""Bands on a real engine: added to an index that is encoded, without a model; kept, healed, replaced and taken out."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from integration import attach as attaching
from integration import bandings, plans, reattach, reindex, scan, spaces, state, status
from integration.cli import cli
from integration.counts import Counts
from integration.engine.client import Cluster, part
from integration.engine.services import Services
from integration.parcels import Mode
from integration.queries import QueryCodes
from integration.search import run
from integration.search.request import Plan, SearchRequest
from integration.settings import Settings
from integration.stored import beside_of, stored_beside, stored_codes, stored_members
from mappings.bands import OBJECT as BANDS
from mappings.bands import field_name
from mappings.errors import AttachRefused, DataError, RequestError, SwitchedOff
from mappings.fields import OBJECT
from tests.live.fakes import BITS, CARD, code_of
from tests.live.test_follow import Hands, hands

__all__ = ["hands"]
RECORDS = 300
BODY = '{"title": "book %d", "call": 813.50}'
BROKER = "redis://127.0.0.1:1/0"
STRICT = {"dynamic": "strict", "properties": {"title": {"type": "text"}, "call": {"type": "double"}}}
OTHER = replace(CARD, name="other", digest="0e" * 32)


class Silent:
    """Progress that nobody watches."""

    def scanned(self, documents: int) -> None:
        """Nothing."""

    def started(self, total: int, settled: int = 0) -> None:
        """Nothing."""

    def advanced(self, counts: Counts) -> None:
        """Nothing."""

    def waiting(self, message: str) -> None:
        """Nothing."""


@pytest.fixture(params=["internal", "external"])
def versioning(request: pytest.FixtureRequest) -> str:
    """How the library system versions its documents."""
    return str(request.param)


@pytest.fixture
def known(
    versioning: str, cluster: Cluster, index: Callable[..., str], tmp_path: Path, settings: Settings, hands: Hands
) -> state.Attached:
    """An attached, strict index whose records are encoded."""
    profile = tmp_path / "p.yaml"
    profile.write_text(f"name: test\nversioning: {versioning}\ntext: [title]\n")
    return encoded(cluster, index({"mappings": STRICT}), profile, settings, hands, RECORDS)


def encoded(
    cluster: Cluster, name: str, profile: Path, settings: Settings, hands: Hands, records: int
) -> state.Attached:
    """The empty index `name` filled with so many books, attached by a profile, and every record of it encoded."""
    lines = [json.dumps({"index": {"_id": str(n)}}) + "\n" + BODY % n + "\n" for n in range(records)]
    cluster.bulk(f"/{name}", "".join(lines).encode())
    known = attaching.attach(cluster, attaching.plan(cluster, name, str(profile), CARD))
    assert update(cluster, known, settings).encoded == records
    hands.encoder.encoded.clear()
    return known


def update(cluster: Cluster, known: state.Attached, settings: Settings) -> Counts:
    """One `crosshatch update`."""
    return reindex.run(cluster, known, BROKER, settings, Mode(), Silent())


def add(cluster: Cluster, known: state.Attached, settings: Settings, **how: Any) -> plans.Added:
    """`crosshatch plans add`, of what the state says now."""
    now = state.attached(cluster, known.index)
    return plans.add(cluster, now, how.pop("space", now.space), BROKER, settings, Silent(), **how)


def search(cluster: Cluster, known: state.Attached, settings: Settings, plan: Plan = "bands") -> run.SearchResult:
    """A search by the code of book 7."""
    codes = QueryCodes({"text": code_of(b"book 7")}, "process")
    searcher = run.Searcher(cluster, settings, None, lambda *_, **__: CARD, lambda *_: codes)
    return searcher.search(known.index, SearchRequest(image=b"-", plan=plan))


def raw(cluster: Cluster, known: state.Attached, record: str) -> bytes:
    """The bytes of a document."""
    return cluster.raw("GET", f"/{known.index}/_source/{part(record)}")


def banded(cluster: Cluster, name: str, space: str | None = None) -> dict[str, bool]:
    """By record, whether its bands are those of its codes, by the banding of the state."""
    known = state.attached(cluster, name)
    seen = known.in_space(space or known.space)
    cluster.request("POST", f"/{name}/_refresh")
    found = {}
    for page in scan.pages(cluster, name):
        for hit in page:
            document = json.loads(hit.source)
            members = stored_members(document, seen.space) or {}
            codes = stored_codes(members, members.get("source", ""), BITS)
            assert codes, hit.id
            wanted = beside_of(codes, seen.bundle)
            found[hit.id] = wanted is not None and stored_beside(document, seen.space) == wanted
    return found


def test_bands_are_added_to_an_encoded_index_without_a_model(
    cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands
) -> None:
    """One pass; every term finds its record, state and `status` tell of them, and a second pass has nothing to do."""
    assert bandings.stands(cluster, known) == []
    done = add(cluster, known, settings)
    assert (done.counts.restored, done.counts.documents, hands.encoder.encoded) == (RECORDS, RECORDS, [])
    assert banded(cluster, known.index) == {str(n): True for n in range(RECORDS)}
    bundle = state.attached(cluster, known.index).bundle
    assert bundle.bands == done.bundle.cut
    assert bundle.bands.width == 6  # narrow enough for a small index
    assert bundle.filling is None
    assert bundle.learnt
    assert (bundle.learnt.documents, bundle.learnt.codes) == (RECORDS, RECORDS)
    assert set(dict(bundle.learnt.recall)) == {"at_10", "at_100"}
    [stand] = status.of_index(cluster, state.attached(cluster, known.index))["plans"]
    assert (stand["documents"], stand["lack"], stand["ready"], stand["advice"]) == (RECORDS, 0, True, None)
    code = code_of(b"book 7")
    field = field_name(known.space, "text")
    for band, terms in enumerate(bundle.bands.terms(code, 0)):
        query = {"query": {"terms": {field: terms}}, "size": RECORDS}
        hits = cluster.request("POST", f"/{known.index}/_search", body=query)["hits"]["hits"]
        values = {n: bundle.bands.values(code_of(f"book {n}".encode()))[band] for n in range(RECORDS)}
        assert {hit["_id"] for hit in hits} == {str(n) for n, value in values.items() if value == values[7]}
    assert update(cluster, state.attached(cluster, known.index), settings).unchanged == RECORDS
    found = search(cluster, known, settings)
    assert (found.plan.name, found.hits[0].id, found.hits[0].distance) == ("bands", "7", 0)
    again = add(cluster, known, settings)
    assert (again.counts.unchanged, again.bundle.cut) == (RECORDS, done.bundle.cut)
    assert hands.encoder.encoded == []


def test_whatever_the_library_system_writes_the_bands_are_there_or_come_back(
    cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands
) -> None:
    """Whole-document writes drop both of our objects, partial updates keep both; a rebuilt index gets both again."""
    add(cluster, known, settings)
    now = state.attached(cluster, known.index)
    cluster.request("PUT", f"/{known.index}/_doc/1", body=BODY.encode() % 1)
    cluster.request("PUT", f"/{known.index}/_doc/2", body=BODY.encode() % 1000)
    cluster.request("POST", f"/{known.index}/_update/3", body={"doc": {"call": 1}})
    assert BANDS in json.loads(raw(cluster, known, "3"))
    counts = update(cluster, now, settings)
    assert (counts.restored, counts.encoded, counts.unchanged) == (1, 1, RECORDS - 2)
    assert all(banded(cluster, known.index).values())
    cluster.request("DELETE", f"/{known.index}")
    properties = {"title": {"type": "text"}, "call": {"type": "double"}}
    cluster.request("PUT", f"/{known.index}", body={"mappings": {"dynamic": "strict", "properties": properties}})
    cluster.request("PUT", f"/{known.index}/_doc/1", params={"refresh": "true"}, body=BODY.encode() % 1)
    again = reattach.current(cluster, known.index)
    assert again
    assert again.bundle.cut == now.bundle.cut
    assert update(cluster, again, settings).restored == 1
    assert banded(cluster, known.index) == {"1": True}
    field = cluster.request("GET", f"/{known.index}/_mapping")[known.index]["mappings"]["properties"][BANDS]
    assert field["properties"][known.space]["properties"]["t"]["analyzer"] == "whitespace"


def test_detach_and_drop_leave_the_very_bytes(
    cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands
) -> None:
    """Dropped, the codes stay; detached, nothing does. Either can be stopped and run again."""
    coded = {str(n): raw(cluster, known, str(n)) for n in range(RECORDS)}
    add(cluster, known, settings)
    stopped = Stop(after=2)
    with pytest.raises(SwitchedOff):
        plans.drop(cluster, state.attached(cluster, known.index), known.space, stopped)
    now = state.attached(cluster, known.index)
    assert now.bundle == known.bundle
    # what is left of them is stale, and an update takes it out as well
    assert {one.verdict for one in scan.judged(cluster, now)} == {"stale", "unchanged"}
    changed = plans.drop(cluster, now, known.space)
    assert 0 < changed < RECORDS
    assert {str(n): raw(cluster, known, str(n)) for n in range(RECORDS)} == coded
    assert plans.drop(cluster, now, known.space) == 0
    assert update(cluster, now, settings).unchanged == RECORDS
    add(cluster, known, settings)
    assert attaching.detach(cluster, state.attached(cluster, known.index), drop_codes=False) == RECORDS
    assert {raw(cluster, known, str(n)).decode() for n in range(RECORDS)} == {BODY % n for n in range(RECORDS)}
    assert hands.encoder.encoded == []


class Stop:
    """Admits so many pieces, then stops."""

    def __init__(self, after: int) -> None:
        self.after = after

    def __call__(self, documents: int) -> None:
        """Admit, or stop."""
        self.after -= documents > 0
        if self.after < 0:
            raise SwitchedOff("stopped by the test")


class Dying(Silent):
    """The command dies when it has read the index."""

    def scanned(self, documents: int) -> None:
        """Die."""
        raise KeyboardInterrupt


def test_interrupted_it_goes_on_and_no_search_uses_what_is_half_filled(
    cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands
) -> None:
    """The banding that was begun is gone on with, by workers, updates and the next run; then it is said to be ready."""
    hands.work = False
    with pytest.raises(KeyboardInterrupt):
        plans.add(cluster, known, known.space, BROKER, settings, Dying(), width=10)
    hands.work = True
    begun = state.attached(cluster, known.index)
    assert begun.bundle.bands is None
    assert begun.bundle.filling
    assert begun.bundle.filling.width == 10
    job = next(iter(hands.held.values()))
    done = hands.answers(None, list(hands.held))  # workers go on with what they were given
    assert sum(one["restored"] for one in done.values()) == RECORDS
    assert job.space == known.space
    cluster.request("PUT", f"/{known.index}/_doc/1", params={"refresh": "true"}, body=BODY.encode() % 1)
    cluster.request("POST", f"/{known.index}/_refresh")
    [stand] = bandings.stands(cluster, begun)
    assert (stand.documents, stand.lack, stand.ready) == (RECORDS - 1, 0, False)
    assert stand.advice == "not every document has them yet; run `crosshatch plans add` again"
    with pytest.raises(RequestError, match="has no bands"):
        search(cluster, known, settings)
    ended = add(cluster, known, settings)
    assert (ended.counts.restored, ended.counts.unchanged) == (1, RECORDS - 1)
    assert ended.bundle.cut == begun.bundle.filling == state.attached(cluster, known.index).bundle.bands
    assert hands.encoder.encoded == []


def test_bands_are_replaced_by_others(
    cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands
) -> None:
    """By another width, and by what is learnt anew of an index that is ten times as large."""
    first = add(cluster, known, settings)
    wider = add(cluster, known, settings, width=9)
    assert (wider.counts.restored, wider.bundle.cut.width) == (RECORDS, 9)
    assert all(banded(cluster, known.index).values())
    now = state.attached(cluster, known.index)
    assert now.bundle.learnt
    fewer = replace(now.bundle, learnt=replace(now.bundle.learnt, documents=RECORDS // 10))
    state.save(cluster, replace(now, spaces={now.space: fewer}))
    [stand] = bandings.stands(cluster, state.attached(cluster, known.index))
    assert stand.advice == f"learnt at 30 documents, and there are {RECORDS}; add them again to learn anew"
    anew = add(cluster, known, settings)
    assert anew.bundle.cut.width == first.bundle.cut.width
    assert anew.stand
    assert anew.stand.advice is None
    assert all(banded(cluster, known.index).values())
    assert hands.encoder.encoded == []


def test_each_space_has_its_own_bands(
    cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands
) -> None:
    """A second space without bands changes nothing of the first one's; dropped, a space takes its bands along."""
    add(cluster, known, settings)
    second = spaces.add(cluster, state.attached(cluster, known.index), OTHER)
    seen = state.attached(cluster, known.index).in_space(second)
    assert update(cluster, seen, settings).encoded == RECORDS
    assert all(banded(cluster, known.index).values())
    add(cluster, known, settings, space=second)
    spaces.activate(cluster, state.attached(cluster, known.index), second)
    now = state.attached(cluster, known.index)
    assert {one.space: one.documents for one in bandings.stands(cluster, now)} == {
        second: RECORDS,
        known.space: RECORDS,
    }
    for space in (known.space, second):
        assert all(banded(cluster, known.index, space).values())
    spaces.drop(cluster, now, known.space)
    document = json.loads(raw(cluster, known, "1"))
    assert (list(document[OBJECT]), list(document[BANDS])) == ([second], [second])
    assert all(banded(cluster, known.index).values())


@pytest.mark.parametrize("versioning", ["internal"])
def test_what_is_refused(
    cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands, index: Callable[..., str], tmp_path: Path
) -> None:
    """A field of somebody else, a limit of fields, widths that no code has, an index without codes."""
    with pytest.raises(RequestError, match="has no bands"):
        plans.drop(cluster, known, known.space)
    with pytest.raises(RequestError, match="bands of 21 bits came; expected 6 to 20 for codes of 128"):
        add(cluster, known, settings, width=21)
    with pytest.raises(
        AttachRefused, match=r"index\.knn is not true.* \| the cluster has no k-NN plugin to use: the plugin"
    ):
        plans.add_vectors(cluster, known, known.space, BROKER, settings, Silent())
    with pytest.raises(RequestError, match="the plan knn-score needs OpenSearch's k-NN plugin: the plugin is not inst"):
        search(cluster, known, settings, "knn-score")
    limit = {"index.mapping.total_fields.limit": 8}
    cluster.request("PUT", f"/{known.index}/_settings", body=limit)
    with pytest.raises(AttachRefused, match="12 fields with ours, of index"):
        add(cluster, known, settings)
    assert state.attached(cluster, known.index).bundle.cut is None
    profile = str(tmp_path / "p.yaml")
    empty = index({"mappings": {"properties": {"title": {"type": "text"}}}})
    other = attaching.attach(cluster, attaching.plan(cluster, empty, profile, CARD))
    with pytest.raises(DataError, match="to learn from; run `crosshatch reindex"):
        add(cluster, other, settings)
    taken = index({"mappings": {"properties": {"title": {"type": "text"}, BANDS: {"type": "keyword"}}}})
    plan = attaching.plan(cluster, taken, profile, CARD)
    assert [check.why for check in plan.checks if not check.ok] == [
        "the index has a field '_crosshatch' that is not ours"
    ]


@pytest.mark.parametrize("versioning", ["internal"])
def test_the_command(
    cluster: Cluster, known: state.Attached, settings: Settings, hands: Hands, services: Services
) -> None:
    """`plans list|add|drop`, as an administrator types them."""
    environment = {"CROSSHATCH_OPENSEARCH_URL": services.url, "CROSSHATCH_REDIS_URL": BROKER}

    def command(*arguments: str) -> Result:
        done = CliRunner().invoke(cli, [*arguments], env=environment, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done

    assert "exact plan alone" in command("plans", "list", known.index).stdout
    assert json.loads(command("plans", "list", known.index, "--json").stdout) == {"plans": []}
    dry = json.loads(command("plans", "add", known.index, "bands", "--dry-run", "--json").stdout)
    assert (dry["restored"], dry["encoded"], dry["dry_run"], dry["width"]) == (RECORDS, 0, True, 6)
    assert state.attached(cluster, known.index).bundle.cut is None
    done = json.loads(command("plans", "add", known.index, "--width", "8", "--json").stdout)
    assert (done["restored"], done["encoded"], done["documents"], done["lack"]) == (RECORDS, 0, RECORDS, 0)
    assert (done["plan"], done["width"], done["ready"]) == ("bands", 8, True)
    assert 0 <= done["recall"]["at_100"] <= done["recall"]["at_10"] <= 1
    listed = command("plans", "list", known.index)
    assert "8 of 8" in listed.stdout
    assert "bands" in command("status", known.index).stdout
    gone = json.loads(command("plans", "drop", known.index, "bands", "--yes", "--json").stdout)
    assert gone == {"index": known.index, "plan": "bands", "space": known.space, "changed": RECORDS}
    assert hands.encoder.encoded == []
