"""Which plan finds the candidates of a `crosshatch` clause: every record is read, or those are that lie near. Pure."""

from collections.abc import Sequence

from integration.gateway.clause import Clause
from integration.gateway.positions import Place
from integration.search.abilities import Abilities
from integration.search.bands import missing, near
from integration.search.knn import check_able, check_comparable
from integration.search.plan import PLUGIN, Body, Target
from mappings.errors import RequestError
from mappings.scripts import Pair


def banded(place: Place, clause: Clause, pairs: Sequence[Pair], targets: Sequence[Target]) -> Body | None:
    """What shares a band with the query, where the clause leaves or wants it so."""
    if clause.plan not in ("auto", "bands") or place.role != "top":
        return None
    found = sharing(pairs, targets)
    if found is None and clause.plan == "bands":
        without = next((one for one in targets if one.bands is None), None)
        if without is not None:
            raise missing(without)
        raise RequestError(
            f"[{place}.plan] the indices that are searched have different bands in one space; search them one by one, "
            "or take another plan"
        )
    return found


def sharing(pairs: Sequence[Pair], targets: Sequence[Target]) -> Body | None:
    """What shares a band with the query; None where a space has no bands, or not the same ones in all indices."""
    return near(pairs, {one.space: (one.bands, one.reach) for one in targets if one.bands and _alike(one, targets)})


def _alike(one: Target, targets: Sequence[Target]) -> bool:
    """Whether all indices that share a space with this one have its bands: a field's terms mean the same in all."""
    return all(other.bands == one.bands for other in targets if other.space == one.space)


def plugin_plan(
    place: Place, clause: Clause, pairs: Sequence[Pair], targets: Sequence[Target], able: Abilities
) -> str | None:
    """The plan of the k-NN plugin that the clause names, or that `auto` takes where every index has vectors."""
    if place.role != "top":
        return None
    if clause.plan == "auto":
        return "knn" if able.knn and all(one.vectors for one in targets) else None
    if clause.plan not in PLUGIN:
        return None
    try:
        check_able(clause.plan, targets, able)
        if clause.plan == "knn-score":
            check_comparable(pairs)
    except RequestError as error:
        raise RequestError(f"[{place}.plan] {error}") from error
    return clause.plan
