"""The library system beside the faults: short records, rewritten, deleted, created while we encode.

Three words a title, each one token of the encoder, so that 20,000 records take minutes; no two titles ever written are
the same, so that a code tells whose it is. Numbers are written as no JSON library would write them again.
"""

from collections.abc import Sequence
from random import Random
from typing import Any, Literal, Self

from tests.writers.writer import Action, Writer

WORDS = (
    *("whale", "harbor", "atlas", "garden", "letters", "grammar", "bridge", "river", "mountain", "forest", "castle"),
    *("tower", "village", "market", "winter", "summer", "music", "piano", "violin", "opera", "theater", "poetry"),
    *("drama", "history", "science", "medicine", "law", "trade", "silver", "gold", "iron", "stone", "glass", "paper"),
    *("wood", "horse", "eagle", "lion", "wolf", "fish", "apple", "bread", "wine", "salt", "sugar", "coffee", "king"),
    *("queen", "soldier", "sailor", "teacher", "painter", "doctor", "child", "mother", "father", "island", "ocean"),
)
MAPPING = {
    "properties": {
        "title": {"type": "text"},
        "note": {"type": "object", "enabled": False},
        "picture": {"type": "keyword"},
        "shelf": {"type": "keyword"},
        "loans": {"type": "integer"},
    }
}
PROFILE = """
name: faults
versioning: {versioning}
text: [title, note]
pictures: [{{field: picture, kind: url}}]
"""
STEP = 7919  # a prime that shares no factor with the number of titles: neighbours have few words in common


class Cataloguing(Writer):
    """Half of its writes are loans, which change no word; the others new titles, deletes, and records new or back.

    With `external` versions it writes as InvenioRDM does: `external_gte`, each revision one higher, and some rewrites
    of labels at the same one.
    """

    def __init__(
        self, url: str, index: str, records: int, *, versioning: Literal["internal", "external"], seed: int
    ) -> None:
        super().__init__(url, seed=seed)
        self.index, self.titles = index, 0
        self._external = versioning == "external"
        self._start = Random(seed).randrange(len(WORDS) ** 3)
        self._count = records
        self._now: dict[str, str | None] = {}  # titles; None: deleted
        self._versions: dict[str, int] = {}
        self._edits = 0

    def build(self) -> Self:
        """Make the index and write every record once."""
        settings = {"number_of_shards": 1, "number_of_replicas": 0}
        self.ask("PUT", f"/{self.index}", {"settings": settings, "mappings": MAPPING})
        self.send([self._written(f"r{number}", title=True) for number in range(self._count)])
        return self

    def add(self, record: str, member: str, *, title: str = "") -> None:
        """Write a record that is left alone from then on; `member` is its further member, as JSON."""
        body = f'{{"title":"{title or self._title()}",{member}}}'
        self.send([Action(self.index, record, body.encode(), self._guard(record))])

    def turn(self, number: int) -> Sequence[Action]:
        """A mixture of changes to different records."""
        chosen = self._rng.sample(list(self._now), number)
        return [self._changed(record) for record in chosen]

    def _changed(self, record: str) -> Action:
        dice = self._rng.random()
        if dice < 0.1:
            return self._written(f"r{len(self._now)}", title=True)
        if self._now[record] is None:
            return self._written(record, title=True)
        if dice < 0.2:
            self._now[record] = None
            return Action(self.index, record, None, self._guard(record))
        return self._written(record, title=dice < 0.5, label=dice > 0.9)

    def _written(self, record: str, *, title: bool, label: bool = False) -> Action:
        """A whole document; `label`: at the version that it has."""
        if title:
            self._now[record] = self._title()
        self._edits += 1
        body = f'{{"title":"{self._now[record]}","shelf":{self._edits % 1000}.50,"rank":1E2,"loans":{self._edits}}}'
        return Action(self.index, record, body.encode(), self._guard(record, same=label))

    def _guard(self, record: str, *, same: bool = False) -> dict[str, Any]:
        if not self._external:
            return {}
        self._versions[record] = self._versions.get(record, 0) + (0 if same else 1)
        return {"version": self._versions[record], "version_type": "external_gte"}

    def _title(self) -> str:
        """Three words; the walk comes back to the first only after all of them."""
        place = (self._start + self.titles * STEP) % len(WORDS) ** 3
        self.titles += 1
        return " ".join(WORDS[place // len(WORDS) ** power % len(WORDS)] for power in range(3))
