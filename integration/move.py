"""The steps of a change-over from one index to another: carry, adopt, swap, and carry what came late."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from integration import aliases, carry, mapping, problems, state, switch, twin
from integration.carry import Source
from integration.changeover import Changeover
from integration.engine.client import Cluster, part
from integration.latecomers import Latecomers
from mappings.errors import DataError, HeldBack, RequestError

NEAR = 500  # operations behind: near enough to change over
PASSES = 20  # the last of which takes what a very fast writer leaves
QUIET = 5.0  # seconds without a late write in the old index until it is believed to be over
PATIENCE = 120.0  # seconds that late writes may go on: a request on its way ends sooner, a writer of its own does not
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


class Move:
    """One change-over, step by step."""

    def __init__(
        self, cluster: Cluster, name: str, over: Changeover, known: state.Attached, said: Said, admit: Admit
    ) -> None:
        self.cluster, self.name, self.over, self.known = cluster, name, over, known
        self.said, self.admit = said, admit
        self.moved = known.taken_over(over.target, over.target_uuid, None)
        aliases.link(cluster, over)
        self.source = Source(cluster, aliases.carrying(over.source_uuid), over.done)
        self.target = aliases.carrying(over.target_uuid)

    def forward(self, encode: Encode) -> Done:
        """Copy into the empty index, encode there, and change over."""
        self.source.compared = carry.checkpoints(self.cluster, self.source.alias)
        self._approach()
        _adopt(self.cluster, self.known, self.moved)
        aliases.send(self.cluster, [aliases.addition(self.over.target, self.moved.alias)])
        encode(state.attached(self.cluster, self.over.target))
        aliases.remove(self.cluster, self.over.target, self.moved.alias)  # nobody but us writes there from now on
        self._approach()
        twin.open_up(self.cluster, self.over.source, self.over.target, self.said)
        return self._change_over()

    def back(self) -> Done:
        """Carry what was written since into the index that was kept, and change over."""
        _adopt(self.cluster, self.known, self.moved)
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
        self.known = state.attached(self.cluster, self.over.source)  # spaces may have come and gone, or all by detach
        _adopt(self.cluster, self.known, self.known.taken_over(self.over.target, self.over.target_uuid, None))
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
        return finish(self.cluster, self.name, self.over, self.known)

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


def finish(cluster: Cluster, name: str, over: Changeover, known: state.Attached) -> Done:
    """After the swap: late writes and deletes, the write alias, the settings. Running it again does no harm.

    Raises RequestError where somebody goes on writing to the old index by its own name.
    """
    aliases.link(cluster, over)
    source = Source(cluster, aliases.carrying(over.source_uuid), over.done)
    source.compared = over.compared
    target = aliases.carrying(over.target_uuid)
    late = Latecomers(cluster, source, target, known.profile.versioning, over.before)
    carried = _settled(cluster, source, late)
    deleted = late.deletes()
    moved = replace(known, index=over.target, uuid=over.target_uuid)
    aliases.send(cluster, [aliases.addition(over.target, moved.alias)])
    twin.remember_deletes(cluster, over.target, instead_of=over.source)
    aliases.unlink(cluster, over)
    over.phase = "done"
    over.save(cluster)
    return Done(name, over.source, over.target, _documents(cluster, over.target), carried, deleted)


def _settled(cluster: Cluster, source: Source, late: Latecomers) -> int:
    """Carry until the old index has been quiet for a while: a request may have been on its way at the swap."""
    carried, last, since = 0, None, time.monotonic()
    begun = since
    while time.monotonic() - begun < PATIENCE:
        carried += late.documents()
        now = carry.checkpoints(cluster, source.alias, "max_seq_no")
        if now != last:
            last, since = now, time.monotonic()
        elif time.monotonic() - since > QUIET and now == source.done:
            return carried
        time.sleep(0.2)
    raise RequestError(
        f"somebody goes on writing to the index behind {source.alias} by its own name, {PATIENCE:.0f} seconds after "
        f"the alias moved; {carried} late documents were carried, and nothing is lost: let that writer use the alias, "
        "then run this command again"
    )


def _adopt(cluster: Cluster, known: state.Attached, moved: state.Attached) -> None:
    """Let what is known of an index stand for its copy too: spaces, secret, code store, settings, problems."""
    mapping.extend(cluster, moved)
    there = state.by_name(cluster, moved.index)
    state.save(cluster, replace(moved, version=there.version if there else None))
    problems.forget(cluster, moved)
    problems.inherit(cluster, known, moved)


def _documents(cluster: Cluster, index: str) -> int:
    cluster.request("POST", f"/{part(index)}/_refresh")
    return int(cluster.request("GET", f"/{part(index)}/_count")["count"])
