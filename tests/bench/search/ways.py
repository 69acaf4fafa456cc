"""What a way to search is: the seam between what is measured and how it is measured.

A way `outside` the engine keeps its index in memory and is asked by threads of this process; one in an engine is a
small value that goes to processes of their own, each with a connection that is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tests.bench.search.collection import Collection, Query

# what a way answers: BM25 alone, the nearest codes, the ranks in both lists, or the fused score at a weight
WORDS, CODES, RANKS = "words", "codes", "ranks"
OUTSIDE, ENGINE, PLUGIN = "outside", "engine", "plugin"  # where it runs; `plugin`: a node with the k-NN plugin


@dataclass(frozen=True, slots=True)
class Built:
    """What an index costs: seconds to build it, bytes that it takes; `added` are those without the titles' share."""

    seconds: float
    bytes: int
    added: int


class Way(Protocol):
    """One way to search. `answers` is the truth it is held against: `words` (none), `codes`, `ranks`, `fused 0.5`."""

    @property
    def name(self) -> str: ...

    @property
    def answers(self) -> str: ...

    @property
    def where(self) -> str: ...

    def build(self, collection: Collection) -> Built:
        """Make what is searched, or find it made before; with what it cost when it was made."""
        ...

    def ask(self, query: Query, size: int) -> Sequence[int]:
        """Numbers of the `size` best records, best first. Its time is what is measured, and nothing beside it."""
        ...


def fused(weight: float) -> str:
    """The name of the fused truth at a weight."""
    return f"fused {weight:g}"
