"""MARCXML: `record` elements, alone, in a `collection`, or inside OAI-PMH; with or without the namespace."""

import base64
from collections.abc import Iterator
from typing import BinaryIO
from xml.etree.ElementTree import Element, tostring

import pymarc
from pymarc.exceptions import PymarcException

from integration.sources.marc_fields import bib_record
from integration.sources.record import BadRecord, BibRecord
from integration.sources.xml import Found, elements, local
from mappings.errors import DataError

LARGEST = 99_999
"""Bytes that the five digits of an ISO 2709 length can say."""


def read_marcxml(file: BinaryIO) -> Iterator[BibRecord | BadRecord]:
    """The records of a MARCXML file, in order; holds one record at a time."""
    for found in elements(file, frozenset({"record"})):
        yield found if isinstance(found, BadRecord) else _read(found)


def _read(found: Found) -> BibRecord | BadRecord:
    try:
        record = _record(found.element)
    except DataError as error:
        ids = (e.text for e in found.element.iter() if local(e.tag) == "controlfield" and e.get("tag") == "001")
        return BadRecord(found.position, str(error), next(ids, None), found.offset)
    return bib_record(record, _iso2709(record), lambda: bytes(tostring(found.element)))


def _record(element: Element) -> pymarc.Record:
    """The fields of a `record` element. Raises DataError."""
    deleted = any(local(e.tag) == "header" and e.get("status") == "deleted" for e in element)
    if deleted:
        raise DataError("the repository marks this record as deleted; nothing is loaded for it")
    holder = next((e for e in element.iter() if any(local(child.tag).endswith("field") for child in e)), None)
    if holder is None:
        raise DataError("a record without controlfield and datafield; is this MARCXML?")
    record = pymarc.Record()
    for child in holder:
        if local(child.tag) == "leader":
            record.leader = pymarc.Leader((child.text or "").ljust(24)[:24])
        elif local(child.tag) in ("controlfield", "datafield"):
            record.fields.append(_field(child))
    return record


def _field(element: Element) -> pymarc.Field:
    """A control or data field. Raises DataError where its tag is not three characters."""
    tag = (element.get("tag") or "").strip()
    tag = tag.zfill(3) if tag.isdigit() else tag  # some exports drop leading zeros
    if len(tag) != 3 or not tag.isascii():
        raise DataError(f"a field with the tag {tag[:20]!r}; a MARC tag has three characters")
    if local(element.tag) == "controlfield":
        return pymarc.Field(tag=tag, data=element.text or "")
    parts = [
        pymarc.Subfield(code=(child.get("code") or " ")[:1], value="".join(child.itertext()))
        for child in element
        if local(child.tag) == "subfield"
    ]
    indicators = pymarc.Indicators(*((element.get(name) or " ")[:1] for name in ("ind1", "ind2")))
    return pymarc.Field(tag=tag, indicators=indicators, subfields=parts)


def _iso2709(record: pymarc.Record) -> str | None:
    """The record as base64 of ISO 2709; None where it is too long for that form or cannot be written in it."""
    try:
        raw: bytes = record.as_marc()
    except (PymarcException, ValueError, TypeError):
        return None
    fits = len(raw) <= LARGEST and all(len(field.as_marc("utf-8")) < 10_000 for field in record.fields)
    return base64.b64encode(raw).decode() if fits else None
