"""What a caller asks for: a value, checked before anything is read or sent."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from encoders.api import PARTS
from integration.search.scoring import Scoring
from mappings.errors import RequestError

Plan = Literal["auto", "exact", "bands", "bands-exact", "knn", "knn-score"]
Fusion = Literal["auto", "exact", "rrf"]  # auto: exact, by the score of the design
WINDOW = 10_000  # the engine's default index.max_result_window: hits reachable by paging, and the largest k
MAX_TEXT = 4_000  # characters; more is a document, not a query


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One search. At least one of `text`, `image` (an encoded picture) and `like` (a record's id) is given.

    `filters` are pairs of field and value; all must hold. Pages count from 1. `weight` (w, 0 = words only, 1 = codes
    only), `k` and `min_similarity` are the index's own where None. `on` names the stored parts that are compared; empty
    means all. `part_weights` are what the similarity of a stored part is multiplied by, the index's own where a part is
    left out. `scoring` says how the bits of a text's or a picture's code count. `count`: all hits are counted, else
    those beyond 10,000 may not be. `fusion`: words and codes are brought together by their scores (`exact`), or by
    their ranks in two lists (`rrf`). `budget_ms`: milliseconds that the engine may take; with plan `auto`
    the one that finds the most within them is chosen. Raises RequestError for anything that is out of range.
    """

    text: str | None = None
    image: bytes | None = None
    like: str | None = None
    filters: tuple[tuple[str, str], ...] = ()
    size: int = 10
    page: int = 1
    weight: float | None = None
    k: int | None = None
    min_similarity: float | None = None
    on: tuple[str, ...] = ()
    part_weights: Mapping[str, float] = field(default_factory=dict)
    plan: Plan = "auto"
    scoring: Scoring = "symmetric"
    count: bool = True
    fusion: Fusion = "auto"
    budget_ms: float | None = None

    def __post_init__(self) -> None:
        self._check_query()
        self._check_page()
        check_numbers(self.weight, self.min_similarity, self.k)
        check_part_weights(self.part_weights)
        if wrong := [part for part in self.on if part not in PARTS]:
            raise RequestError(f"no part {wrong[0]!r} to compare with; there are: {', '.join(PARTS)}")
        for name, known in (("plan", Plan), ("scoring", Scoring), ("fusion", Fusion)):
            if getattr(self, name) not in get_args(known):
                raise RequestError(f"no {name} {getattr(self, name)!r}; there are: {', '.join(get_args(known))}")
        if self.budget_ms is not None and not (math.isfinite(self.budget_ms) and self.budget_ms > 0):
            raise RequestError(f"budget_ms is {self.budget_ms}; expected a number of milliseconds above 0")
        if self.fusion == "rrf" and self.text is None:
            raise RequestError("fusion rrf merges what words find with what codes find; give a text, or leave it out")

    def _check_query(self) -> None:
        if self.text is None and self.image is None and self.like is None:
            raise RequestError("nothing to search for; give a text, an image, or the id of a record that hits are like")
        if self.text is not None and not self.text.strip():
            raise RequestError("the text to search for is empty; give at least one word, or leave it out")
        if self.text is not None and len(self.text) > MAX_TEXT:
            raise RequestError(f"the text has {len(self.text)} characters; at most {MAX_TEXT} are searched for")
        for said in (self.text, self.like, *(word for pair in self.filters for word in pair)):
            _check_unicode(said or "")
        if self.like is not None and not 1 <= len(self.like.encode()) <= 512:
            raise RequestError("the id of a record has 1 to 512 bytes; give one that the index holds")

    def _check_page(self) -> None:
        if self.size < 1 or self.page < 1:
            raise RequestError(f"size is {self.size} and page {self.page}; both count from 1")
        if self.size * self.page > WINDOW:
            raise RequestError(
                f"page {self.page} of {self.size} hits ends at hit {self.size * self.page}; paging ends at {WINDOW}: "
                "narrow the search with a filter"
            )

    @property
    def start(self) -> int:
        """How many hits stand before this page."""
        return (self.page - 1) * self.size


def check_numbers(weight: float | None, min_similarity: float | None, k: int | None) -> None:
    """Raises RequestError where one that is given is out of range."""
    _check_share("weight", weight)
    _check_share("min_similarity", min_similarity)
    if k is not None and not 1 <= k <= WINDOW:
        raise RequestError(f"k is {k}; expected 1 to {WINDOW}")


def check_part_weights(weights: Mapping[str, float]) -> None:
    """Raises RequestError for a part that does not exist, and for a weight that is out of range."""
    for part, weight in weights.items():
        if part not in PARTS:
            raise RequestError(f"no part {part!r} to give a weight; there are: {', '.join(PARTS)}")
        _check_share(f"the weight of part {part}", weight)


def _check_share(name: str, value: float | None) -> None:
    if value is not None and not (math.isfinite(value) and 0 <= value <= 1):
        raise RequestError(f"{name} is {value}; expected a number from 0 to 1")


def _check_unicode(said: str) -> None:
    """Half a surrogate pair comes from broken UTF-8 on a command line; JSON cannot carry it."""
    try:
        said.encode()
    except UnicodeEncodeError as error:
        raise RequestError(f"{said[:40]!r} is no Unicode text; send it as UTF-8") from error
