"""Which plan answers a search: pure, so that every choice can be printed and compared.

Bands and graphs pay where many records would have to be read: a query's terms cost about as much as reading some ten
thousand codes. So few records, or few that the filters let pass, are read one by one, which misses nothing: as many as
a latency budget allows, where the request has one. Graphs come before bands: they need the plugin and more room, so
whoever has them asked for them.
"""

from collections.abc import Sequence
from dataclasses import replace

from integration.search.abilities import Abilities
from integration.search.bands import bands_plan
from integration.search.knn import check_able, knn_plan, knn_score_plan
from integration.search.plan import PLUGIN, Body, SearchPlan, Target, plan
from integration.search.request import SearchRequest
from mappings.code import HashCode

FEW = 20_000  # records whose codes are all read, without a budget
READ = 2_500  # codes that the exact plan reads in a millisecond (docs/scale.md), on one slow core
MOST = 2**31 - 2  # more than the engine can count: one shard holds no more
BARE = Abilities()  # a cluster without plugins
_PLANS = {"exact": plan, "bands": bands_plan, "knn": knn_plan, "knn-score": knn_score_plan}


def choose(
    request: SearchRequest,
    target: Target,
    codes: Sequence[tuple[str, HashCode]],
    filters: Sequence[Body] = (),
    *,
    matching: int | None = None,
    able: Abilities = BARE,
) -> SearchPlan:
    """The plan that `request` names, or with `auto` the one that fits; `matching` records pass the filters, if told.

    Raises RequestError where a plan is named that the index is not prepared for, or the cluster not able to.
    """
    name, why = _named(request, target, matching, able)
    if request.plan in PLUGIN:
        check_able(request.plan, [target], able)
    return replace(_PLANS[name](request, target, codes, filters), why=why)


def counts(request: SearchRequest, target: Target) -> bool:
    """Whether the choice depends on how many records pass the filters; without any, what the state knows may do."""
    prepared = target.bands is not None or target.vectors
    return request.plan == "auto" and prepared and (bool(request.filters) or target.documents <= few(request.budget_ms))


def few(budget_ms: float | None) -> int:
    """So many records are read one by one."""
    return FEW if budget_ms is None else int(min(budget_ms * READ, MOST))


def asks_for_abilities(name: str, targets: Sequence[Target]) -> bool:
    """Whether the choice depends on what the cluster can do; `name` is the plan that is asked for."""
    return name in PLUGIN or (name == "auto" and any(target.vectors for target in targets))


def _named(request: SearchRequest, target: Target, matching: int | None, able: Abilities) -> tuple[str, str]:
    if request.plan != "auto":
        return request.plan, "the request names it"
    if target.bands is None and not target.vectors:
        return "exact", f"space {target.space} has no bands and no vectors"
    if matching is not None and matching <= few(request.budget_ms):
        return "exact", f"only {matching} records pass the filters" if request.filters else f"only {matching} records"
    known = f"{target.documents} records when they were counted last" if target.documents else "many records"
    many = known if matching is None else f"{matching} records"
    if target.vectors and able.knn:
        return "knn", f"{many}, in graphs of the k-NN plugin"
    unable = f"; its vectors are of no use: {able.knn_why}" if target.vectors else ""
    if target.bands is None:
        return "exact", f"space {target.space} has no bands{unable}"
    return "bands", f"{many}, in bands of {target.bands.width} bits{unable}"
