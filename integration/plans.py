"""What an index is prepared for beyond the exact plan: bands are learnt, laid beside the codes, measured, taken out."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from integration import bandings, checks, emptying, mapping, reindex, splice, state, switch
from integration.bandings import Stand
from integration.counts import Counts
from integration.engine.client import Cluster, part
from integration.parcels import Mode
from integration.settings import Settings
from integration.writer import GuardedIndex
from mappings import bands
from mappings.bands import Banding
from mappings.errors import AttachRefused, DataError, RequestError


@dataclass(frozen=True, slots=True)
class Added:
    """What became of the records; `stand` tells the bands as they are now, or None of a dry run."""

    index: str
    space: str
    banding: Banding
    counts: Counts
    stand: Stand | None

    def listed(self) -> dict[str, Any]:
        """As `crosshatch plans add --json` prints it."""
        cut = {"plan": "bands", "space": self.space, "width": self.banding.width, "bands": self.banding.count}
        told = self.stand.listed() if self.stand else {**cut, "dry_run": True}
        return {"index": self.index, **self.counts.message(), **told, "documents": self.counts.documents}


def add(
    cluster: Cluster,
    known: state.Attached,
    space: str,
    broker_url: str,
    settings: Settings,
    progress: reindex.Progress,
    *,
    width: int | None = None,
) -> Added:
    """Give every document with codes in `space` its bands, and measure what they find.

    Bands that are being filled, or that still fit, are gone on with; others are learnt anew and replace those that are
    there. The mapping comes first, then the state, from which every write carries them; searches use them at the end.
    Stopped anywhere, running it again does the rest. Raises AttachRefused listing the checks that failed, RequestError,
    DataError where no document has a code, and as `reindex.run`.
    """
    switch.check(cluster, known.index)
    seen = known.in_space(space)
    cut, learnt = bandings.chosen(cluster, seen, width)
    _check(cluster, seen)
    mapping.put(cluster, known.index, bands.space_mapping(space))
    bundle = seen.bundle
    if bundle.cut != cut:
        bundle = replace(bundle, bands=None, filling=cut, learnt=learnt)
        state.save(cluster, replace(known, spaces={**known.spaces, space: bundle}))
        seen = state.attached(cluster, known.index).in_space(space)
    counts = reindex.run(cluster, seen, broker_url, settings, Mode(), progress)
    if counts.documents and counts.failed.total() == counts.documents:
        raise DataError(f"every document failed; `crosshatch problems {known.index}` tells why of each")
    recall = bandings.measured_recall(bandings.sampled(cluster, seen, bandings.AMONG), cut)
    now = _filled(cluster, known.index, space, cut, replace(learnt, recall=recall))
    [stand] = [one for one in bandings.stands(cluster, now) if one.space == space]
    return Added(known.index, space, cut, counts, stand)


def dry_run(
    cluster: Cluster, known: state.Attached, space: str, progress: reindex.Progress, *, width: int | None = None
) -> Added:
    """What `add` would do, without doing it: `encoded` and `restored` count what is still to come."""
    seen = known.in_space(space)
    cut, _ = bandings.chosen(cluster, seen, width)
    _check(cluster, seen)
    as_if = replace(seen, spaces={**seen.spaces, space: replace(seen.bundle, filling=cut)})
    return Added(known.index, space, cut, reindex.dry_run(cluster, as_if, Mode(), progress), None)


def drop(cluster: Cluster, known: state.Attached, space: str, admit: Callable[[int], None] = lambda _: None) -> int:
    """Take the bands of `space` out of every document; return how many were changed. The mapping stays, inert.

    The state goes first, so that nothing writes them again; stopped anywhere, running it again does the rest. `admit`
    is called before writes, with their number: it may wait, or raise to stop. Raises RequestError where there are none.
    """
    allowed = switch.Switch(cluster, known.index)

    def step(documents: int) -> None:
        admit(documents)
        allowed.check()

    step(0)
    bundle = known.in_space(space).bundle
    there = cluster.request("GET", f"/{part(known.index)}/_mapping")[known.index]["mappings"]
    if bundle.cut is None and space not in mapping.spaces_in(there, bands.OBJECT):
        raise RequestError(f"space {space} of {known.index} has no bands; see `crosshatch plans list {known.index}`")
    if bundle.cut:
        plain = replace(bundle, bands=None, filling=None, learnt=None)
        state.save(cluster, replace(known, spaces={**known.spaces, space: plain}))
    guarded = GuardedIndex(cluster, known.alias, known.profile.versioning)
    without = partial(splice.without_bands, space=space)
    return emptying.empty(cluster, known.index, guarded, bands.OBJECT, without, admit=step)


def _check(cluster: Cluster, seen: state.Attached) -> None:
    found = checks.of_index(cluster, seen.index, seen.space, seen.profile, allow_final_pipeline=True, bands=True)
    refused = checks.refusals(found)
    if refused:
        raise AttachRefused(f"index {seen.index} can get no bands: " + " | ".join(refused))


def _filled(cluster: Cluster, index: str, space: str, cut: Banding, learnt: state.Learnt) -> state.Attached:
    """Note that every document has them; the state may have changed while they were filled. Raises RequestError."""
    now = state.attached(cluster, index)
    bundle = now.spaces.get(space)
    if bundle is None or bundle.cut != cut:
        raise RequestError(f"the bands of space {space} were changed by another command meanwhile; run it again")
    ready = replace(bundle, bands=cut, filling=None, learnt=learnt)
    state.save(cluster, replace(now, spaces={**now.spaces, space: ready}))
    return state.attached(cluster, index)
