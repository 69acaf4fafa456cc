"""Which plan answers a search: pure, so that every choice can be printed and compared."""

from collections.abc import Sequence

from integration.search.bands import bands_plan
from integration.search.plan import Body, SearchPlan, Target, plan
from integration.search.request import SearchRequest
from mappings.code import HashCode


def choose(
    request: SearchRequest, target: Target, codes: Sequence[tuple[str, HashCode]], filters: Sequence[Body] = ()
) -> SearchPlan:
    """The plan that `request` names; `auto` is bands where the space has them, else exact."""
    if request.plan == "bands" or (request.plan == "auto" and target.bands is not None):
        return bands_plan(request, target, codes, filters)
    return plan(request, target, codes, filters)
