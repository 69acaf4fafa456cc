"""A `crosshatch` clause brought together with what is searched and the query's codes: ready to be written. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from integration.gateway.clause import Clause
from integration.gateway.plans import banded, plugin_plan
from integration.gateway.positions import Place
from integration.search.abilities import Abilities
from integration.search.plan import Body, Target, pairs_of
from integration.search.planner import BARE
from integration.search.ranks import check_length
from integration.search.scoring import scored
from mappings.code import HashCode
from mappings.errors import RequestError
from mappings.fields import PARTS
from mappings.scripts import Pair

Coded = Sequence[tuple[str, HashCode]]  # (query part, code)


@dataclass(frozen=True, slots=True)
class Side:
    """A clause that is ready to be written: what is compared, and by which numbers."""

    place: Place
    clause: Clause
    pairs: tuple[Pair, ...]
    weight: float
    saturation: float
    least: float
    k: int
    near: Body | None = None  # what its candidates are among; all records where None
    plugin: str | None = None  # the plan of the k-NN plugin that finds them instead

    @property
    def chosen(self) -> bool:
        """Whether its hits by code are chosen first, by a request of their own."""
        return self.place.role == "top"

    @property
    def ranked(self) -> bool:
        """Whether its hits score by their ranks in two lists: then those of the words are asked for, too."""
        return self.chosen and self.clause.fusion == "rrf"

    @property
    def most(self) -> int:
        """How many records it may name."""
        return self.k * (1 + self.ranked) if self.chosen else 0


def side(
    place: Place, clause: Clause, targets: Sequence[Target], codes: Mapping[str, Coded], able: Abilities = BARE
) -> Side:
    """Bring a clause, what is searched, the query's codes and what the cluster can do together.

    `codes` are (query part, code) by space: each is compared with the stored codes of its own. Raises RequestError
    where nothing can be compared, where the indices searched have different numbers and the clause gives none, or where
    it names a plan that cannot be taken.
    """
    spaces = {target.space: target for target in targets if codes.get(target.space)}
    given = clause.part_weights
    try:
        check_same_weights(targets, given, clause.on or PARTS)
        own = {space: scored(codes[space], clause.scoring) for space in spaces}
        pairs = [pair for space, one in spaces.items() for pair in pairs_of(one, own[space], clause.on, given)]
    except RequestError as error:
        raise RequestError(f"[{place}] {error}") from error

    def number(name: str) -> Any:
        asked = getattr(clause, name)
        known = {getattr(target, name) for target in targets}
        if asked is None and len(known) > 1:
            raise RequestError(
                f"[{place}.{name}] is {sorted(known)} in the indices that are searched; say in the clause which counts"
            )
        return known.pop() if asked is None else asked

    weight, least, k = float(number("weight")), float(number("min_similarity")), int(number("k"))
    if clause.query is None:
        weight = weight or 1.0  # nothing else is left to rank by
    if clause.fusion == "rrf":
        try:
            check_length(k)
        except RequestError as error:
            raise RequestError(f"[{place}.k] {error}") from error
    compared = [one for one in targets if one.space in spaces]
    found, plugin = banded(place, clause, pairs, compared), plugin_plan(place, clause, pairs, compared, able)
    return Side(place, clause, tuple(pairs), weight, float(number("saturation")), least, k, found, plugin)


def check_same_weights(targets: Sequence[Target], asked: Mapping[str, float], parts: Sequence[str] = PARTS) -> None:
    """Raises RequestError where one field's codes would count differently from index to index."""
    for part in parts:
        for space in {target.space for target in targets}:
            known = {target.part_weight(part, asked) for target in targets if target.space == space}
            if len(known) > 1:
                raise RequestError(
                    f"the weight of part {part} is {sorted(known)} in the indices that are searched; say in "
                    "part_weights which counts, or search them one by one"
                )
