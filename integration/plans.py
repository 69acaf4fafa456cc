"""What an index is prepared for beyond the exact plan: bands and vectors are laid beside the codes, and taken out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from integration import bandings, checks, emptying, graphs, mapping, reindex, splice, state, switch
from integration.bandings import Stand
from integration.counts import Counts
from integration.engine.client import Cluster, part
from integration.graphs import Graphs
from integration.parcels import Mode
from integration.settings import Settings
from integration.writer import GuardedIndex
from mappings import bands, vectors
from mappings.errors import AttachRefused, DataError, RequestError

BESIDE = {"bands": bands.MEMBERS, "knn": vectors.NAMES}  # what a plan has beside the codes of a document


@dataclass(frozen=True, slots=True)
class Added:
    """What became of the records; `stand` tells the plan as it is now, or None of a dry run: then `bundle` would be."""

    index: str
    space: str
    plan: str
    bundle: state.Bundle
    counts: Counts
    stand: Stand | Graphs | None

    def listed(self) -> dict[str, Any]:
        """As `crosshatch plans add --json` prints it."""
        told = self.stand.listed() if self.stand else {"plan": self.plan, "space": self.space, "dry_run": True}
        if not self.stand and self.plan == "knn":
            told["engine"] = self.bundle.vectors
        elif not self.stand and (cut := self.bundle.cut):
            told |= {"width": cut.width, "bands": cut.count}
        return {"index": self.index, **self.counts.message(), **told, "documents": self.counts.documents}


def stands(cluster: Cluster, known: state.Attached) -> list[Stand | Graphs]:
    """What every space is prepared for."""
    return [*bandings.stands(cluster, known), *graphs.stands(cluster, known)]


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
    seen, cut, learnt = _banded(cluster, known.in_space(space), width)
    counts = _fill(cluster, known, seen, broker_url, settings, progress)
    recall = bandings.measured_recall(bandings.sampled(cluster, seen, bandings.AMONG), cut)
    ready = {"bands": cut, "filling": None, "learnt": replace(learnt, recall=recall)}
    now = _filled(cluster, seen, lambda bundle: bundle.cut == cut, ready)
    [stand] = [one for one in bandings.stands(cluster, now) if one.space == space]
    return Added(known.index, space, "bands", now.in_space(space).bundle, counts, stand)


def add_vectors(
    cluster: Cluster,
    known: state.Attached,
    space: str,
    broker_url: str,
    settings: Settings,
    progress: reindex.Progress,
    *,
    engine: str | None = None,
) -> Added:
    """Give every document with codes in `space` its vectors for the k-NN plugin, in graphs of `engine`; as `add`."""
    switch.check(cluster, known.index)
    seen = _graphed(cluster, known.in_space(space), engine)
    counts = _fill(cluster, known, seen, broker_url, settings, progress)
    same = seen.bundle.vectors
    now = _filled(cluster, seen, lambda bundle: bundle.vectors == same, {"vectors_ready": True})
    [stand] = [one for one in graphs.stands(cluster, now) if one.space == space]
    return Added(known.index, space, "knn", now.in_space(space).bundle, counts, stand)


def dry_run(
    cluster: Cluster, known: state.Attached, space: str, progress: reindex.Progress, *, width: int | None = None
) -> Added:
    """What `add` would do, without doing it: `encoded` and `restored` count what is still to come."""
    seen, _, _ = _banded(cluster, known.in_space(space), width)
    return _counted(cluster, seen, "bands", progress)


def dry_run_vectors(
    cluster: Cluster, known: state.Attached, space: str, progress: reindex.Progress, *, engine: str | None = None
) -> Added:
    """What `add_vectors` would do, likewise."""
    return _counted(cluster, _graphed(cluster, known.in_space(space), engine), "knn", progress)


def drop(
    cluster: Cluster,
    known: state.Attached,
    space: str,
    admit: Callable[[int], None] = lambda _: None,
    *,
    plan: str = "bands",
) -> int:
    """Take what `plan` has out of every document of `space`; return how many were changed. The mapping stays, inert.

    The state goes first, so that nothing writes it again; stopped anywhere, running it again does the rest. `admit` is
    called before writes, with their number: it may wait, or raise to stop. Raises RequestError where there is none.
    """
    allowed = switch.Switch(cluster, known.index)

    def step(documents: int) -> None:
        admit(documents)
        allowed.check()

    step(0)
    bundle = known.in_space(space).bundle
    there = cluster.request("GET", f"/{part(known.index)}/_mapping")[known.index]["mappings"]
    mapped = mapping.spaces_in(there, bands.OBJECT).get(space, {}).get("properties", {})
    noted = bundle.vectors if plan == "knn" else bundle.cut
    if not noted and mapped.keys().isdisjoint(BESIDE[plan]):
        what = "vectors" if plan == "knn" else "bands"
        raise RequestError(f"space {space} of {known.index} has no {what}; see `crosshatch plans list {known.index}`")
    if noted:
        gone: dict[str, Any] = {"bands": None, "filling": None, "learnt": None}
        if plan == "knn":
            gone = {"vectors": None, "vectors_ready": False}
        state.save(cluster, replace(known, spaces={**known.spaces, space: replace(bundle, **gone)}))
    guarded = GuardedIndex(cluster, known.alias, known.profile.versioning)
    without = partial(splice.without_beside, space=space, names=BESIDE[plan])
    return emptying.empty(cluster, known.index, guarded, bands.OBJECT, without, admit=step)


def _banded(
    cluster: Cluster, seen: state.Attached, width: int | None
) -> tuple[state.Attached, bands.Banding, state.Learnt]:
    """The index as its bands are filled, these, and what they were learnt from. Nothing is changed."""
    cut, learnt = bandings.chosen(cluster, seen, width)
    bundle = seen.bundle
    if bundle.cut != cut:
        bundle = replace(bundle, bands=None, filling=cut, learnt=learnt)
    return _checked(cluster, replace(seen, spaces={**seen.spaces, seen.space: bundle}), "bands"), cut, learnt


def _graphed(cluster: Cluster, seen: state.Attached, asked: str | None) -> state.Attached:
    """The index as its vectors are filled. Nothing is changed."""
    engine = graphs.engine_for(cluster, seen, asked)
    bundle = seen.bundle
    if bundle.vectors != engine:
        bundle = replace(bundle, vectors=engine, vectors_ready=False)
    return _checked(cluster, replace(seen, spaces={**seen.spaces, seen.space: bundle}), "vectors")


def _checked(cluster: Cluster, wanted: state.Attached, what: str) -> state.Attached:
    """`wanted`, where its index can get what it has beside the codes. Raises AttachRefused."""
    beside = mapping.beside(wanted.space, wanted.bundle)
    found = checks.of_index(
        cluster, wanted.index, wanted.space, wanted.profile, allow_final_pipeline=True, beside=beside
    )
    refused = checks.refusals(found)
    if refused:
        raise AttachRefused(f"index {wanted.index} can get no {what}: " + " | ".join(refused))
    return wanted


def _counted(cluster: Cluster, as_if: state.Attached, plan: str, progress: reindex.Progress) -> Added:
    counts = reindex.dry_run(cluster, as_if, Mode(), progress)
    return Added(as_if.index, as_if.space, plan, as_if.bundle, counts, None)


def _fill(
    cluster: Cluster,
    known: state.Attached,
    wanted: state.Attached,
    broker_url: str,
    settings: Settings,
    progress: reindex.Progress,
) -> Counts:
    """Extend the mapping and the state to what is wanted, and bring every document up to it."""
    for body in mapping.beside(wanted.space, wanted.bundle):
        mapping.put(cluster, known.index, body)
    if wanted.bundle != known.spaces[wanted.space]:
        state.save(cluster, replace(known, spaces=wanted.spaces))
        wanted = state.attached(cluster, known.index).in_space(wanted.space)
    counts = reindex.run(cluster, wanted, broker_url, settings, Mode(), progress)
    if counts.documents and counts.failed.total() == counts.documents:
        raise DataError(f"every document failed; `crosshatch problems {known.index}` tells why of each")
    cluster.request("POST", f"/{part(known.index)}/_refresh")  # for what is counted now
    return counts


def _filled(
    cluster: Cluster, wanted: state.Attached, same: Callable[[state.Bundle], bool], ready: Mapping[str, Any]
) -> state.Attached:
    """Note that every document has them; the state may have changed while they were filled. Raises RequestError."""
    now, space = state.attached(cluster, wanted.index), wanted.space
    bundle = now.spaces.get(space)
    if bundle is None or not same(bundle):
        raise RequestError(f"what space {space} is prepared for was changed by another command meanwhile; run it again")
    state.save(cluster, replace(now, spaces={**now.spaces, space: replace(bundle, **ready)}))
    return state.attached(cluster, wanted.index)
