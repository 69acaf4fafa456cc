"""The fields of an index: what its mapping says of each, and what a sample of documents holds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

MAX_PATHS = 20_000
MAX_VALUES = 8  # kept of one field of one document
MAX_DEPTH = 30


@dataclass(slots=True)
class Field:
    """One field: its `type` (None: not in the mapping), and its values by the number of the sampled document."""

    path: str
    type: str | None = None
    unsearchable: bool = False  # nested, or not indexed
    values: dict[int, list[Any]] = field(default_factory=dict)

    def share(self, sampled: int) -> float:
        """The share of the sampled documents that have it."""
        return len(self.values) / sampled if sampled else 0.0

    def texts(self) -> list[str]:
        """Every value that is text."""
        return [value for values in self.values.values() for value in values if isinstance(value, str) and value]


def fields(mapping: Mapping[str, Any], documents: Sequence[Mapping[str, Any]]) -> dict[str, Field]:
    """Every field of the mapping and of the documents, by path; objects and sub-fields are left out."""
    found: dict[str, Field] = {}
    for path, kind, nested in _mapped(mapping):
        if len(found) < MAX_PATHS:
            found[path] = Field(path, kind, nested)
    for number, document in enumerate(documents):
        for path, value in _held(document):
            if path not in found and len(found) >= MAX_PATHS:
                continue
            values = found.setdefault(path, Field(path)).values.setdefault(number, [])
            if len(values) < MAX_VALUES:
                values.append(value)
    return found


def _mapped(mapping: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    waiting: list[tuple[str, Mapping[str, Any], bool]] = [("", mapping, False)]
    while waiting:
        prefix, held, nested = waiting.pop(0)
        for name, entry in held.get("properties", {}).items():
            if "properties" in entry:
                waiting.append((f"{prefix}{name}.", entry, nested or entry.get("type") == "nested"))
            elif entry.get("type", "object") != "object":
                yield f"{prefix}{name}", str(entry["type"]), nested or entry.get("index") is False


def _held(document: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """(path, value) of each value; a MARC-in-JSON object is one value, as is what lies too deep."""
    waiting: list[tuple[str, Any, int]] = [(str(name), value, 1) for name, value in list(document.items())[::-1]]
    while waiting:
        path, value, depth = waiting.pop()
        if isinstance(value, list):
            if depth < MAX_DEPTH:
                waiting += [(path, one, depth + 1) for one in reversed(value)]
        elif isinstance(value, Mapping):
            if "leader" in value and "fields" in value:
                yield path, value
            elif depth < MAX_DEPTH:
                waiting += [(f"{path}.{name}", one, depth + 1) for name, one in list(value.items())[::-1]]
        elif value is not None and value != "":
            yield path, value
