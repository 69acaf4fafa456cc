"""The numbers of an index's fused score: what searches use where their request says nothing.

w, c, `k` and the least similarity are the index's; the weights of stored parts are those of a space, since another
encoder's pictures may be better or worse.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

from integration import state
from integration.engine.client import Cluster
from integration.search.request import check_numbers, check_part_weights
from integration.state import Attached, Weights
from mappings.errors import RequestError
from mappings.fields import PARTS


def listed(known: Attached) -> dict[str, Any]:
    """As `crosshatch weights --json` prints them, for the space through which the index is seen."""
    parts = {part: known.bundle.part_weights.get(part, 1.0) for part in PARTS}
    return {"index": known.index, "space": known.space, **asdict(known.settings), "part_weights": parts}


def changed(known: Attached, settings: Mapping[str, Any], part_weights: Mapping[str, float]) -> Attached:
    """`known` with other numbers, of those that are given. Raises RequestError for what is out of range."""
    given = replace(known.settings, **settings)
    check(given)
    check_part_weights(part_weights)
    weights = {**known.bundle.part_weights, **part_weights}
    weights = {part: weight for part, weight in weights.items() if weight != 1}
    if all(weights.get(part) == 0 for part in PARTS):
        raise RequestError("every part would have weight 0, and no code be compared; leave one above 0")
    spaces = {**known.spaces, known.space: replace(known.bundle, part_weights=weights)}
    return replace(known, settings=given, spaces=spaces)


def check(settings: Weights) -> None:
    """Raises RequestError for a number that is out of range."""
    check_numbers(settings.weight, settings.min_similarity, settings.k)
    if not (math.isfinite(settings.saturation) and settings.saturation > 0):
        raise RequestError(f"saturation is {settings.saturation}; expected a number above 0")


def change(
    cluster: Cluster,
    index: str,
    settings: Mapping[str, Any],
    part_weights: Mapping[str, float],
    space: str | None = None,
) -> Attached:
    """Write other numbers for an index, and for a space of it, the active one by default.

    Raises RequestError (NotAttachedError among them) for what is out of range, an unknown space, or a change by another
    command meanwhile.
    """
    known = state.attached(cluster, index)
    seen = changed(known.in_space(space or known.space), settings, part_weights)
    state.save(cluster, replace(seen, space=known.space))
    return seen
