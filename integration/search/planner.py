"""Which plan answers a search: pure, so that every choice can be printed and compared.

Bands pay where many records would have to be read: a query's terms cost about as much as reading some ten thousand
codes. So few records, or few that the filters let pass, are read one by one, which misses nothing.
"""

from collections.abc import Sequence
from dataclasses import replace

from integration.search.bands import bands_plan
from integration.search.plan import Body, SearchPlan, Target, plan
from integration.search.request import SearchRequest
from mappings.code import HashCode

FEW = 20_000  # records whose codes are all read


def choose(
    request: SearchRequest,
    target: Target,
    codes: Sequence[tuple[str, HashCode]],
    filters: Sequence[Body] = (),
    *,
    matching: int | None = None,
) -> SearchPlan:
    """The plan that `request` names, or with `auto` the one that fits; `matching` records pass the filters, if told."""
    name, why = _named(request, target, matching)
    make = bands_plan if name == "bands" else plan
    return replace(make(request, target, codes, filters), why=why)


def counts(request: SearchRequest, target: Target) -> bool:
    """Whether the choice depends on how many records pass the filters."""
    return request.plan == "auto" and target.bands is not None


def _named(request: SearchRequest, target: Target, matching: int | None) -> tuple[str, str]:
    if request.plan != "auto":
        return request.plan, "the request names it"
    if target.bands is None:
        return "exact", f"space {target.space} has no bands"
    if matching is not None and matching <= FEW:
        return "exact", f"only {matching} records pass the filters" if request.filters else f"only {matching} records"
    return "bands", f"{'many' if matching is None else matching} records, in bands of {target.bands.width} bits"
