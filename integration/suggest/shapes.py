"""What a field's values look like, whatever it is called: MARC records, links to pictures, pictures, tags of HTML."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from integration.sources.inside import record_of
from integration.sources.marc_fields import PICTURE_FILE
from integration.sources.record import BibRecord
from mappings.errors import RecordError

_HTML = re.compile(r"</?(?:p|br|b|i|em|strong|ul|li|div|span|a)\b[^<>]*>", re.IGNORECASE)
_PICTURES = ("/9j/", "iVBORw0KGgo", "R0lGOD", "UklGR", "data:image/")  # JPEG, PNG, GIF and WebP in base64
_LEADER = re.compile(r"\d{5}[a-z]", re.IGNORECASE)
_PACKED_LEADER = re.compile(r"[MND][A-Za-z0-9+/]{23}")  # base64 of five digits begins so
TRIED = 20


def picture_kind(values: Sequence[str]) -> str | None:
    """`url`, `file` or `base64` where most values are so; None where they name no pictures."""
    kinds = [_picture(value.strip()) for value in values]
    best = max(("url", "file", "base64"), key=kinds.count)
    return best if values and kinds.count(best) * 2 > len(values) else None


def _picture(value: str) -> str | None:
    if value.startswith(_PICTURES):
        return "base64"
    bare = value.partition("?")[0]
    if value.lower().startswith(("http://", "https://")):
        return "url" if PICTURE_FILE.search(bare) else "link"
    return "file" if PICTURE_FILE.search(bare) and len(value) < 500 and " " not in value.strip("/") else None


def links(values: Sequence[str]) -> bool:
    """Whether every value is an address in the web."""
    return bool(values) and all(value.strip().lower().startswith(("http://", "https://")) for value in values)


def has_html(values: Sequence[str]) -> bool:
    """Whether at least a tenth of the values hold tags."""
    return sum(bool(_HTML.search(value)) for value in values) * 10 >= len(values) > 0


def marc_records(values: Sequence[Any]) -> list[BibRecord]:
    """The MARC records among the first values; a title tells that it is MARC21 and not a relative of other meaning."""
    found = []
    for value in values[:TRIED]:
        if not _like_marc(value):
            continue
        try:
            record = record_of(value)
        except RecordError:
            continue
        if record.title:
            found.append(record)
    return found


def _like_marc(value: Any) -> bool:
    if isinstance(value, Mapping):
        return True
    if not isinstance(value, str):
        return False
    text = value.lstrip()
    if text.startswith("<"):
        return "record" in text[:500] or "collection" in text[:500]
    if text.startswith("{"):
        return '"leader"' in text and '"fields"' in text
    return bool(_LEADER.match(text) or _PACKED_LEADER.match(text))
