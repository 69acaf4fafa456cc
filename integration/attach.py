"""Attach to an index that somebody else made, and let go of it again."""

import base64
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace

from encoders.api import BundleCard
from integration import checks, emptying, problems, splice, state, switch
from integration.engine.client import Cluster, part
from integration.search.scripts import ensure_scripts
from integration.store import CodeStore
from integration.writer import GuardedIndex
from mappings import profile as profiles
from mappings.errors import AlreadyAttachedError, AttachRefused, EngineRefused, NotAttachedError, ProfileError
from mappings.fields import OBJECT, space_mapping
from mappings.profile import TargetProfile


@dataclass(frozen=True, slots=True)
class Plan:
    """What attaching would do, and whether every check lets it."""

    index: str
    uuid: str
    profile: TargetProfile
    card: BundleCard
    before: state.Attached | None
    checks: tuple[checks.Check, ...]

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
) -> Plan:
    """Look at everything, change nothing in the cluster.

    `encoder` is a card, or gives one for (concrete index, profile): a head may have to be fitted on the records
    themselves. Raises UnknownIndexError, ProfileError, AlreadyAttachedError.
    """
    index, uuid = state.concrete(cluster, name)
    before = state.by_name(cluster, index)
    profile = profiles.load(target) if target else _noted(cluster, index, before)
    card = encoder if isinstance(encoder, BundleCard) else encoder(index, profile)
    if before and before.uuid == uuid and card.digest not in {b.digest for b in before.spaces.values()}:
        raise AlreadyAttachedError(
            f"index {index} is attached with encoder {before.bundle.name} (digest {before.bundle.digest[:8]}); "
            f"to add {card.name} beside it, run `crosshatch spaces add {index} --encoder {card.reference}`"
        )
    draft = Plan(index, uuid, profile, card, before, ())
    found = checks.of_index(cluster, index, draft.space, profile, allow_final_pipeline=allow_final_pipeline)
    return replace(draft, checks=tuple(found))


def attach(cluster: Cluster, wanted: Plan) -> state.Attached:
    """Extend the mapping, make the code store, write the state, and last of all the write alias.

    Stopped anywhere, running it again finishes the work. Raises AttachRefused listing the checks that failed, and
    SwitchedOff.
    """
    if not wanted.ok:
        refused = [f"{check.name}: {check.why}; {check.do}" for check in wanted.checks if not check.ok]
        raise AttachRefused(f"index {wanted.index} cannot be attached: " + " | ".join(refused))
    switch.check(cluster, wanted.index)
    known = _state(wanted)
    ensure_scripts(cluster)
    cluster.request("PUT", f"/{part(known.index)}/_mapping", body=space_mapping(known.space))
    CodeStore(cluster, known.store, known.secret, space=known.space, bits=known.bundle.bits).ensure()
    state.save(cluster, known)
    _add_alias(cluster, known.index, known.alias)
    try:
        return state.attached(cluster, known.index)
    except NotAttachedError:  # rebuilt meanwhile: the alias must not lead late jobs of the old index into the new one
        _remove_alias(cluster, known.index, known.alias)
        raise


def detach(
    cluster: Cluster, known: state.Attached, *, drop_codes: bool, admit: Callable[[int], None] = lambda _: None
) -> int:
    """Take our object out of every document and forget the index; return how many documents were changed.

    The write alias goes first, so that no job in flight writes after us; the emptying has an alias of its own. An
    inert mapping stays, which no engine can remove. `drop_codes` deletes the code store too. `admit` is called before
    writes, with their number: it may wait, or raise to stop; running it again does the rest.
    """
    admit(0)
    leaving = f"crosshatch-d-{known.uuid}"
    _add_alias(cluster, known.index, leaving)
    _remove_alias(cluster, known.index, known.alias)
    guarded = GuardedIndex(cluster, leaving, known.profile.versioning)
    changed = emptying.empty(cluster, known.index, guarded, OBJECT, splice.take_out, admit=admit)
    problems.forget(cluster, known)
    state.forget(cluster, known)
    _remove_alias(cluster, known.index, leaving)
    if drop_codes:
        cluster.request("DELETE", f"/{part(known.store)}", params={"ignore_unavailable": "true"})
    return changed


def _noted(cluster: Cluster, index: str, before: state.Attached | None) -> TargetProfile:
    if before:
        return before.profile
    name = state.noted_profile(cluster, index)
    if name is None:
        raise ProfileError(
            f"no target profile is known for index {index}; give one with --target NAME|FILE: "
            f"{', '.join(profiles.shipped())}, or a YAML file of your own"
        )
    return profiles.load(name)


def _state(wanted: Plan) -> state.Attached:
    card, before = wanted.card, wanted.before
    bundle = state.Bundle(card.reference, card.name, card.bits, card.digest)
    same = before is not None and before.uuid == wanted.uuid
    kept = before.spaces if before and same else {}
    secret = before.secret if before else base64.b64encode(secrets.token_bytes(32)).decode()
    return state.Attached(
        index=wanted.index,
        uuid=wanted.uuid,
        space=before.space if before and same else wanted.space,
        spaces={**kept, wanted.space: bundle},
        profile=wanted.profile,
        secret=secret,  # a rebuilt index keeps its code store
        settings=before.settings if before else state.Weights(),
        version=before.version if before else None,
    )


def _add_alias(cluster: Cluster, index: str, alias: str) -> None:
    action = {"index": index, "alias": alias, "is_hidden": True, "is_write_index": True}
    cluster.request("POST", "/_aliases", body={"actions": [{"add": action}]})


def _remove_alias(cluster: Cluster, index: str, alias: str) -> None:
    action = {"remove": {"index": index, "alias": alias, "must_exist": False}}
    try:
        cluster.request("POST", "/_aliases", body={"actions": [action]})
    except EngineRefused as error:
        if error.status != 404:  # a detach that was interrupted had removed it
            raise
