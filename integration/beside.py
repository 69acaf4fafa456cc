"""`reindex --beside`: rebuild an aliased index beside itself, change over in one step, and keep the old one to go back.

The catalogue writes through the alias all the time and never meets a block: until the swap everything it writes is
carried behind it, after the swap what was still on its way. Stopped anywhere before the swap, the live index is as it
was, and the next run clears the half-built one away; stopped after it, the next run finishes.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from integration import aliases, carry, problems, state, switch, twin
from integration.carry import Source
from integration.changeover import Changeover
from integration.engine.client import Cluster, part
from integration.latecomers import Latecomers
from mappings.errors import DataError, HeldBack, RequestError, UnknownIndexError
from mappings.fields import space_mapping

NEAR = 500  # operations behind: near enough to change over
PASSES = 20  # the last of which takes what a very fast writer leaves
QUIET = 5.0  # seconds without a late write in the old index until it is believed to be over
Said = Callable[[str], None]
Encode = Callable[[state.Attached], None]
Admit = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Done:
    """What a change-over did: the index that `alias` meant before and means now, and what came late."""

    alias: str
    before: str
    now: str
    documents: int
    carried_late: int
    deleted_late: int

    def listed(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Plan:
    """What `--beside` would do."""

    alias: str
    before: str
    now: str
    size: twin.Size
    aliases: tuple[str, ...]

    def listed(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "needed_bytes": self.size.needed_bytes}


def plan(cluster: Cluster, name: str) -> Plan:
    """Look at everything, change nothing. Raises RequestError and WriteRefused where it cannot be done."""
    index, _ = aliases.aliased(cluster, name)
    state.attached(cluster, index)
    size, new = twin.measure(cluster, index), twin.next_name(cluster, index)
    twin.check_room(size, index)
    twin.check_templates(cluster, new)
    return Plan(name, index, new, size, tuple(aliases.theirs(cluster, index)))


def run(cluster: Cluster, name: str, encode: Encode, said: Said, admit: Admit = lambda _: None) -> Done:
    """Build a second index beside the one behind alias `name` and change over to it.

    `encode` brings the codes of an index up to date; it is called before the swap and, for what came late, after it.
    `admit` is told before so many documents are written, as long as that can wait. A change-over that an earlier run
    left in the middle is finished instead. Errors as `plan`.
    """
    finished, built = _finished(cluster, name, said)
    if finished and built:
        encode(state.attached(cluster, name))
        return finished
    wanted = plan(cluster, name)
    known = state.attached(cluster, wanted.before)
    switch.check(cluster, known.index)
    guard = Changeover.read(cluster, twin.base_of(known.index))[1]
    over = Changeover(twin.base_of(known.index), known.index, known.uuid, wanted.now, "", built=True)
    over.save(cluster, guard=guard)
    try:
        with over.beating(cluster):
            over.target_uuid = twin.make(cluster, known.index, wanted.now)
            over.save(cluster)
            done = _Move(cluster, name, over, known, said, admit).forward(encode)
    except BaseException:
        if not _happened(cluster, name, over):
            _clear_away(cluster, over)
        raise
    encode(state.attached(cluster, name))
    return done


def rollback(cluster: Cluster, name: str, encode: Encode, said: Said, admit: Admit = lambda _: None) -> Done:
    """Go back to the index that the last change-over kept, with everything that was written since.

    Raises RequestError where there is none, or where it was dropped.
    """
    finished, built = _finished(cluster, name, said)
    if finished and not built:
        encode(state.attached(cluster, name))
        return finished
    index, uuid = aliases.aliased(cluster, name)
    last, guard = Changeover.read(cluster, twin.base_of(index))
    if last is None or (last.target, last.target_uuid) != (index, uuid):
        raise RequestError(f"{name} means {index}, which no `reindex --beside` made; there is nothing to go back to")
    if not _is_there(cluster, last.source, last.source_uuid):
        raise RequestError(f"{last.source}, which {name} meant before, is not there any more; there is no way back")
    known = state.attached(cluster, index)
    switch.check(cluster, known.index)
    over = Changeover(last.base, index, uuid, last.source, last.source_uuid, False, "begun", last.before, last.before)
    over.save(cluster, guard=guard)
    try:
        with over.beating(cluster):
            done = _Move(cluster, name, over, known, said, admit).back()
    except BaseException:
        if not _happened(cluster, name, over):
            _clear_away(cluster, over)
            last.save(cluster)
        raise
    encode(state.attached(cluster, name))
    return done


class _Move:
    """One change-over, step by step."""

    def __init__(
        self, cluster: Cluster, name: str, over: Changeover, known: state.Attached, said: Said, admit: Admit
    ) -> None:
        self.cluster, self.name, self.over, self.known = cluster, name, over, known
        self.said, self.admit = said, admit
        self.moved = replace(known, index=over.target, uuid=over.target_uuid, version=None, store_name=known.store)
        aliases.link(cluster, over)
        self.source = Source(cluster, aliases.carrying(over.source_uuid), over.done)
        self.target = aliases.carrying(over.target_uuid)

    def forward(self, encode: Encode) -> Done:
        """Copy into the empty index, encode there, and change over."""
        self.source.compared = carry.checkpoints(self.cluster, self.source.alias)
        self._approach()
        _adopt(self.cluster, self.moved)
        aliases.change(self.cluster, "add", self.over.target, self.moved.alias, is_hidden=True, is_write_index=True)
        encode(state.attached(self.cluster, self.over.target))
        aliases.change(
            self.cluster, "remove", self.over.target, self.moved.alias
        )  # nobody but us writes there from now on
        self._approach()
        twin.open_up(self.cluster, self.over.source, self.over.target, self.said)
        return self._change_over()

    def back(self) -> Done:
        """Carry what was written since into the index that was kept, and change over."""
        _adopt(self.cluster, self.moved)
        twin.put_settings(self.cluster, self.over.target, {"index.gc_deletes": twin.BUILDING["index.gc_deletes"]})
        self._approach()
        return self._change_over()

    def _approach(self) -> None:
        for _ in range(PASSES):
            carried = carry.into(self.cluster, self.source, self.target, self._pace)
            self.said(f"{carried} documents carried into {self.over.target}")
            if self.source.behind() <= NEAR:
                return

    def _pace(self, documents: int) -> None:
        """Wait as long as manners ask for; the copy is not thrown away for that. Raises SwitchedOff."""
        while True:
            switch.check(self.cluster, self.known.index)
            try:
                return self.admit(documents)
            except HeldBack as error:
                self.said(str(error))
                time.sleep(min(error.seconds, 60.0))

    def _change_over(self) -> Done:
        carry.deletes(self.cluster, self.source, self.target, self._pace)
        self._approach()
        self._count()
        for _ in range(2):  # the deletes so far are forgotten; those of the catalogue, after the swap, are not
            time.sleep(carry.EXPIRY)
            self.cluster.request("POST", f"/{part(self.over.target)}/_refresh")
        twin.remember_deletes(self.cluster, self.over.target)
        carry.into(self.cluster, self.source, self.target, self._pace)
        self.over.before = carry.checkpoints(self.cluster, self.target, "max_seq_no")
        self.over.done, self.over.compared = self.source.done, self.source.compared
        self.over.phase = "swapping"
        self.over.save(self.cluster)
        aliases.swap(self.cluster, self.name, self.over, self.known)
        self.said(f"{self.name} means {self.over.target} now")
        return _finish(self.cluster, self.name, self.over, self.known)

    def _count(self) -> None:
        """Raises DataError where the copy has not as many documents as what the catalogue did meanwhile explains."""
        done = dict(self.source.done)
        here, there = (_documents(self.cluster, alias) for alias in (self.target, self.source.alias))
        upto = carry.checkpoints(self.cluster, self.source.alias, "max_seq_no")
        since = sum(
            last - min(done.get(shard, -1), self.source.compared.get(shard, -1)) for shard, last in upto.items()
        )
        if abs(here - there) > since:
            raise DataError(
                f"{self.over.target} has {here} documents, {self.over.source} {there}: nothing was changed over"
            )


def _finish(cluster: Cluster, name: str, over: Changeover, known: state.Attached) -> Done:
    """After the swap: late writes and deletes, the write alias, the settings. Running it again does no harm."""
    aliases.link(cluster, over)
    source = Source(cluster, aliases.carrying(over.source_uuid), over.done)
    source.compared = over.compared
    target = aliases.carrying(over.target_uuid)
    late = Latecomers(cluster, source, target, known.profile.versioning, over.before)
    carried = _settled(cluster, source, late)
    deleted = late.deletes()
    moved = replace(known, index=over.target, uuid=over.target_uuid)
    aliases.change(cluster, "add", over.target, moved.alias, is_hidden=True, is_write_index=True)
    twin.remember_deletes(cluster, over.target, instead_of=over.source)
    aliases.unlink(cluster, over)
    over.phase = "done"
    over.save(cluster)
    return Done(name, over.source, over.target, _documents(cluster, over.target), carried, deleted)


def _settled(cluster: Cluster, source: Source, late: Latecomers) -> int:
    """Carry until the old index has been quiet for a while: a request may have been on its way at the swap."""
    carried, last, since = 0, None, time.monotonic()
    while True:
        carried += late.documents()
        now = carry.checkpoints(cluster, source.alias, "max_seq_no")
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > QUIET and now == source.done:
            return carried
        time.sleep(0.2)


def _finished(cluster: Cluster, name: str, said: Said) -> tuple[Done | None, bool]:
    """Finish what an earlier run left after its swap, or clear away what it left before; with `Changeover.built`."""
    index, _ = aliases.aliased(cluster, name)
    over, _ = Changeover.read(cluster, twin.base_of(index))
    if over is None or over.phase == "done":
        return None, False
    if _happened(cluster, name, over):
        said(f"an earlier run changed over to {over.target} and was stopped; finishing it")
        known = state.attached(cluster, over.target)
        with over.beating(cluster):
            return _finish(cluster, name, over, known), over.built
    said(f"an earlier run towards {over.target} was stopped; clearing it away")
    _clear_away(cluster, over)
    if not over.built:  # the way back is still open
        kept = Changeover(over.base, over.target, over.target_uuid, over.source, over.source_uuid, True, "done")
        kept.before = over.done
        kept.save(cluster)
    return None, False


def _happened(cluster: Cluster, name: str, over: Changeover) -> bool:
    return over.phase != "begun" and aliases.aliased(cluster, name)[0] == over.target


def _clear_away(cluster: Cluster, over: Changeover) -> None:
    """Before the swap: the live index as it was, the half-built one gone, one that was kept as it was kept."""
    aliases.unlink(cluster, over)
    if not over.built:
        twin.remember_deletes(cluster, over.target, instead_of=over.source)
        return
    twin.remove(cluster, over.target, over.target_uuid)
    left = state.by_name(cluster, over.target)
    if left:
        problems.forget(cluster, left)
        state.forget(cluster, left)
    over.forget(cluster)


def _adopt(cluster: Cluster, moved: state.Attached) -> None:
    """Let the state of an index stand for its copy too: mapping of every space, secret, code store, settings."""
    for space in moved.spaces:
        cluster.request("PUT", f"/{part(moved.index)}/_mapping", body=space_mapping(space))
    there = state.by_name(cluster, moved.index)
    state.save(cluster, replace(moved, version=there.version if there else None))


def _is_there(cluster: Cluster, index: str, uuid: str) -> bool:
    try:
        return state.concrete(cluster, index) == (index, uuid)
    except UnknownIndexError:
        return False


def _documents(cluster: Cluster, index: str) -> int:
    cluster.request("POST", f"/{part(index)}/_refresh")
    return int(cluster.request("GET", f"/{part(index)}/_count")["count"])
