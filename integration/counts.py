"""What became of records: counts that add up."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self


@dataclass(slots=True)
class Counts:
    """Every record is in exactly one of encoded, restored, unchanged and failed (by reason).

    `partial` counts, by reason, records that have a code but lack one for a part.
    """

    encoded: int = 0
    restored: int = 0
    unchanged: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    partial: Counter[str] = field(default_factory=Counter)

    @property
    def documents(self) -> int:
        """All records counted."""
        return self.encoded + self.restored + self.unchanged + self.failed.total()

    def add(self, other: Self) -> None:
        """Add the counts of another batch."""
        self.encoded += other.encoded
        self.restored += other.restored
        self.unchanged += other.unchanged
        self.failed.update(other.failed)
        self.partial.update(other.partial)

    def message(self) -> dict[str, Any]:
        """As JSON, for `--json` and for the answer of a job."""
        return {
            "documents": self.documents,
            "encoded": self.encoded,
            "restored": self.restored,
            "unchanged": self.unchanged,
            "failed": dict(self.failed),
            "partial": dict(self.partial),
        }

    @classmethod
    def read(cls, message: Mapping[str, Any]) -> Self:
        """Read what `message` wrote."""
        return cls(
            message["encoded"],
            message["restored"],
            message["unchanged"],
            Counter(message["failed"]),
            Counter(message["partial"]),
        )
