"""An attached index after what its owner does to it: dropped and made anew, restored, copied, split.

The name is what stays. Whatever index it means now takes over profile, spaces, settings, secret and code store, so that
unchanged records get their codes back without a model. The owner comes first: while a new index has neither a field
nor a document, its mapping is still to come, and nothing of ours is put there.
"""

from dataclasses import dataclass, replace

from integration import aliases, attach, checks, graphs, mapping, problems, state, switch
from integration.engine.client import Cluster, part
from mappings.errors import AttachRefused, NotAttachedError, UnknownIndexError

_CODES, _BANDS = (f"*.mappings.properties.{name}.properties.*" for name in mapping.OBJECTS)
_SEEN = f"*.settings.index.uuid,*.aliases,{_CODES}.dynamic,{_BANDS}.properties.{mapping.SIGN}.type"
_COPIED = (
    "documents that hold codes were copied into it before it had our mapping; make it anew with the mapping of the "
    f"old one, or leave our fields out of the copy (`_source: {{excludes: [{', '.join(mapping.OBJECTS)}]}}`), and the "
    "codes come back"
)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one look shows of an attached index: `mapped` tells whether all our fields are there.

    `strays` are other indices that hold its write alias.
    """

    aliases: frozenset[str]
    mapped: bool
    strays: tuple[str, ...]


def current(cluster: Cluster, name: str, known: state.Attached | None = None) -> state.Attached | None:
    """The index that `name` means now, attached; None while there is none, or while its owner is making it.

    Call it before each piece of work; `known` is what the call before gave. Where the index is no longer the one that
    was attached, it is attached again. Raises NotAttachedError where it never was, or was detached; AttachRefused where
    a check refuses, SwitchedOff, and RequestError where several indices are called so: call again later.
    """
    try:
        index, uuid = state.concrete(cluster, name)
        there = state.by_name(cluster, index)
        if there and there.uuid == uuid:
            return _upheld(cluster, there)
        before = _before(cluster, name, index, there, known)
        switch.check(cluster, before.index)
        if _is_bare(cluster, index):
            return None
        version = there.version if there else None
        wanted = replace(before.taken_over(index, uuid, version), called=name if name != index else None)
        again = _attached_again(cluster, wanted)
        problems.inherit(cluster, before, again)
        _let_go(cluster, again)
        return again
    except UnknownIndexError:
        return None


def _before(
    cluster: Cluster, name: str, index: str, there: state.Attached | None, known: state.Attached | None
) -> state.Attached:
    """What the index behind `name` goes on from. Raises NotAttachedError."""
    moved = state.by_name(cluster, known.index) if known and known.index != index else None
    if moved and (there is None or there.store == moved.store):
        return moved
    found = there or state.predecessor(cluster, name, index)
    if found is None:
        raise NotAttachedError(f"index {index} is not attached; run `crosshatch attach {name}` first")
    return found


def _upheld(cluster: Cluster, known: state.Attached) -> state.Attached:
    """The same index; but a snapshot restored over it may lack our alias and mapping, and one restored under another
    name has our alias too.
    """
    seen = _look(cluster, known)
    for stray in seen.strays:
        aliases.remove(cluster, stray, known.alias)
    if known.alias in seen.aliases and seen.mapped:
        return known
    at_work = seen.aliases & {aliases.leaving(known.uuid), aliases.carrying(known.uuid)}
    if at_work or _is_left(cluster, known):
        return known  # a detach or a change-over took the alias away, and knows why
    return _attached_again(cluster, known)


def _is_left(cluster: Cluster, known: state.Attached) -> bool:
    """Whether `reindex --beside` changed over from this index: nothing of ours may be written there any more."""
    body = {"size": 10_000, "query": {"term": {"kind": "beside"}}}
    hits = cluster.request("POST", f"/{state.STATE}/_search", body=body)["hits"]["hits"]
    return any(hit["_source"]["body"].get("source_uuid") == known.uuid for hit in hits)


def _look(cluster: Cluster, known: state.Attached) -> _Seen:
    params = {"filter_path": _SEEN, "ignore_unavailable": "true"}
    found = cluster.request("GET", f"/{part(known.index)},{part(known.alias)}", params=params)
    if known.index not in found:
        raise UnknownIndexError(f"index {known.index} was dropped")
    ours = found[known.index]
    strays = tuple(index for index in found if index != known.index)
    return _Seen(frozenset(ours.get("aliases", {})), mapping.holds(ours.get("mappings", {}), known), strays)


def _is_bare(cluster: Cluster, index: str) -> bool:
    """Whether an index was made a moment ago: no field and no document.

    A field of ours that came first could make the mapping of its owner fail (`index.mapping.total_fields.limit`).
    """
    there = cluster.request("GET", f"/{part(index)}/_mapping")[index]["mappings"]
    if set(there.get("properties", {})) - set(mapping.OBJECTS):
        return False
    return int(cluster.request("GET", f"/{part(index)}/_count")["count"]) == 0


def _attached_again(cluster: Cluster, wanted: state.Attached) -> state.Attached:
    """Attach with what the state says, if the checks let it. Raises AttachRefused, SwitchedOff, NotAttachedError."""
    switch.check(cluster, wanted.index)
    wanted = graphs.possible(cluster, wanted)
    found = checks.of_index(
        *(cluster, wanted.index, wanted.space, wanted.profile),
        allow_final_pipeline=wanted.final_pipeline,
        beside=mapping.beside(wanted.space, wanted.bundle),
    )
    refused = checks.refusals(found, {"field-name-free": _COPIED})
    if refused:
        raise AttachRefused(
            f"index {wanted.index} is no longer the one that was attached, and cannot be attached again: "
            + " | ".join(refused)
        )
    attach.clear(cluster, wanted)
    return attach.fasten(cluster, wanted)


def _let_go(cluster: Cluster, known: state.Attached) -> None:
    """Forget the indices that this one took over from, once they are gone; until then they can be searched."""
    for other in state.every(cluster):
        if other.store == known.store and other.index != known.index and not cluster.exists(f"/{part(other.index)}"):
            problems.forget(cluster, other)
            state.forget(cluster, other)
