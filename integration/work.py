"""One record of a batch: what was read, what the encoder is given, and what is kept of its answer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from encoders.api import Codes, Item
from integration import pictures, records
from integration.store import Kept
from integration.writer import Current
from mappings.errors import RecordError
from mappings.fields import StoredCodes

Fetches = Sequence[pictures.Fetched | RecordError]


@dataclass(slots=True)
class Work:
    """One record of a batch: what it is now, and what is to be written.

    `held` are the codes that it has already, where it lacks their bands or vectors alone.
    """

    current: Current
    content: records.Content
    digest: str
    members: dict[str, Any] | None  # our members in the document as read
    beside: dict[str, Any] | None = None  # and what lies beside the codes
    held: Kept | None = None

    def item(self, fetched: Fetches) -> Item:
        """What the encoder is given: the text, and those pictures that could be fetched."""
        return Item(self.content.text, tuple(seen.data for seen in fetched if isinstance(seen, pictures.Fetched)))

    def kept(self, codes: Codes, fetched: Fetches) -> Kept:
        """Put picture numbers back: the encoder saw only the pictures that could be fetched."""
        partial: dict[str, tuple[str, str]] = {}
        if self.content.problem:
            partial["text"] = (self.content.problem.reason, str(self.content.problem))
        image = []
        seen_pictures = {}
        position = 0
        for number, seen in enumerate(fetched):
            if isinstance(seen, RecordError):
                partial[f"image {number}"] = (seen.reason, str(seen))
                continue
            seen_pictures[number] = (seen.sha256, seen.etag)
            code, problem = codes.image[position], codes.problems.get(position)
            position += 1
            if code is not None:
                image.append((number, code))
            elif problem is not None:
                partial[f"image {number}"] = (problem.reason, str(problem))
        stored = StoredCodes(codes.text, tuple(image), codes.record)
        if not stored.parts and not partial:
            partial["record"] = ("no-content", "the profile's fields hold neither text nor pictures")
        return Kept(stored, partial, seen_pictures)

    def unencodable(self, why: str) -> Kept:
        """What is kept of a record that the encoder cannot take."""
        reason = "picture-unreadable" if self.content.pictures else "text-unreadable"
        return Kept(StoredCodes(), {"record": (reason, why)}, {})
