"""From the engine's answer to hits that explain themselves."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from integration import records
from integration.search.plan import BEST, WORDS, SearchPlan
from integration.search.ranks import CONSTANT, part


@dataclass(frozen=True, slots=True)
class Hit:
    """One hit. `bm25` is None where the words do not match; `distance` (bits), `part`, `picture` and `similarity` are
    those of the best pair, None without a comparable code; `picture` counts from 0 and is None for other parts."""

    id: str
    score: float
    bm25: float | None
    distance: int | None
    part: str | None
    picture: int | None
    title: str | None
    similarity: float | None = None

    def listed(self) -> dict[str, Any]:
        """As `crosshatch search --json` prints it."""
        members = asdict(self)
        del members["similarity"]
        return members


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A page of hits. `took_ms` is the whole search as the caller saw it; `encoded_by`: worker, process or record."""

    took_ms: float
    plan: SearchPlan
    total: int
    hits: tuple[Hit, ...]
    encoded_by: str = "process"

    def listed(self, *, explain: bool = False) -> dict[str, Any]:
        """As `crosshatch search --json` prints it."""
        hits = [hit.listed() | ({"explain": explained(hit, self.plan)} if explain else {}) for hit in self.hits]
        return {"took_ms": self.took_ms, "plan": self.plan.name, "total": self.total, "hits": hits}


def read_hits(answer: Mapping[str, Any], plan: SearchPlan, title: str | None) -> tuple[Hit, ...]:
    """The hits of the plan's last answer; `title` is the document field that a hit list shows."""
    return tuple(_hit(raw, plan, title) for raw in answer["hits"]["hits"])


def read_total(answer: Mapping[str, Any], plan: SearchPlan) -> int:
    """How many hits there are on all pages."""
    found = int(answer["hits"]["total"]["value"])
    return found if plan.limit is None else min(found, plan.limit)


def explained(hit: Hit, plan: SearchPlan) -> dict[str, Any]:
    """How the score came about: score = words + codes."""
    if plan.ranks is not None:
        ranks = plan.ranks.places(("", hit.id))
        return {
            "formula": f"(1 - weight) / ({CONSTANT} + words_rank) + weight / ({CONSTANT} + codes_rank)",
            "weight": plan.weight,
            "similarity": hit.similarity or 0.0,
            "words_rank": ranks[0],
            "codes_rank": ranks[1],
            "words": part(1 - plan.weight, ranks[0]),
            "codes": part(plan.weight, ranks[1]),
        }
    words = (1 - plan.weight) * saturated(hit.bm25 or 0.0, plan.saturation)
    return {
        "formula": "(1 - weight) * bm25 / (bm25 + saturation) + weight * similarity",
        "weight": plan.weight,
        "saturation": plan.saturation,
        "similarity": hit.similarity or 0.0,
        "words": words,
        "codes": plan.weight * (hit.similarity or 0.0),
    }


def saturated(bm25: float, saturation: float) -> float:
    """A BM25 score brought into [0, 1): s / (s + c); 0 where the words do not match."""
    return bm25 / (bm25 + saturation) if bm25 > 0 else 0.0


def _hit(raw: Mapping[str, Any], plan: SearchPlan, title: str | None) -> Hit:
    best = next(iter(raw.get("fields", {}).get(BEST, ())), None) or {}
    bm25 = _bm25(raw, plan, best.get("similarity") or 0.0)
    return Hit(
        id=raw["_id"],
        score=saturated(bm25 or 0.0, plan.saturation) if plan.scored_here else float(raw["_score"]),
        bm25=bm25,
        distance=best.get("distance"),
        part=best.get("part"),
        picture=best.get("picture"),
        title=title_of(raw.get("_source") or {}, title),
        similarity=best.get("similarity"),
    )


def _bm25(raw: Mapping[str, Any], plan: SearchPlan, similarity: float) -> float | None:
    """The BM25 score, None where the words do not match.

    Elasticsearch before 8.8 names the queries that matched and not their scores: then it is what the score leaves,
    as exact as single precision is, and None where the words have no weight or ranks were fused.
    """
    named = raw.get("matched_queries") or {}
    if WORDS not in named:
        return None
    if isinstance(named, Mapping):
        return float(named[WORDS])
    if plan.scored_here:
        return float(raw["_score"])
    if plan.ranks is not None:
        return None
    return worked_out(float(raw["_score"]), similarity, weight=plan.weight, saturation=plan.saturation)


def worked_out(score: float, similarity: float, *, weight: float, saturation: float) -> float | None:
    """The BM25 score that a hit's score leaves, as exact as single precision is; None where it has no weight."""
    if weight == 1:
        return None
    share = (score - weight * similarity) / (1 - weight)
    return saturation * share / (1 - share) if 0 < share < 1 else 0.0


def title_of(source: Mapping[str, Any], field: str | None) -> str | None:
    """The text of a field, whose name has dots into objects and lists; several values are joined.

    Half a surrogate pair becomes `?`: no output could carry it.
    """
    found = records.values(source, field) if field else ()
    values = [str(value) for value in found if isinstance(value, str | int | float)]
    return "; ".join(values).encode(errors="replace").decode() or None
