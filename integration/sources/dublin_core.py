"""Dublin Core in XML: `oai_dc:dc` inside OAI-PMH answers, and plain `dc` or `record` elements.

title, alternative -> title; creator; contributor; subject; description, abstract -> summary; date, issued -> published;
publisher; language; identifier -> identifiers and isbn; any identifier, relation, source or hasFormat that is a web
address ending like a picture file -> picture_urls. The id is that of the OAI header, else the first identifier.
"""

import hashlib
from collections.abc import Iterator
from typing import BinaryIO
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, tostring

from integration.sources.marc_fields import PICTURE_FILE
from integration.sources.record import Agent, BadRecord, BibRecord
from integration.sources.wording import clean, distinct, isbns, plain, year
from integration.sources.xml import Found, elements, local

NAMESPACES = ("{http://purl.org/dc/elements/1.1/}", "{http://purl.org/dc/terms/}")
RECORDS = frozenset({"record", "dc", "Description"})


def read_dublin_core(file: BinaryIO) -> Iterator[BibRecord | BadRecord]:
    """The records of a Dublin Core file, in order; holds one record at a time."""
    for found in elements(file, RECORDS):
        yield found if isinstance(found, BadRecord) else _read(found)


def _read(found: Found) -> BibRecord | BadRecord:
    header = next((e for e in found.element if local(e.tag) == "header"), None)
    header_id = _header_id(header)
    if header is not None and header.get("status") == "deleted":
        why = "the repository marks this record as deleted; nothing is loaded for it"
        return BadRecord(found.position, why, header_id, found.offset)
    terms = _terms(found.element)
    if not terms:
        why = "no element of the Dublin Core namespaces; is this Dublin Core?"
        return BadRecord(found.position, why, header_id, found.offset)
    identifiers = distinct((header_id or "", *terms.get("identifier", ())))
    usable = bool(identifiers) and len(identifiers[0].encode()) <= 512  # the engine takes no longer id
    dates = (*terms.get("issued", ()), *terms.get("date", ()))
    return BibRecord(
        id=identifiers[0] if usable else hashlib.sha256(tostring(found.element)).hexdigest()[:32],
        title=" = ".join(distinct(map(plain, (*terms.get("title", ()), *terms.get("alternative", ()))))) or None,
        creators=_agents(terms.get("creator", ())),
        contributors=_agents(terms.get("contributor", ())),
        subjects=distinct(map(plain, terms.get("subject", ()))),
        summary="\n".join(distinct((*terms.get("description", ()), *terms.get("abstract", ())))) or None,
        published=next((date for date in (*map(year, dates), *dates) if date), None),
        publisher=next((plain(text) for text in terms.get("publisher", ())), None),
        language=distinct(terms.get("language", ())),
        isbn=distinct(isbn for text in terms.get("identifier", ()) if not _is_url(text) for isbn in isbns(text)),
        identifiers=identifiers,
        picture_urls=distinct(_pictures(terms)),
    )


def _header_id(header: Element | None) -> str | None:
    """The identifier in an OAI-PMH header."""
    texts = (clean(e.text or "") for e in header or () if local(e.tag) == "identifier")
    return next((text for text in texts if text), None)


def _terms(element: Element) -> dict[str, list[str]]:
    """The texts of the Dublin Core elements, by name, in order; empty ones are left out."""
    terms: dict[str, list[str]] = {}
    holder = next((e for e in element.iter() if local(e.tag) == "dc"), None)
    bare = set(holder) if holder is not None else set()  # some providers drop all namespaces
    for child in element.iter():
        qualified = child.tag.startswith(NAMESPACES) and local(child.tag) != "dc"
        if qualified or (child in bare and "}" not in child.tag):
            text = clean("".join(child.itertext()))
            if text:
                terms.setdefault(local(child.tag), []).append(text)
    return terms


def _agents(names: list[str] | tuple[()]) -> tuple[Agent, ...]:
    return tuple(Agent(name) for name in distinct(map(plain, names)))


def _pictures(terms: dict[str, list[str]]) -> Iterator[str]:
    for term in ("identifier", "relation", "source", "hasFormat"):
        for text in terms.get(term, ()):
            if _is_url(text) and PICTURE_FILE.search(_path(text)):
                yield text


def _is_url(text: str) -> bool:
    return text.lower().startswith(("http://", "https://"))


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:  # a bracket that is no IPv6 address
        return ""
