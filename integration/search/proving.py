"""The exact nearest by bands: the radius grows until no record that shares no band could be among the hits.

Of the records that share no band within radius r every code is farther than the bands' proven distance (the pigeonhole
principle), so none is more similar than `unseen` says. Where proving would take more terms than reading every code is
worth, the exact plan ends the rounds.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from integration.search.bands import TERMS, bands_plan, missing, unseen
from integration.search.plan import Body, SearchPlan, Target, least_similar, pairs_of, plan
from integration.search.request import SearchRequest
from mappings.bands import Reach, terms_within
from mappings.code import HashCode


@dataclass(frozen=True, slots=True)
class Round:
    """A plan, and the similarity that a record may have at most which it does not look at; `least` of any hit."""

    plan: SearchPlan
    unseen: float
    least: float

    def proves(self, answer: Mapping[str, Any]) -> bool:
        """Whether `answer` to the plan's `similar` is the exact plan's."""
        if self.unseen < self.least:
            return True
        hits = answer["hits"]["hits"]
        if len(hits) < self.plan.similar["size"]:
            return False
        weight = self.plan.weight if self.plan.candidates is None else 1.0
        # the engine rounds scores to single precision, so a tie may look like more
        return not hits or bool(hits[-1]["_score"] > np.float32(weight * self.unseen))


def rounds(
    request: SearchRequest, target: Target, codes: Sequence[tuple[str, HashCode]], filters: Sequence[Body] = ()
) -> Iterator[Round]:
    """Plans of growing radius, the exact plan at last. Raises RequestError where the space has no bands."""
    if target.bands is None:
        raise missing(target)
    cut = target.bands
    pairs = pairs_of(target, codes, request.on, request.part_weights)
    least = least_similar(request, target)
    radius = 0
    while len(pairs) * terms_within(cut, radius) <= TERMS and radius < cut.width:
        reach = Reach(radius)  # one band is enough: it proves the most with the fewest terms
        yield Round(bands_plan(request, target, codes, filters, reach=reach), unseen(pairs, cut, reach), least)
        radius += 1
    yield Round(plan(request, target, codes, filters), -1.0, least)
