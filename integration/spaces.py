"""The spaces of an attached index: a second encoder is filled beside the first, made active, and the old one emptied.

Searches read the state once and use one space throughout, so making a space active is one write of the state: every
search is wholly before it or wholly after it.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from encoders.api import BundleCard
from integration import checks, emptying, mapping, problems, splice, state, switch
from integration.documents import count, holding
from integration.engine.client import Cluster, part
from integration.store import CodeStore
from integration.writer import GuardedIndex
from mappings.errors import AttachRefused, DataError, RequestError, UnknownIndexError
from mappings.fields import OBJECT, PARTS, space_mapping

_NAME = re.compile(r"[a-z0-9_]{1,40}")


@dataclass(frozen=True, slots=True)
class Stand:
    """How one space stands: `documents` with a code by part, and how many `lack` codes that the active space has.

    `bundle` is None for a space that was dropped while documents still held its codes: `drop` it again.
    """

    space: str
    bundle: state.Bundle | None
    active: bool
    documents: dict[str, int]
    lack: int

    def listed(self) -> dict[str, Any]:
        """As `crosshatch spaces list --json` prints it."""
        names = ("reference", "name", "bits", "digest")
        bundle = {name: getattr(self.bundle, name, None) for name in names}
        return {"space": self.space, **bundle, "active": self.active, "documents": self.documents, "lack": self.lack}


@dataclass(frozen=True, slots=True)
class Activation:
    """`space` is searched now, `before` was until then; so many documents `lack` codes that they have in `before`."""

    index: str
    space: str
    before: str
    lack: int


@dataclass(frozen=True, slots=True)
class Dropping:
    """What was taken away: codes out of so many documents, and of so many contents out of the code store."""

    index: str
    space: str
    changed: int
    codes: int


def stands(cluster: Cluster, known: state.Attached) -> list[Stand]:
    """Every space, the active one first; then those dropped whose codes still lie in documents."""
    _refresh(cluster, known)
    listed = sorted(known.spaces, key=lambda space: space != known.space)
    found = [_stand(cluster, known, space) for space in listed]
    dropped = [_stand(cluster, known, space) for space in sorted(_mapped(cluster, known)) if space not in known.spaces]
    return found + [stand for stand in dropped if any(stand.documents.values())]


def add(cluster: Cluster, known: state.Attached, card: BundleCard, space: str | None = None) -> str:
    """Make room for the codes of another encoder beside those that are there; return the name of the space.

    The mapping comes first, the state last: stopped between them, running it again finishes the work. Raises
    RequestError for an encoder or a name that is there already, AttachRefused listing the checks that failed, and
    SwitchedOff.
    """
    switch.check(cluster, known.index)
    name = space or card.space
    if not _NAME.fullmatch(name):
        raise RequestError(f"{name!r} is no name of a space; expected 1 to 40 of a to z, 0 to 9 and _")
    for other, bundle in known.spaces.items():
        if bundle.digest == card.digest:
            raise RequestError(f"index {known.index} has encoder {card.name} already, in space {other}")
    if name in known.spaces:
        raise RequestError(f"index {known.index} has a space {name!r}, of encoder {known.spaces[name].name}")
    # a final pipeline that came with attach, or after it, runs on every write of ours already
    found = checks.of_index(cluster, known.index, name, known.profile, allow_final_pipeline=True)
    refused = checks.refusals(found)
    if refused:
        raise AttachRefused(f"index {known.index} takes no further space: " + " | ".join(refused))
    if _documents(cluster, known, name):
        raise RequestError(
            f"documents of {known.index} hold codes of a space {name!r} that was dropped; finish that first: "
            f"`crosshatch spaces drop {known.index} {name}`"
        )
    mapping.put(cluster, known.index, space_mapping(name))
    CodeStore(cluster, known.store, known.secret, space=name, bits=card.bits).ensure()
    bundle = state.Bundle(card.reference, card.name, card.bits, card.digest)
    state.save(cluster, replace(known, spaces={**known.spaces, name: bundle}))
    return name


def activate(cluster: Cluster, known: state.Attached, space: str | None = None, *, force: bool = False) -> Activation:
    """Let searches, `update` and new codes use `space` from now on: one guarded write of the state.

    Raises DataError where documents lack codes that they have in the active space, unless `force`, or unless `space`
    was active before: then this is a rollback, which must not wait for an encoder.
    """
    space = _named(known, space)
    wanted = known.in_space(space)
    if space == known.space:
        return Activation(known.index, space, space, 0)
    _refresh(cluster, known)
    lack = _lacking(cluster, known, space)
    if lack and not (force or known.spaces[space].was_active):
        raise DataError(
            f"{lack} documents of {known.index} have codes in {known.space}, which is active, and none in {space}: "
            f"searches would miss them; run `crosshatch reindex {known.index} --space {space}` first, see what it says "
            "failed, or add --force"
        )
    before = replace(known.bundle, was_active=True)
    state.save(cluster, replace(wanted, spaces={**known.spaces, known.space: before}))
    return Activation(known.index, space, known.space, lack)


def drop(
    cluster: Cluster,
    known: state.Attached,
    space: str | None = None,
    *,
    codes: bool = False,
    admit: Callable[[int], None] = lambda _: None,
) -> Dropping:
    """Forget a space that is not active and take its codes out of every document; its mapping stays, inert.

    The state goes first, so that no job that starts later fills it again; stopped anywhere, running it again does the
    rest. `codes` empties the code store of the space, too. `admit` is called before writes,
    with their number: it may wait, or raise to stop. Raises SwitchedOff, between two pages too.
    """
    allowed = switch.Switch(cluster, known.index)

    def step(documents: int) -> None:
        admit(documents)
        allowed.check()

    step(0)
    if space is None or space in known.spaces or space not in _mapped(cluster, known):
        space = _named(known, space)
        known.in_space(space)
    if space == known.space:
        raise RequestError(f"{space} is the active space of {known.index}; activate another one first")
    if space in known.spaces:
        left = {name: bundle for name, bundle in known.spaces.items() if name != space}
        state.save(cluster, replace(known, spaces=left))
    name = space
    guarded = GuardedIndex(cluster, known.alias, known.profile.versioning)
    without = partial(splice.without, space=name)
    changed = emptying.empty(cluster, known.index, guarded, name, without, admit=step)
    problems.forget(cluster, known, space=space)
    return Dropping(known.index, space, changed, _forget_codes(cluster, known, space) if codes else 0)


def _named(known: state.Attached, space: str | None) -> str:
    """`space`, or where none was named the only one that is not active."""
    others = [name for name in known.spaces if name != known.space]
    if space is not None or len(others) == 1:
        return space or others[0]
    said = f"there are: {', '.join(others)}" if others else "there is none but the active one"
    raise RequestError(f"name a space of {known.index}; {said}")


def _stand(cluster: Cluster, known: state.Attached, space: str) -> Stand:
    by_part = {name: count(cluster, known.index, holding(space, (name,))) for name in PARTS}
    bundle = known.spaces.get(space)
    lack = 0 if bundle is None or space == known.space else _lacking(cluster, known, space)
    return Stand(space, bundle, space == known.space, by_part, lack)


def _mapped(cluster: Cluster, known: state.Attached) -> set[str]:
    """Every space that the mapping has, dropped ones included."""
    there = cluster.request("GET", f"/{part(known.index)}/_mapping")[known.index]["mappings"]
    return set(mapping.spaces_in(there, OBJECT))


def _documents(cluster: Cluster, known: state.Attached, space: str) -> int:
    _refresh(cluster, known)
    return count(cluster, known.index, holding(space))


def _lacking(cluster: Cluster, known: state.Attached, space: str) -> int:
    return count(cluster, known.index, {"bool": {"filter": [holding(known.space)], "must_not": [holding(space)]}})


def _refresh(cluster: Cluster, known: state.Attached) -> None:
    cluster.request("POST", f"/{part(known.index)}/_refresh")


def _forget_codes(cluster: Cluster, known: state.Attached, space: str) -> int:
    params = {"refresh": "true", "conflicts": "proceed"}
    query = {"query": {"term": {"space": space}}}
    try:
        cluster.request("POST", f"/{part(known.store)}/_refresh")
        answer = cluster.request("POST", f"/{part(known.store)}/_delete_by_query", params=params, body=query)
    except UnknownIndexError:
        return 0
    return int(answer["deleted"])
