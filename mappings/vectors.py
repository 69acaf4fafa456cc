"""Codes once more as binary vectors, in the form in which OpenSearch's k-NN plugin builds its graphs of them.

    "_crosshatch": {"<space>": {"knn_text": [-11, ...], "knn_image_0": [...], ..., "knn_record": [...]}}

They lie in the object of the bands, whose name no pattern of a catalogue's fields meets. A vector has to be numbers in
the document: the plugin reads no base64 and derives it from no other field. A field takes one a document, so each of
the first few pictures has a field of its own. (Nested objects would hold them all, but from the first one on the engine
adds a clause to every query of the catalogue.)
"""

from collections.abc import Mapping, Sequence
from typing import Any

from mappings.bands import OBJECT
from mappings.code import HashCode, check_bits
from mappings.errors import RequestError
from mappings.fields import PARTS, StoredCodes

ENGINES = ("lucene", "faiss")
# both can be given only when an index is made. A derived source would take the vectors out of `_source` and write all
# of it anew on every read: 813.50 would come back as 813.5
SETTINGS = {"index.knn": "true", "index.knn.derived_source.enabled": "false"}
LINKS = 16  # neighbours a node of the graph has
BUILT = 100  # candidates in view while a node is linked
PICTURES = 4  # of a record that have a vector; those after them are found by another part or plan


def names(part: str) -> list[str]:
    """Names of a part's vectors."""
    return [f"knn_image_{number}" for number in range(PICTURES)] if part == "image" else [f"knn_{part}"]


NAMES = tuple(name for part in PARTS for name in names(part))


def field_name(space: str, name: str) -> str:
    """Full name of the field that holds the vectors of this name."""
    return f"{OBJECT}.{space}.{name}"


def first_field(space: str, part: str) -> str:
    """Full name of the field that every document with a vector of this part has."""
    return field_name(space, names(part)[0])


def space_mapping(space: str, bits: int, engine: str, parts: Sequence[str] = PARTS) -> dict[str, Any]:
    """Body for `PUT <index>/_mapping`: adds the vectors of `parts` to a space. Raises RequestError, CodeLengthError."""
    if engine not in ENGINES:
        raise RequestError(f"no engine {engine!r} for binary vectors; there are: {', '.join(ENGINES)}")
    method = {"name": "hnsw", "engine": engine, "parameters": {"m": LINKS, "ef_construction": BUILT}}
    vector = {"type": "knn_vector", "dimension": check_bits(bits), "data_type": "binary", "space_type": "hamming"}
    fields = {name: {**vector, "method": method} for part in parts for name in names(part)}
    inner = {"dynamic": False, "properties": fields}
    return {"properties": {OBJECT: {"dynamic": False, "properties": {space: inner}}}}


def members(codes: StoredCodes, parts: Sequence[str] = PARTS) -> dict[str, list[int]]:
    """JSON members for the space's object; parts without a code are left out."""
    images = [code for _, code in codes.image]
    held: dict[str, list[HashCode | None]] = {"text": [codes.text], "image": [*images], "record": [codes.record]}
    return {
        name: vector(code)
        for part in parts
        for name, code in zip(names(part), held[part], strict=False)  # pictures beyond the last field have none
        if code
    }


def vector(code: HashCode) -> list[int]:
    """A code as the plugin takes it: its bytes as numbers from -128 to 127."""
    return [byte - 256 if byte > 127 else byte for byte in code.packed]


def refusal(settings: Mapping[str, Any]) -> str | None:
    """Why an index with these settings (flat) can hold no vectors of ours, and what to do; None where it can."""
    on = str(settings.get("index.knn", "false")).lower() == "true"
    derived = str(settings.get("index.knn.derived_source.enabled", "true" if on else "false")).lower() == "true"
    if on and not derived:
        return None
    said = "index.knn is not true" if not on else "index.knn.derived_source.enabled is not false"
    wanted = " and ".join(f"{name}: {value}" for name, value in SETTINGS.items())
    return (
        f"{said}, and no request can change it once the index is made; let the library system make and fill the index "
        f"anew with {wanted}, or add bands, which need neither"
    )
