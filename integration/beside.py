"""`reindex --beside`: rebuild an aliased index beside itself, change over in one step, and keep the old one to go back.

The catalogue writes through the alias all the time and never meets a block: until the swap everything it writes is
carried behind it, after the swap what was still on its way. Stopped anywhere before the swap, the live index is as it
was, and the next run clears the half-built one away; stopped after it, the next run finishes.
"""

from dataclasses import asdict, dataclass
from typing import Any

from integration import aliases, move, problems, state, switch, twin
from integration.changeover import Changeover
from integration.engine.client import Cluster
from integration.move import Admit, Done, Encode, Move, Said
from mappings.errors import EngineUnavailable, RequestError, UnknownIndexError


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
            done = Move(cluster, name, over, known, said, admit).forward(encode)
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
            done = Move(cluster, name, over, known, said, admit).back()
    except BaseException:
        if not _happened(cluster, name, over):
            _clear_away(cluster, over)
            last.save(cluster)
        raise
    encode(state.attached(cluster, name))
    return done


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
            return move.finish(cluster, name, over, known), over.built
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
    """Before the swap: the live index as it was, the half-built one gone, one that was kept as it was kept.

    Raises EngineUnavailable where the swap happened all the same: a connection may break while it waits its turn.
    """
    aliases.unlink(cluster, over)  # changes of aliases go one after the other: whatever waited is done now
    if over.phase != "begun" and aliases.theirs(cluster, over.target):
        raise EngineUnavailable(f"the catalogue was changed over to {over.target} after all; run this again")
    if not over.built:
        twin.remember_deletes(cluster, over.target, instead_of=over.source)
        return
    twin.remove(cluster, over.target, over.target_uuid)
    left = state.by_name(cluster, over.target)
    if left:
        problems.forget(cluster, left)
        state.forget(cluster, left)
    over.forget(cluster)


def _is_there(cluster: Cluster, index: str, uuid: str) -> bool:
    try:
        return state.concrete(cluster, index) == (index, uuid)
    except UnknownIndexError:
        return False
