"""A MARC record that a catalogue keeps inside its documents: Koha, VuFind, Blacklight and their like."""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from integration.sources.marc import read_marc
from integration.sources.marcxml import read_marcxml
from integration.sources.record import BadRecord, BibRecord
from mappings.errors import RecordError


def record_of(held: object, form: object = None) -> BibRecord:
    """The record that lies in a document's field.

    `held` is ISO 2709 (as text or base64), MARCXML, or MARC-in-JSON (text or object); `form` is what the document says
    of it (`base64ISO2709`, `MARCXML`, `ARRAY`), and only decides what the content leaves open. Raises RecordError.
    """
    if isinstance(held, Mapping):
        return _one(read_marcxml(BytesIO(_as_xml(held))))
    if not isinstance(held, str):
        raise RecordError("text-unreadable", f"MARC as text or object was expected; {type(held).__name__} came")
    text = held.strip(" \t\r\n")  # Python's own blanks include the separators of ISO 2709
    if text.startswith("<"):
        return _one(read_marcxml(BytesIO(text.encode("utf-8", "replace"))))
    if text.startswith("{"):
        try:
            return record_of(json.loads(text), form)
        except (ValueError, RecursionError) as error:
            raise RecordError("text-unreadable", f"MARC-in-JSON cannot be read: {error}") from error
    return _one(read_marc(BytesIO(_binary(text, str(form or "")))))


def _binary(text: str, form: str) -> bytes:
    """ISO 2709 as bytes: from base64, unless it is there in plain text, whose leader begins with its length."""
    if "\x1e" in text and "base64" not in form.lower():
        return text.encode("utf-8", "replace")
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        why = f"neither ISO 2709, base64, MARCXML nor MARC-in-JSON: {text[:20]!r}"
        raise RecordError("text-unreadable", why) from error


def _one(results: Iterator[BibRecord | BadRecord]) -> BibRecord:
    """The first record. Raises RecordError."""
    first = next(results, None)
    if isinstance(first, BibRecord):
        return first
    raise RecordError("text-unreadable", f"the MARC record is broken: {first.why if first else 'nothing is in it'}")


def _as_xml(held: Mapping[str, Any]) -> bytes:
    """MARC-in-JSON, `{"fields": [{"245": {"subfields": [{"a": ...}]}}]}`, as MARCXML. Raises RecordError."""
    written = ["<record>"]
    try:
        for field in held["fields"]:
            for tag, value in field.items():
                if isinstance(value, str):
                    written.append(f"<controlfield tag={quoteattr(tag)}>{escape(value)}</controlfield>")
                    continue
                parts = (pair for part in value["subfields"] for pair in part.items())
                coded = "".join(f"<subfield code={quoteattr(c)}>{escape(str(text))}</subfield>" for c, text in parts)
                written.append(f"<datafield tag={quoteattr(tag)}>{coded}</datafield>")
    except (KeyError, TypeError, AttributeError) as error:
        raise RecordError("text-unreadable", f"no MARC-in-JSON: {error!r}") from error
    return "".join([*written, "</record>"]).encode("utf-8", "replace")
