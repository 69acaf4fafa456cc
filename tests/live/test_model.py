"""Random orders of what library system, worker and engine do, on an attached index and on a twin without us.

The twin is the model: whatever the library system sends goes to both, has to be answered alike, and has to leave the
same bytes but for our member. The worker's own requests are the steps between which everything else may happen
(`Interrupted`). `--hypothesis-profile=thorough` looks longer; `make test` takes the same few walks every time.
"""

import contextlib
import json
import sys
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import settings as walks
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from integration import attach as attaching
from integration import mapping, plans, problems, scan, splice, state
from integration.code_source import PROBE
from integration.encoding import BatchEncoding
from integration.engine.client import Cluster, part
from integration.jobs import Job
from integration.settings import Settings
from integration.stored import beside_of, stored_beside
from integration.writer import GuardedIndex, Key
from mappings.bands import OBJECT as BANDS
from mappings.bands import Banding
from mappings.bands import space_mapping as bands_mapping
from mappings.errors import CrosshatchError, EngineRefused, NotAttachedError, UnknownIndexError
from mappings.fields import OBJECT, StoredCodes
from tests.live.fakes import BITS, CARD, FakeEncoder, NoWatch, code_of

KEYS = (Key("1"), Key("a/b c"), Key("\U0001f40b", routing="r1"))
BODIES = (
    b'{"title":"whale","call":813.50}',
    b'{ "call": 1E2, "title" : "whale" }',
    b'{"title":"ship","tag":{"big":123456789012345678901234567890,"\\u0063":"caf\\u00e9"}}',
    b'{\n  "title": "poison",\n  "call": 1\n}',
    b'{"call":2}',
    b"{}",
    b'{"title":"whale","unknown":{"deep":1}}',  # a strict index refuses it
)
PROPERTIES = {
    "title": {"type": "text"},
    "note": {"type": "keyword"},
    "call": {"type": "double"},
    "tag": {"type": "object", "enabled": False},
}
BLOCKS = {"block": "index.blocks.write", "flood": "index.blocks.read_only_allow_delete"}

records = st.sampled_from(KEYS)
bodies = st.sampled_from(BODIES)
write = st.tuples(st.sampled_from(["index", "index", "rewrite"]), records, bodies)
delete = st.tuples(st.sampled_from(["delete", "delete next"]), records, st.none())
change = st.tuples(st.just("update"), records, st.sampled_from([{"title": "whale"}, {"note": "n"}, {"title": "boat"}]))
back = st.tuples(st.just("write back"), records, st.sampled_from(["whale", "boat"]))
of_records = st.one_of(write, write, delete, change, back)
of_index = st.tuples(st.sampled_from(["rebuild", "by query", "refresh", "merge"]), st.none(), st.none())
events = st.one_of(of_records, of_records, of_records, of_index)
at_request = st.tuples(st.just("request"), st.integers(0, 13))
at_write = st.tuples(st.just("write"), st.integers(0, 1))  # through an alias: the window is right before it
moments = st.one_of(at_request, at_write)
in_window = st.tuples(st.just(("write", 0)), st.one_of(write, delete))
interludes = st.lists(st.one_of(st.tuples(moments, events), in_window), max_size=3)
RARE = (
    "rebuild",
    "by query",
    "refresh",
    "flush",
    "merge",
    "block",
    "flood",
    "lift",
    "close or open",
    "attach",
    "detach",
    "add bands",
    "drop bands",
)


class Interrupted(Cluster):
    """A connection of ours: before its n-th request, or its n-th write, happens what `meanwhile` says.

    `window` holds the ids that were read through one of our aliases, looked at once more by sequence numbers, and are
    yet to be written: what the library system writes to them now, at the version they have, cannot be seen.
    """

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.meanwhile: dict[tuple[str, int], list[Callable[[], None]]] = {}
        self.window: set[str] = set()
        self._read: set[str] = set()
        self._sent = {"request": 0, "write": 0}

    def _send(self, method: str, path: str, params: Any, body: Any) -> Any:
        through_alias = path.startswith("/crosshatch-")
        writes = through_alias and (method in ("PUT", "DELETE") or path.endswith("/_bulk"))
        for kind in ("request", "write") if writes else ("request",):
            for event in self.meanwhile.pop((kind, self._sent[kind]), []):
                event()
            self._sent[kind] += 1
        try:
            return super()._send(method, path, params, body)
        finally:
            if through_alias:
                self._look(path, params, body)

    def _look(self, path: str, params: Any, body: Any) -> None:
        if path.endswith("/_mget") and "_source" not in (params or {}):
            self._read, self.window = {wanted["_id"] for wanted in body["docs"]}, set()
        elif "/_stats" in path:
            self.window = set(self._read)
        elif path.endswith("/_bulk"):
            self._wrote({json.loads(line)["index"]["_id"] for line in body.split(b"\n")[:-1:2]})
        elif "/_doc/" in path:
            self._wrote({unquote(path.rpartition("/")[2])})

    def _wrote(self, records: set[str]) -> None:
        self._read -= records
        self.window -= records


class Catalogue(RuleBasedStateMachine):
    """A library system with two indices of the same content; Crosshatch knows of one."""

    def __init__(self, cluster: Cluster, settings: Settings, versioning: str, profile: str) -> None:
        super().__init__()
        self.cluster, self.settings, self.profile = cluster, settings, profile
        self.external = versioning == "external"
        self.name = f"model-{uuid.uuid4().hex[:12]}"
        self.twin = f"{self.name}-twin"
        self.revisions: dict[Key, int] = dict.fromkeys(KEYS, 0)
        self.encoder = FakeEncoder()
        self.jobs: list[Job] = []
        self.closed = False
        self.blocked: str | None = None
        self.ours: Interrupted | None = None  # while we are at work
        # the residue that docs/invariants.md tells of: what was rewritten within the window at the version it had, and
        # what may lie there instead; what was deleted then, and may rise for a moment
        self.overwritten: dict[Key, bytes | None] = {}
        self.risen: set[Key] = set()
        self._create()
        self.attach([])

    # what the library system does

    @rule(event=of_records)
    def catalogue(self, event: Any) -> None:
        self.happens(event)

    @rule(several=st.lists(st.one_of(write, delete), min_size=2, max_size=6))
    def bulk(self, several: Any) -> None:
        """As Koha and InvenioRDM write: many records in one request."""
        lines = b""
        for what, key, body in several:
            meta = {"_id": key.id, **self._params(what, key)}
            lines += json.dumps({"index" if body else "delete": meta}).encode() + b"\n"
            lines += body.replace(b"\n", b" ") + b"\n" if body else b""
            self.overwritten.pop(key, None)
        self._alike("POST", "_bulk", {}, lines)

    def happens(self, event: Any) -> None:
        """One event of the library system, to both indices."""
        what, key, body = event
        if key is None:
            self.whole_index(what)
            return
        in_window = self.external and self.ours is not None and key.id in self.ours.window
        before = self._held(self.twin, key) if in_window else None
        self._write(what, key, body)
        self.overwritten.pop(key, None)
        if what == "rewrite" and (before or key in self.risen):
            self.overwritten[key] = before
        if in_window and what.startswith("delete"):
            self.risen.add(key)

    def _write(self, what: str, key: Key, body: Any) -> None:
        params, record = self._params(what, key), part(key.id)
        if what == "update":
            if not self.external:  # it would move the revision, which is the library system's own
                self._alike("POST", f"_update/{record}", params, json.dumps({"doc": body}).encode(), key=key)
        elif what == "write back":
            held = [self._held(index, key) for index in (self.name, self.twin)]
            if all(held):  # read whole, our member among it, one field changed, sent whole
                sent = [json.dumps({**json.loads(source or b""), "title": body}).encode() for source in held]
                self._alike("PUT", f"_doc/{record}", params, *sent, key=key)
        elif body is None:
            self._alike("DELETE", f"_doc/{record}", params, None, key=key)
        else:
            self._alike("PUT", f"_doc/{record}", params, body, key=key)

    def _params(self, what: str, key: Key) -> dict[str, Any]:
        """Routing, and where the library system counts revisions, the record's: the same again, or the next."""
        routing = {"routing": key.routing} if key.routing else {}
        if not self.external:
            return routing
        self.revisions[key] = max(1, self.revisions[key] + (what not in ("rewrite", "delete")))
        return {**routing, "version": self.revisions[key], "version_type": "external_gte"}

    def whole_index(self, what: str) -> None:
        """What happens to both indices as a whole."""
        if what == "rebuild":
            self._rebuild()
        elif what == "refresh":
            self._alike("POST", "_refresh", {}, None)
        elif what == "flush":
            self._alike("POST", "_flush", {}, None)
        elif what == "merge":
            self._alike("POST", "_forcemerge", {"max_num_segments": 1}, None)
        elif what == "by query" and not self.external:
            # the owner changes all documents at once, having refreshed: docs/invariants.md tells why
            self._alike("POST", "_refresh", {}, None)
            body = {"script": {"source": "ctx._source.note = 'all'", "lang": "painless"}}
            self._alike("POST", "_update_by_query", {"refresh": "true"}, json.dumps(body).encode())
        elif what in ("block", "flood", "lift"):
            self._block(BLOCKS.get(what))
        elif what == "close or open" and not self.blocked:
            self.closed = not self.closed
            self._alike("POST", "_close" if self.closed else "_open", {}, None)

    def _rebuild(self) -> None:
        """Koha's rebuild: delete the index, create it, put the mapping; the records come later."""
        self._block(None)
        self.closed = False
        self.overwritten.clear()
        for index in (self.name, self.twin):
            self.cluster.request("DELETE", f"/{index}")
        self._create()

    def _create(self) -> None:
        for index in (self.name, self.twin):
            self.cluster.request("PUT", f"/{index}", body={"settings": {"number_of_shards": 1}})
            mapping = {"dynamic": "strict" if self.external else "true", "properties": PROPERTIES}
            self.cluster.request("PUT", f"/{index}/_mapping", body=mapping)

    def _block(self, block: str | None) -> None:
        before, self.blocked = self.blocked, block
        for name, on in ((before, None), (block, True)):
            for index in (self.name, self.twin) if name else ():
                self.cluster.request("PUT", f"/{index}/_settings", body={str(name): on})

    # what we do

    @rule(what=st.sampled_from(RARE), drop_codes=st.booleans(), meanwhile=interludes)
    def rarely(self, what: str, drop_codes: bool, meanwhile: Any) -> None:
        """One rule for all that is seldom, or most walks would be made of it."""
        if what == "attach":
            self.attach(meanwhile)
        elif what == "detach":
            self.detach(drop_codes, meanwhile)
        elif what in ("add bands", "drop bands"):
            self.bands(what, meanwhile)
        else:
            self.whole_index(what)

    def attach(self, meanwhile: Any) -> None:
        with self._we(meanwhile) as cluster:
            attaching.attach(cluster, attaching.plan(cluster, self.name, self.profile, CARD))

    def detach(self, drop_codes: bool, meanwhile: Any) -> None:
        with self._we(meanwhile) as cluster:
            attaching.detach(cluster, state.attached(cluster, self.name), drop_codes=drop_codes)
        self.encoder.encoded.clear()  # the store, or the secret that opens it, may be gone

    def bands(self, what: str, meanwhile: Any) -> None:
        """What `plans add` does before its pass, which scans and jobs are here; or `plans drop`."""
        with self._we(meanwhile) as cluster:
            known = state.attached(cluster, self.name)
            if what == "add bands":
                mapping.put(cluster, known.index, bands_mapping(known.space))
                bundle = replace(known.bundle, filling=Banding(BITS, 8 + len(self.jobs) % 2))
                state.save(cluster, replace(known, spaces={known.space: bundle}))
            elif known.bundle.cut:
                plans.drop(cluster, known, known.space)

    @rule(retry=st.booleans(), meanwhile=interludes)
    def scan(self, retry: bool, meanwhile: Any) -> None:
        """A job is made, to be run later."""
        with self._we(meanwhile) as cluster:
            self.jobs.append(self._job(cluster, retry))

    @precondition(lambda self: self.jobs)
    @rule(which=st.integers(0, 3), again=st.booleans(), meanwhile=interludes)
    def run_job(self, which: int, again: bool, meanwhile: Any) -> None:
        """A worker takes a job, fresh or late; the queue may deliver it a second time."""
        job = self.jobs[which % len(self.jobs)]
        if not again:
            self.jobs.remove(job)
        with self._we(meanwhile) as cluster:
            self._work(cluster, job)

    @rule(meanwhile=interludes)
    def update(self, meanwhile: Any) -> None:
        """A job is made and run at once."""
        with self._we([]) as cluster:
            job = self._job(cluster, retry=False)
            with self._we(meanwhile) as cluster:
                self._work(cluster, job)

    def _job(self, cluster: Cluster, retry: bool) -> Job:
        known = state.attached(cluster, self.name)
        found = [one for one in scan.judged(cluster, known) if one.verdict == "stale" or (retry and one.problem)]
        keys = tuple(one.key for one in found)
        return Job(uuid.uuid4().hex, known.index, known.uuid, known.space, keys, retry=retry)

    def _work(self, cluster: Cluster, job: Job) -> None:
        """As `workers.tasks.encode_batch`."""
        try:
            known = state.attached(cluster, job.index)
        except (NotAttachedError, UnknownIndexError):
            return
        if known.uuid == job.uuid and job.space in known.spaces:
            before = dict(self.overwritten)
            BatchEncoding(job, known, cluster, lambda: self.encoder, self.settings).run(NoWatch())
            self._is_reported(known, [key for key in self.overwritten if key not in before])

    def _is_reported(self, known: state.Attached, keys: Sequence[Key]) -> None:
        """Where our write lies on top of one of the library system's, the record's problem says so."""
        found = problems.of_records(self.cluster, known, [key.id for key in keys])
        for key in keys:
            held = self._held(self.name, key)
            if held and splice.take_out(held) != self._held(self.twin, key):
                assert "document" in found[key.id].parts

    @contextlib.contextmanager
    def _we(self, meanwhile: Any) -> Iterator[Cluster]:
        """A connection of ours, interrupted as `meanwhile` says. Our own errors may end our work, nothing else may."""
        self.ours = Interrupted(self.cluster.url)
        for moment, event in meanwhile:
            self.ours.meanwhile.setdefault(moment, []).append(partial(self.happens, event))
        try:
            yield self.ours
        except NotAttachedError:
            pass
        except CrosshatchError:
            if not (meanwhile or self.closed or self.blocked):
                raise
        finally:
            self.ours = None
            self.risen.clear()

    # what must hold

    def _held(self, index: str, key: Key) -> bytes | None:
        if self.closed:
            return None
        [current] = GuardedIndex(self.cluster, index, "internal").read([key])
        return current.source if current else None

    def _alike(self, method: str, path: str, params: Any, *bodies: Any, key: Key | None = None) -> None:
        """Send to both indices, one body to each or the same to both: the answers must say the same."""
        ours = self._answer(method, f"/{self.name}/{path}", params, bodies[0])
        twins = self._answer(method, f"/{self.twin}/{path}", params, bodies[-1])
        assert ours == twins or key in self.risen, (method, path, ours, twins)

    def _answer(self, method: str, path: str, params: Any, body: Any) -> Any:
        try:
            answer = self.cluster.request(method, path, params=params, body=body)
        except EngineRefused as error:
            return error.status, "" if error.kind.startswith("{") else error.kind  # an answer, not an error of its own
        except CrosshatchError as error:
            return type(error).__name__
        told = [
            "result",
            "status",
            "updated",
            "version_conflicts",
            "failures",
            *(["_version"] if self.external else []),
        ]
        items = [next(iter(item.values())) for item in answer["items"]] if "items" in answer else [answer]
        return [[item.get(name) for name in told] + [item.get("error", {}).get("type")] for item in items]

    @invariant()
    def every_document_is_what_its_writer_last_wrote(self) -> None:
        if self.closed:
            return
        ours, twins = (GuardedIndex(self.cluster, index, "internal").read(KEYS) for index in (self.name, self.twin))
        for key, own, twin in zip(KEYS, ours, twins, strict=True):
            held = own and splice.take_out(own.source)
            wanted = [twin and twin.source, *([self.overwritten[key]] if key in self.overwritten else [])]
            assert held in wanted, key
            assert not self.external or (own and own.version) == (twin and twin.version), key

    @invariant()
    def nothing_of_ours_stands_where_it_should_not(self) -> None:
        """Aliases point into the index they are named after; the mapping is ours or not there."""
        about = self.cluster.request("GET", f"/{self.name}")[self.name]
        assert {alias.partition("-")[2][2:] for alias in about["aliases"]} <= {about["settings"]["index"]["uuid"]}
        for ours, kind in ((OBJECT, "binary"), (BANDS, "text")):
            spaces = about["mappings"]["properties"].get(ours, {}).get("properties", {})
            types = {field["type"] for space in spaces.values() for field in space["properties"].values()}
            assert types <= {kind}

    @invariant()
    def nothing_is_encoded_twice(self) -> None:
        times = Counter(item.text for item in self.encoder.encoded if item.text and item != PROBE)
        assert set(times.values()) <= {1}, times

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:  # no step failed
                self.settle()
        finally:
            self._drop()

    def settle(self) -> None:
        """Every block lifted and one update later all is as it should be, and stays so."""
        self._block(None)
        if self.closed:
            self.whole_index("close or open")
        self.attach([])
        for _ in range(2):
            self._work(self.cluster, self._job(self.cluster, retry=True))
        problems.forget_gone(self.cluster, state.attached(self.cluster, self.name))  # as `update` does at its end
        self.every_document_is_what_its_writer_last_wrote()
        self.nothing_is_encoded_twice()
        known = state.attached(self.cluster, self.name)
        assert {one.verdict for one in scan.judged(self.cluster, known)} <= {"unchanged", "failed"}
        uncoded = set()
        before = GuardedIndex(self.cluster, known.alias, "internal").read(KEYS)
        for current in filter(None, before):
            document = json.loads(current.source)
            text = document.get("title")
            members = document.get(OBJECT, {}).get(known.space)
            codes = StoredCodes() if text in (None, "poison") else StoredCodes(code_of(text.encode()))
            assert stored_beside(document, known.space) == beside_of(codes, known.bundle)
            if not codes.parts:
                uncoded.add(current.key.id)
                assert members is None
            else:
                assert StoredCodes.read(members, BITS) == codes
        assert {problem.record for problem in problems.every(self.cluster, known)} == uncoded
        assert sum(problems.counts(self.cluster, known)["failed"].values()) == len(uncoded)
        everything = Job("all", known.index, known.uuid, known.space, KEYS)
        self._work(self.cluster, everything)
        assert GuardedIndex(self.cluster, known.alias, "internal").read(KEYS) == before

    def _drop(self) -> None:
        known = state.by_name(self.cluster, self.name)
        if known:
            problems.forget(self.cluster, known)
            state.forget(self.cluster, known)
            self.cluster.request("DELETE", f"/{part(known.store)}", params={"ignore_unavailable": "true"})
        for index in (self.name, self.twin):
            self.cluster.request("DELETE", f"/{index}")


@pytest.mark.parametrize("versioning", ["internal", "external"])
def test_no_order_of_events_harms_the_catalogue(
    cluster: Cluster, settings: Settings, versioning: str, tmp_path: Path
) -> None:
    """Random walks; a failing one is printed as the calls that make it."""
    profile = tmp_path / "model.yaml"
    profile.write_text(f"{{name: model, versioning: {versioning}, text: [title]}}")
    thorough = walks.get_current_profile_name() == "thorough"
    # a failing walk of these is shown as it was: making it shorter takes minutes, which `thorough` has
    few = {"max_examples": 8, "stateful_step_count": 25, "derandomize": True, "phases": [Phase.generate]}
    run_state_machine_as_test(
        lambda: Catalogue(cluster, settings, versioning, str(profile)),
        settings=walks(
            **({} if thorough else few), database=None, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
