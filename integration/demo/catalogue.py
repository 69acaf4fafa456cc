"""The demo's catalogue: what an imaginary ILS has put into OpenSearch before anybody thought of Crosshatch."""

import hashlib
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from integration.demo import drawings
from integration.demo.books import book_number, books
from integration.demo.gallery import cover_file, draw, picture_file
from integration.engine.client import Cluster, part
from mappings.errors import DataError, RequestError

PROFILE = "demo"
CHUNK = 200
CONFLICT = 409
BRANCHES = ("main", "harbour", "school", "bus")
# `shelf.dewey` is a number with its zeros in the JSON (813.50), as an ILS writes call numbers that look like numbers.
_encoder = msgspec.json.Encoder(decimal_format="number")

_WORDS = {"type": "text", "analyzer": "ils_words", "fields": {"phrase": {"type": "keyword", "ignore_above": 256}}}
_KEYWORD = {"type": "keyword"}
INDEX: dict[str, Any] = {
    "settings": {
        "number_of_shards": 1,
        "number_of_replicas": 0,
        "analysis": {
            "analyzer": {
                "ils_words": {"type": "custom", "tokenizer": "standard", "filter": ["lowercase", "asciifolding"]}
            }
        },
    },
    "mappings": {
        "dynamic": "strict",
        "_meta": {"made_by": "an imaginary ILS", "schema": 7},
        "properties": {
            "control_number": _KEYWORD,
            "material": _KEYWORD,
            "title": _WORDS,
            "parallel_titles": {"properties": {"language": _KEYWORD, "text": _WORDS}},
            "creators": {"properties": {"name": _WORDS, "dates": {"type": "keyword", "index": False}}},
            "subjects": _WORDS,
            "parallel_subjects": {"properties": {"language": _KEYWORD, "text": _WORDS}},
            "summary": {"type": "text", "analyzer": "ils_words"},
            "published": {"type": "integer"},
            "language": _KEYWORD,
            "rights": {"type": "keyword", "index": False},
            "shelf": {"properties": {"dewey": _KEYWORD, "mark": _KEYWORD}},
            "holdings": {
                "type": "nested",
                "properties": {"barcode": _KEYWORD, "branch": _KEYWORD, "on_loan": {"type": "boolean"}},
            },
            "cover_file": _KEYWORD,
            "changed": {"type": "date"},
        },
    },
}


def documents(folder: Path) -> Iterator[dict[str, Any]]:
    """The catalogue's documents, in order; their pictures are drawn into `folder`, unless they are there already.

    `control_number` is the id; `cover_file` is relative to `folder`, which belongs into CROSSHATCH_PICTURE_ROOTS.
    """
    draw(folder)
    yield from (_picture(hexcode) for hexcode in drawings.hexcodes())
    yield from (_book(book) for book in books())


def load_demo(cluster: Cluster, index: str, folder: Path) -> int:
    """Make `index` as the ILS would have, with its pictures in `folder`; return the number of its documents.

    Documents that are there already stay as they are; those that are missing come. Raises RequestError where the index
    is not this catalogue, DataError where the engine refuses a document.
    """
    if cluster.exists(f"/{part(index)}"):
        _check_own(cluster, index)
    else:
        cluster.request("PUT", f"/{part(index)}", body=INDEX)
    count, lines = 0, list[bytes]()
    for document in documents(folder):
        action = {"create": {"_id": document["control_number"]}}  # one that is there stays, with its codes
        lines += [_encoder.encode(action), _encoder.encode(document)]
        count += 1
        if len(lines) == 2 * CHUNK:
            _write(cluster, index, lines)
            lines = []
    _write(cluster, index, lines)
    cluster.request("POST", f"/{part(index)}/_refresh")
    return count


def _check_own(cluster: Cluster, index: str) -> None:
    [found] = cluster.request("GET", f"/{part(index)}/_mapping").values()
    if not set(INDEX["mappings"]["properties"]) <= set(found["mappings"].get("properties", {})):
        raise RequestError(f"index {index} is not the demo's catalogue; delete it, or use another cluster")


def _write(cluster: Cluster, index: str, lines: list[bytes]) -> None:
    if not lines:
        return
    answer = cluster.bulk(f"/{part(index)}", b"\n".join([*lines, b""]))
    for item in answer["items"]:
        if item["create"]["status"] not in (201, CONFLICT):
            error = item["create"]["error"]
            raise DataError(f"OpenSearch refused document {item['create']['_id']} of the demo: {error['reason']}")


def _picture(hexcode: str) -> dict[str, Any]:
    """An item of the picture library."""
    names = drawings.names(hexcode)
    headings = list(drawings.headings(hexcode))
    subjects = [*(heading["en"] for heading in headings), *drawings.keywords(hexcode)]
    number = f"picture-{hexcode.lower()}"
    return {
        "control_number": number,
        "material": "picture",
        "title": names["en"][:1].upper() + names["en"][1:],
        "parallel_titles": [{"language": code, "text": name} for code, name in names.items() if code != "en"],
        "creators": [{"name": "OpenMoji"}],
        "subjects": list(dict.fromkeys(subjects)),
        "parallel_subjects": [
            {"language": code, "text": text}
            for heading in headings
            for code, text in heading.items()
            if code in drawings.LANGUAGES
        ],
        "published": 2018,
        "language": "zxx",
        "rights": drawings.ATTRIBUTION,
        "shelf": {"dewey": Decimal("741.60"), "mark": names["en"][:3].upper()},
        "holdings": _holdings(number, copies=1),
        "cover_file": picture_file(hexcode),
        "changed": _changed(number),
    }


def _book(book: dict[str, Any]) -> dict[str, Any]:
    number = book_number(book)
    authors = [{"name": a["name"], **({"dates": a["dates"]} if a["dates"] else {})} for a in book["authors"]]
    return {
        "control_number": number,
        "material": "book",
        "title": book["title"],
        "creators": authors,
        "subjects": book["subjects"],
        "summary": book["summary"],
        "published": book["year"],
        "language": book["language"],
        "shelf": {
            "dewey": Decimal(book["dewey"]),
            "mark": (authors[0]["name"] if authors else book["title"])[:3].upper(),
        },
        "holdings": _holdings(number, copies=1 + _digest(number)[1] % 3),
        "cover_file": cover_file(book),
        "changed": _changed(number),
    }


def _holdings(number: str, *, copies: int) -> list[dict[str, Any]]:
    """Copies on the shelves, the same at every run."""
    digest = _digest(number)
    return [
        {
            "barcode": f"3{int.from_bytes(digest[:5]) + copy:013d}",
            "branch": BRANCHES[digest[6 + copy] % len(BRANCHES)],
            "on_loan": digest[10 + copy] % 4 == 0,
        }
        for copy in range(copies)
    ]


def _changed(number: str) -> str:
    """A day in 2024."""
    digest = _digest(number)
    return f"2024-{1 + digest[20] % 12:02d}-{1 + digest[21] % 28:02d}"


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
