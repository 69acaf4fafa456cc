"""What every source gives: one `BibRecord` or one `BadRecord` for each record it meets."""

from dataclasses import dataclass
from typing import Any

MAX_RECORD = 10_000_000
"""Bytes of the largest record that is read: a hundred times the largest that ISO 2709 can address."""


@dataclass(frozen=True, slots=True)
class Agent:
    """A person or body. `role` is the record's own word or code (`illustrator`, `ill`), None where it gives none."""

    name: str
    role: str | None = None


@dataclass(frozen=True, slots=True)
class BibRecord:
    """One bibliographic record, cleaned: NFC, no control characters, no ISBD punctuation at the ends.

    `title` joins parallel and vernacular forms by ` = `, as ISBD does. `published` is a year where one is found.
    `language` holds ISO 639-2 codes (Dublin Core: what the record says). `isbn` is without hyphens. `marc` is the
    record itself as base64 of ISO 2709, None where it did not come from MARC or is too long for it.
    """

    id: str
    title: str | None = None
    creators: tuple[Agent, ...] = ()
    contributors: tuple[Agent, ...] = ()
    subjects: tuple[str, ...] = ()
    summary: str | None = None
    published: str | None = None
    publisher: str | None = None
    language: tuple[str, ...] = ()
    isbn: tuple[str, ...] = ()
    identifiers: tuple[str, ...] = ()
    picture_urls: tuple[str, ...] = ()
    marc: str | None = None

    @property
    def words(self) -> str:
        """Title, creators, contributors, subjects and summary, one after the other."""
        names = "; ".join(agent.name for agent in (*self.creators, *self.contributors))
        parts = (self.title, names, "; ".join(self.subjects), self.summary)
        return ". ".join(part for part in parts if part)

    def document(self) -> dict[str, Any]:
        """The document that `load` writes: fields without a value are left out, agents are `{name, role?}`."""
        document: dict[str, Any] = {
            "title": self.title,
            "creators": [_agent(agent) for agent in self.creators],
            "contributors": [_agent(agent) for agent in self.contributors],
            "subjects": list(self.subjects),
            "summary": self.summary,
            "published": self.published,
            "publisher": self.publisher,
            "language": list(self.language),
            "isbn": list(self.isbn),
            "identifiers": list(self.identifiers),
            "picture_urls": list(self.picture_urls),
            "marc": self.marc,
        }
        return {field: value for field, value in document.items() if value}


@dataclass(frozen=True, slots=True)
class BadRecord:
    """A record that could not be read: `position` counts from 1 in its file, `offset` is its first byte if known."""

    position: int
    why: str
    id: str | None = None
    offset: int | None = None


def _agent(agent: Agent) -> dict[str, str]:
    return {"name": agent.name} if agent.role is None else {"name": agent.name, "role": agent.role}
