"""`--filter FIELD=VALUE`: which query clause it becomes, told by the index's mapping."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mappings.errors import RequestError
from mappings.fields import OBJECT

TEXTS = ("text", "match_only_text", "search_as_you_type", "annotated_text")
UNFILTERED = ("binary", "object", "nested", "knn_vector", "alias")


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a mapping: its type, the sub-field that holds whole values, and the nested object it lies in."""

    name: str
    type: str
    whole: str | None = None
    nested: str | None = None


def fields_of(properties: Mapping[str, Any], prefix: str = "", nested: str | None = None) -> Iterator[Field]:
    """Every field of a mapping's `properties` but ours, with its full name."""
    for short, body in properties.items():
        name = f"{prefix}{short}"
        if name == OBJECT:
            continue
        kind = body.get("type", "object")
        if "properties" in body:
            yield from fields_of(body["properties"], f"{name}.", name if kind == "nested" else nested)
            continue
        subfields = {f"{name}.{sub}": str(inner.get("type")) for sub, inner in body.get("fields", {}).items()}
        whole = next((sub for sub, inner in subfields.items() if inner == "keyword"), None)
        yield Field(name, kind, whole, nested)
        for sub, inner in subfields.items():
            yield Field(sub, inner, None, nested)


def clauses(filters: Sequence[tuple[str, str]], properties: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One query clause a filter. Raises RequestError for a field that the mapping does not have, naming near ones."""
    fields = {field.name: field for field in fields_of(properties)} if filters else {}
    return [_clause(_known(name, fields), value) for name, value in filters]


def _known(name: str, fields: Mapping[str, Field]) -> Field:
    field = fields.get(name)
    if field is not None and field.type not in UNFILTERED:
        return field
    usable = sorted(field.name for field in fields.values() if field.type not in UNFILTERED)
    near = [other for other in usable if other.startswith(f"{name}.")] or difflib.get_close_matches(name, usable, n=5)
    hint = ", ".join((near or usable)[:20]) or "none at all"
    raise RequestError(
        f"cannot filter by {name!r}: {'no such field' if field is None else f'a field of type {field.type}'} in the "
        f"index; {'near it are' if near else 'its fields are'}: {hint}"
    )


def _clause(field: Field, value: str) -> dict[str, Any]:
    """Whole values where the index has them; else, in analysed text, the words in their order."""
    if field.type in TEXTS and field.whole is None:
        clause: dict[str, Any] = {"match_phrase": {field.name: {"query": value}}}
    else:
        clause = {"term": {field.whole or field.name: {"value": value}}}
    return {"nested": {"path": field.nested, "query": clause}} if field.nested else clause
