"""Whatever an owner does to an index, its codes come back from the code store, and no encoder is asked."""

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from integration import attach as attaching
from integration import problems, reattach, scan, state, switch
from integration.counts import Counts
from integration.encoding import BatchEncoding
from integration.engine.client import Cluster, part
from integration.jobs import Job
from integration.settings import Settings
from mappings.errors import AttachRefused, NotAttachedError, SwitchedOff
from mappings.fields import StoredCodes, field_name
from tests.live.fakes import BITS, CARD, FakeEncoder, NoWatch, code_of

PROFILE = "name: test\nversioning: internal\ntext: [title]\n"
FIELDS = {"title": {"type": "text"}, "call": {"type": "keyword"}}
BODY: dict[str, Any] = {
    "settings": {"number_of_shards": 2, "number_of_routing_shards": 4, "number_of_replicas": 0},
    "mappings": {"dynamic": "strict", "properties": FIELDS},
}
DOCUMENTS = {f"r/{n}": b'{"title": "number %d", "call": 81%d.50}' % (n, n) for n in range(8)}
EMPTY = b'{"call": 1E2}'  # has nothing to encode


class Shelf:
    """An index under a name, as its owner and as Crosshatch see it."""

    def __init__(self, cluster: Cluster, settings: Settings, name: str, known: state.Attached) -> None:
        self.cluster, self.settings, self.name, self.known = cluster, settings, name, known
        self.follows = True  # else as a command of its own, which knows nothing of the index before

    def fill(self) -> None:
        """The owner writes every document whole, as it does after a rebuild."""
        for record, body in {**DOCUMENTS, "empty": EMPTY}.items():
            self.cluster.request("PUT", f"/{self.name}/_doc/{part(record)}", body=body)

    def encode(self) -> tuple[Counts, int]:
        """One update: what became of the records, and how many items the encoder was given."""
        current = reattach.current(self.cluster, self.name, self.known if self.follows else None)
        assert current is not None
        self.known = current
        encoder = FakeEncoder()
        keys = tuple(one.key for one in scan.judged(self.cluster, current) if one.verdict == "stale")
        job = Job(uuid.uuid4().hex, current.index, current.uuid, current.space, keys)
        counts = BatchEncoding(job, current, self.cluster, lambda: encoder, self.settings).run(NoWatch())
        return counts, len(encoder.encoded)

    def heals(self, restored: int = len(DOCUMENTS), *, verbatim: bool = True, tried: int = 0) -> None:
        """An update restores so many records without an encoder, and then every code is right, stored and indexed.

        `tried` are those that an encoder is given in vain.
        """
        counts, encoded = self.encode()
        assert (encoded, counts.restored, counts.encoded) == (tried, restored, 0)
        for record, body in DOCUMENTS.items():
            raw = self.cluster.raw("GET", f"/{self.known.index}/_source/{part(record)}")
            assert raw.startswith(body.rstrip(b"}")) or not verbatim
            document = json.loads(raw)
            codes = StoredCodes.read(document["crosshatch"][self.known.space], BITS)
            assert codes.text == code_of(document["title"].encode())
        assert b"crosshatch" not in self.cluster.raw("GET", f"/{self.known.index}/_source/empty")
        assert [problem.record for problem in problems.every(self.cluster, self.known)] == ["empty"]
        assert {one.verdict for one in scan.judged(self.cluster, self.known)} == {"unchanged", "failed"}
        has_text = {"query": {"exists": {"field": field_name(self.known.space, "text")}}}
        assert self.cluster.request("POST", f"/{self.name}/_count", body=has_text)["count"] == len(DOCUMENTS)


@pytest.fixture
def make(cluster: Cluster, index: Callable[..., str], settings: Settings, tmp_path: Any) -> Callable[..., Shelf]:
    """A factory of attached indices, filled and encoded; `alias` is what the administrator calls it."""
    file = tmp_path / "test.yaml"
    file.write_text(PROFILE)

    def made(alias: str | None = None, *, empty: bool = False, before: Callable[[str], object] | None = None) -> Shelf:
        name = index(BODY)
        if before:
            before(name)
        if alias:
            cluster.request("PUT", f"/{name}/_alias/{alias}")
        known = attaching.attach(cluster, attaching.plan(cluster, alias or name, str(file), CARD))
        shelf = Shelf(cluster, settings, alias or name, known)
        if not empty:
            shelf.fill()
            counts, encoded = shelf.encode()
            assert (counts.encoded, encoded) == (len(DOCUMENTS), len(DOCUMENTS) + 1)
        return shelf

    return made


@pytest.fixture
def alias() -> str:
    """A name that is nobody's yet."""
    return f"catalogue-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def repository(cluster: Cluster) -> Iterator[str]:
    """A snapshot repository."""
    name = f"snapshots-{uuid.uuid4().hex[:8]}"
    cluster.request("PUT", f"/_snapshot/{name}", body={"type": "fs", "settings": {"location": name}})
    yield name
    cluster.request("DELETE", f"/_snapshot/{name}")


def snapshot(cluster: Cluster, repository: str, name: str, index: str) -> None:
    """Take a snapshot of one index."""
    body = {"indices": index, "include_global_state": False}
    cluster.request("PUT", f"/_snapshot/{repository}/{name}", params={"wait_for_completion": "true"}, body=body)


def restore(cluster: Cluster, repository: str, name: str, index: str, **more: Any) -> None:
    """Restore one index of a snapshot."""
    path = f"/_snapshot/{repository}/{name}/_restore"
    cluster.request("POST", path, params={"wait_for_completion": "true"}, body={"indices": index, **more})


def test_documents_written_whole_or_deleted_and_made_again(cluster: Cluster, make: Callable[..., Shelf]) -> None:
    """The nightly import of a library system."""
    shelf = make()
    shelf.fill()
    shelf.heals()
    for record in DOCUMENTS:
        cluster.request("DELETE", f"/{shelf.name}/_doc/{part(record)}")
    shelf.fill()
    shelf.heals()
    shelf.heals(restored=0)


def test_an_index_dropped_and_made_anew_under_its_name(cluster: Cluster, make: Callable[..., Shelf]) -> None:
    """Koha's rebuild: delete, create, put mapping, bulk. Between the steps nothing of ours is put there."""
    shelf = make()
    before = shelf.known
    cluster.request("DELETE", f"/{shelf.name}")
    assert reattach.current(cluster, shelf.name, before) is None
    cluster.request("PUT", f"/{shelf.name}", body={"settings": BODY["settings"] | {"mapping.total_fields.limit": 8}})
    assert reattach.current(cluster, shelf.name, before) is None
    assert cluster.request("GET", f"/{shelf.name}")[shelf.name]["aliases"] == {}
    cluster.request("PUT", f"/{shelf.name}/_mapping", body=BODY["mappings"])
    shelf.fill()
    shelf.heals()
    assert (shelf.known.space, shelf.known.secret) == (before.space, before.secret)
    assert shelf.known.uuid != before.uuid
    assert reattach.current(cluster, shelf.name, shelf.known) == shelf.known


def test_restored_from_snapshots(cluster: Cluster, make: Callable[..., Shelf], repository: str) -> None:
    """Over the closed index, from after attach and from before it; in place of a deleted one; and beside it."""
    shelf = make(before=lambda name: snapshot(cluster, repository, "bare", name))
    snapshot(cluster, repository, "encoded", shelf.name)
    shelf.fill()
    for taken, missing in (("encoded", 0), ("bare", len(DOCUMENTS))):
        cluster.request("POST", f"/{shelf.name}/_close")
        restore(cluster, repository, taken, shelf.name)
        if missing:
            shelf.fill()
        shelf.heals(restored=missing)
    before = shelf.known
    cluster.request("DELETE", f"/{shelf.name}")
    restore(cluster, repository, "encoded", shelf.name)
    shelf.heals(restored=0)
    assert shelf.known.uuid != before.uuid
    assert ours(cluster, shelf.name) == {shelf.known.alias}
    snapshot(cluster, repository, "again", shelf.name)
    restore(cluster, repository, "again", shelf.name, rename_pattern="(.+)", rename_replacement="$1-copy")
    shelf.fill()
    shelf.heals()
    assert ours(cluster, f"{shelf.name}-copy") == set()


def test_reindexed_by_its_owner_behind_an_alias(
    cluster: Cluster, make: Callable[..., Shelf], index: Callable[..., str], alias: str
) -> None:
    """State, secret and code store move to the new index; the old one is let go when it is gone."""
    shelf = make(alias)
    old = shelf.known
    new = index({**BODY, "mappings": cluster.request("GET", f"/{old.index}/_mapping")[old.index]["mappings"]})
    copy(cluster, old.index, new)
    move(cluster, alias, old.index, new)
    shelf.heals(restored=0)
    assert (shelf.known.index, shelf.known.store, shelf.known.secret) == (new, old.store, old.secret)
    assert state.by_name(cluster, old.index) is None
    shelf.fill()
    shelf.heals()
    cluster.request("DELETE", f"/{new}")
    named = index(BODY, name=f"{new}-2")
    cluster.request("PUT", f"/{named}/_alias/{alias}")
    shelf.fill()
    assert attaching.plan(cluster, alias, None, CARD).before == shelf.known
    shelf.follows = False
    shelf.heals()
    assert (shelf.known.index, shelf.known.store) == (named, old.store)


def test_a_name_that_became_an_alias(cluster: Cluster, make: Callable[..., Shelf], index: Callable[..., str]) -> None:
    """The new index took documents with codes into `_source` before it had our mapping: no search found them."""
    shelf = make()
    new = index({**BODY, "mappings": {"dynamic": False, "properties": FIELDS}})
    copy(cluster, shelf.name, new)
    move(cluster, shelf.name, shelf.name, new)
    shelf.follows = False
    shelf.heals()
    assert ours(cluster, new) == {shelf.known.alias}


def test_codes_that_no_search_finds_are_taken_out_by_the_next_try_too(
    cluster: Cluster, make: Callable[..., Shelf], index: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped between mapping and emptying: what is left would pass for up to date for ever."""
    shelf = make()
    new = index({**BODY, "mappings": {"dynamic": False, "properties": FIELDS}})
    copy(cluster, shelf.name, new)
    move(cluster, shelf.name, shelf.name, new)

    def act() -> None:
        attaching.attach(cluster, attaching.plan(cluster, shelf.name, None, CARD))

    def stopped(*_: Any, **__: Any) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(attaching.emptying, "empty", stopped)
        with pytest.raises(KeyboardInterrupt):
            act()
    act()
    shelf.follows = False
    shelf.heals(tried=1)  # it takes over no list of what failed
    assert ours(cluster, new) == {shelf.known.alias}


def test_codes_copied_as_text_are_refused_with_what_to_do(
    cluster: Cluster, make: Callable[..., Shelf], index: Callable[..., str], alias: str
) -> None:
    """A dynamic mapping takes copied codes for text, for good: nothing is written there."""
    shelf = make(alias)
    old = shelf.known.index
    wrong, right = index(), index({**BODY, "mappings": {"properties": FIELDS}})
    copy(cluster, old, wrong)
    copy(cluster, old, right, excludes=["crosshatch"])
    swap = [{"add": {"index": wrong, "alias": alias}}, {"remove": {"index": old, "alias": alias}}]
    cluster.request("POST", "/_aliases", body={"actions": swap})
    with pytest.raises(AttachRefused, match="leave our fields out of the copy"):
        reattach.current(cluster, alias, shelf.known)
    assert ours(cluster, wrong) == set()
    move(cluster, alias, wrong, right)
    shelf.heals(verbatim=False)  # a filtered copy is written anew by the engine
    assert state.by_name(cluster, old) is not None  # it is still there, and can be searched by its own name


def test_split_and_shrunk(cluster: Cluster, make: Callable[..., Shelf], alias: str, index: Callable[..., str]) -> None:
    """Aliases and UUID are others then; codes came along, and what is written later gets its own back."""
    shelf = make(alias)
    for verb, shards in (("split", 4), ("shrink", 1)):
        old = shelf.known.index
        cluster.request("PUT", f"/{old}/_settings", body={"index.blocks.write": True})
        new = f"{old}-{verb}"
        settings = {"index.number_of_shards": shards, "index.blocks.write": None}
        cluster.request("POST", f"/{old}/_{verb}/{new}", body={"settings": settings})
        move(cluster, alias, old, new)
        shelf.heals(restored=0)
        assert shelf.known.index == new
        shelf.fill()
        shelf.heals()
    cluster.request("DELETE", f"/{shelf.known.index}")


def test_what_is_off_or_detached_is_not_attached_again(cluster: Cluster, make: Callable[..., Shelf]) -> None:
    """The administrator's word stands above a rebuild."""
    shelf = make(empty=True)
    cluster.request("DELETE", f"/{shelf.name}")
    cluster.request("PUT", f"/{shelf.name}", body=BODY)
    switch.off(cluster, shelf.name)
    with pytest.raises(SwitchedOff):
        reattach.current(cluster, shelf.name, shelf.known)
    switch.on(cluster, shelf.name)
    assert ours(cluster, shelf.name) == set()
    again = reattach.current(cluster, shelf.name, shelf.known)
    assert again is not None
    attaching.detach(cluster, again, drop_codes=True)
    with pytest.raises(NotAttachedError, match="not attached"):
        reattach.current(cluster, shelf.name, again)


def test_what_is_off_stays_off_under_the_name_of_its_successor(
    cluster: Cluster, make: Callable[..., Shelf], index: Callable[..., str], alias: str
) -> None:
    """A switch names an index; the alias by which it was thrown means another one after a rebuild."""
    shelf = make(alias, empty=True)
    switch.off(cluster, alias)
    new = index(BODY)
    move(cluster, alias, shelf.known.index, new)
    with pytest.raises(SwitchedOff, match=f"`crosshatch on {shelf.known.index}`"):
        reattach.current(cluster, alias)
    assert ours(cluster, new) == set()
    assert len(switch.on(cluster, shelf.known.index)) == 1
    assert reattach.current(cluster, alias) is not None


def ours(cluster: Cluster, index: str) -> set[str]:
    """The aliases of Crosshatch that an index has."""
    aliases = cluster.request("GET", f"/{index}/_alias")
    return {alias for alias in next(iter(aliases.values()))["aliases"] if alias.startswith("crosshatch-")}


def copy(cluster: Cluster, old: str, new: str, **source: Any) -> None:
    """Copy every document as owners do."""
    cluster.request("POST", f"/{old}/_refresh")
    body = {"source": {"index": old, **({"_source": source} if source else {})}, "dest": {"index": new}}
    answer = cluster.request("POST", "/_reindex", params={"refresh": "true"}, body=body)
    assert answer["total"] == answer["created"]


def move(cluster: Cluster, alias: str, old: str, new: str) -> None:
    """Delete the old index and let the alias mean the new one, in one step."""
    actions = [{"remove_index": {"index": old}}, {"add": {"index": new, "alias": alias}}]
    cluster.request("POST", "/_aliases", body={"actions": actions})
