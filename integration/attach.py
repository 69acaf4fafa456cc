"""Attach to an index that somebody else made, and let go of it again."""

import base64
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from encoders.api import BundleCard
from integration import aliases, checks, emptying, graphs, lease, mapping, problems, splice, state, switch
from integration.engine.client import Cluster, part
from integration.search.scripts import ensure_scripts
from integration.store import CodeStore
from integration.writer import GuardedIndex
from mappings import profile as profiles
from mappings.errors import (
    AlreadyAttachedError,
    AttachRefused,
    NotAttachedError,
    ProfileError,
    UnknownIndexError,
)
from mappings.fields import OBJECT
from mappings.profile import TargetProfile

_OURS = re.compile(r"crosshatch-[wdb]-(.*)")  # of workers, of detach, of a change-over; each named after a UUID


@dataclass(frozen=True, slots=True)
class Plan:
    """What attaching would do, and whether every check lets it.

    `before` is what it goes on from: the index's own state, or that of the one that was called so before.
    """

    index: str
    uuid: str
    profile: TargetProfile
    card: BundleCard
    before: state.Attached | None
    checks: tuple[checks.Check, ...]
    called: str | None = None
    final_pipeline: bool = False

    @property
    def ok(self) -> bool:
        """Whether every check passed."""
        return all(check.ok for check in self.checks)

    @property
    def space(self) -> str:
        """The space that is added, or that is there already with the same encoder."""
        if self.before:
            for name, bundle in self.before.spaces.items():
                if bundle.digest == self.card.digest:
                    return name
        return self.card.space


def plan(
    cluster: Cluster,
    name: str,
    target: str | None,
    encoder: BundleCard | Callable[[str, TargetProfile], BundleCard],
    *,
    allow_final_pipeline: bool = False,
    keep_encoder: bool = False,
) -> Plan:
    """Look at everything, change nothing in the cluster.

    `encoder` is a card, or gives one for (concrete index, profile): a head may have to be fitted on the records
    themselves. `keep_encoder` goes on with that of the last attach, if there was one. Raises UnknownIndexError,
    ProfileError, AlreadyAttachedError.
    """
    index, uuid = state.concrete(cluster, name)
    before = state.predecessor(cluster, name, index)
    profile = profiles.load(target) if target else _noted(cluster, index, before)
    if before and keep_encoder:
        card = _card(before.bundle)
    else:
        card = encoder if isinstance(encoder, BundleCard) else encoder(index, profile)
    if before and before.uuid == uuid and card.digest not in {b.digest for b in before.spaces.values()}:
        raise AlreadyAttachedError(
            f"index {index} is attached with encoder {before.bundle.name} (digest {before.bundle.digest[:8]}); "
            f"to add {card.name} beside it, run `crosshatch spaces add {index} --encoder {card.reference}`"
        )
    allowed = allow_final_pipeline or (before is not None and before.final_pipeline)
    draft = Plan(index, uuid, profile, card, before, (), name if name != index else None, allowed)
    goes_on = before.spaces.get(draft.space) if before else None
    beside = mapping.beside(draft.space, goes_on) if goes_on and goes_on.digest == card.digest else ()
    found = checks.of_index(cluster, index, draft.space, profile, allow_final_pipeline=allowed, beside=beside)
    return replace(draft, checks=tuple(found))


def attach(cluster: Cluster, wanted: Plan) -> state.Attached:
    """Extend the mapping, make the code store, write the state, and last of all the write alias.

    Stopped anywhere, running it again finishes the work. Raises AttachRefused listing the checks that failed, and
    SwitchedOff.
    """
    if not wanted.ok:
        refused = checks.refusals(wanted.checks)
        raise AttachRefused(f"index {wanted.index} cannot be attached: " + " | ".join(refused))
    switch.check(cluster, wanted.index)
    known = graphs.possible(cluster, _state(cluster, wanted))
    if wanted.before:
        clear(cluster, known)
    return fasten(cluster, known)


def fasten(cluster: Cluster, known: state.Attached) -> state.Attached:
    """Mapping of every space, code store, state, and last of all the write alias; those of other indices go.

    Raises NotAttachedError where the index was made anew meanwhile: then late jobs must not find the alias.
    """
    ensure_scripts(cluster)
    mapping.extend(cluster, known)
    for space, bundle in known.spaces.items():
        CodeStore(cluster, known.store, known.secret, space=space, bits=bundle.bits).ensure()
    state.save(cluster, known)
    there = cluster.request("GET", f"/{part(known.index)}/_alias")[known.index]["aliases"]
    stale = [name for name in there if (found := _OURS.fullmatch(name)) and found[1] != known.uuid]
    gone = [aliases.removal(known.index, name) for name in stale]
    aliases.send(cluster, [*gone, aliases.addition(known.index, known.alias)])
    try:
        return state.attached(cluster, known.index)
    except (NotAttachedError, UnknownIndexError):
        aliases.remove(cluster, known.index, known.alias)
        raise


def detach(
    cluster: Cluster, known: state.Attached, *, drop_codes: bool, admit: Callable[[int], None] = lambda _: None
) -> int:
    """Take our objects out of every document and forget the index; return how many documents were changed.

    The write alias goes first, so that no job in flight writes after us; the emptying has an alias of its own. An
    inert mapping stays, which no engine can remove. `drop_codes` deletes the code store too. `admit` is called before
    writes, with their number: it may wait, or raise to stop; running it again does the rest.
    """
    admit(0)
    leaving = aliases.leaving(known.uuid)
    aliases.send(cluster, [aliases.addition(known.index, leaving)])
    aliases.remove(cluster, known.index, known.alias)
    guarded = GuardedIndex(cluster, leaving, known.profile.versioning)
    changed = emptying.empty(cluster, known.index, guarded, OBJECT, splice.take_out, admit=admit)
    problems.forget(cluster, known)
    state.note_store(cluster, known)
    state.forget(cluster, known)
    lease.forget(cluster, known.index)  # after the state, without which no follower writes it again
    aliases.remove(cluster, known.index, leaving)
    if drop_codes and not any(other.store == known.store for other in state.every(cluster)):
        cluster.request("DELETE", f"/{part(known.store)}", params={"ignore_unavailable": "true"})
    return changed


def clear(cluster: Cluster, known: state.Attached) -> None:
    """Take our objects out of documents that had them before our mapping, put now: no search finds such codes.

    The alias for it is that of a detach, and the last to go: where it is there, this was stopped before its end.
    Raises SwitchedOff.
    """
    there = cluster.request("GET", f"/{part(known.index)}")[known.index]
    leaving = aliases.leaving(known.uuid)
    if leaving not in there["aliases"] and not _may_hold_dead_codes(there["mappings"], known):
        return
    aliases.send(cluster, [aliases.addition(known.index, leaving)])
    mapping.extend(cluster, known)
    guarded = GuardedIndex(cluster, leaving, known.profile.versioning)
    allowed = switch.Switch(cluster, known.index).check
    emptying.empty(cluster, known.index, guarded, OBJECT, splice.take_out, admit=lambda _: allowed())
    aliases.remove(cluster, known.index, leaving)


def _may_hold_dead_codes(there: Mapping[str, Any], wanted: state.Attached) -> bool:
    """Whether documents may have come with codes before our mapping, so that no search finds these.

    A dynamic mapping would have taken them for text, which a check refuses, and a strict one refuses the documents.
    """
    passes = str(there.get("dynamic", "true")).lower() not in ("true", "strict")
    return passes and not mapping.holds(there, wanted)


def _noted(cluster: Cluster, index: str, before: state.Attached | None) -> TargetProfile:
    if before:
        return before.profile
    name = state.noted_profile(cluster, index)
    if name is None:
        like = "".join(f"; its name is like those of {fitting}" for fitting in profiles.called_like(index))
        raise ProfileError(
            f"no target profile is known for index {index}; give one with --target NAME|FILE: "
            f"{', '.join(profiles.shipped())}, or a YAML file of your own{like}"
        )
    return profiles.load(name)


def _card(bundle: state.Bundle) -> BundleCard:
    """As much of a card as attaching needs; what scores and searches reads the bundle itself."""
    return BundleCard(bundle.name, bundle.bits, bundle.digest, (), {}, bundle.reference)


def _state(cluster: Cluster, wanted: Plan) -> state.Attached:
    card, before = wanted.card, wanted.before
    bundle = state.Bundle(card.reference, card.name, card.bits, card.digest)
    own = before if before and before.index == wanted.index else state.by_name(cluster, wanted.index)
    version = own.version if own else None
    if before is None:
        fresh = base64.b64encode(secrets.token_bytes(32)).decode()
        secret, store = state.noted_store(cluster, wanted.index) or (fresh, None)
        known = state.Attached(
            *(wanted.index, wanted.uuid, wanted.space, {wanted.space: bundle}, wanted.profile, secret), store_name=store
        )
    else:  # a rebuilt index keeps its code store, and its spaces unless it gets another encoder
        there = before.spaces.get(wanted.space)
        kept = there is not None and there.digest == card.digest
        if there and kept:
            bundle = replace(there, reference=card.reference, name=card.name)
        known = before.taken_over(wanted.index, wanted.uuid, version)
        known = replace(
            known,
            space=before.space if kept else wanted.space,
            spaces={**(before.spaces if kept else {}), wanted.space: bundle},
            profile=wanted.profile,
        )
    return replace(known, called=wanted.called, final_pipeline=wanted.final_pipeline)
