"""What is chosen first for a clause, asked as the caller: the most similar records, and the best by words for ranks."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from integration.gateway.asking import Ask, Refused, Where, answer, shared
from integration.gateway.rewriting import candidates, counted, listed
from integration.gateway.sides import Side
from integration.gateway.turns import in_turns
from integration.search.plan import Body, guards
from integration.search.planner import few
from integration.search.ranks import Ranks, Record


async def chosen_first(ask: Ask, tree: Body, one: Side, where: Where) -> list[Record] | Ranks:
    """What the clause names in the search `tree`: its candidates, or both lists. Raises Refused."""
    one = await _within_budget(ask, tree, one, where)
    if not one.ranked:
        return await _similar(ask, tree, one, where)
    asked = [partial(_ids, ask, listed(tree, one), where), partial(_similar, ask, tree, one, where)]
    words, codes = await in_turns(asked)
    return Ranks(words, codes, one.weight)


async def _within_budget(ask: Ask, tree: Body, one: Side, where: Where) -> Side:
    """The side whose candidates are among all records, where all that may be found can be read in the time it has."""
    budget = one.clause.budget_ms
    if budget is None or one.clause.plan != "auto" or (one.near is None and one.plugin is None):
        return one
    told = await _asked(ask, counted(tree, one, few(budget)), where, "hits.total")
    return replace(one, near=None, plugin=None) if told["hits"]["total"]["value"] <= few(budget) else one


async def _similar(ask: Ask, tree: Body, one: Side, where: Where) -> list[Record]:
    """What the codes find."""
    try:
        return await _ids(ask, candidates(tree, one), where, one.plugin)
    except Refused:
        if one.plugin is None or one.clause.plan != "auto":
            raise
        return await _ids(ask, candidates(tree, replace(one, plugin=None)), where)  # by another plan


async def _ids(ask: Ask, body: Body, where: Where, plan: str | None = None) -> list[Record]:
    told = await _asked(ask, body, where, "hits.hits._i*", guards(plan))
    return [(hit["_index"], hit["_id"]) for hit in told.get("hits", {}).get("hits", ())]


async def _asked(ask: Ask, body: Body, where: Where, filter_path: str, more: Mapping[str, str] | None = None) -> Any:
    params = {**shared(where.params, filter_path), **(more or {})}
    return await answer(ask, where.index, body, params, where.headers)
