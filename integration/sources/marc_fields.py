"""From MARC21 fields to a `BibRecord`: which field means what.

title 245; creators 100, 110, 111; contributors 700, 710, 711; subjects 600 to 655; summary 520; published and publisher
264 or 260, year also 008; language 008 and 041 $a; isbn 020 $a; identifiers 001, 010, 022, 024, 035. Vernacular forms
in linked 880 fields ($6 names the tag) follow the field they belong to; a linked title is joined by ` = `.
Pictures are 856 $u, see `_is_picture`.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import urlsplit

import pymarc

from integration.sources.record import Agent, BibRecord
from integration.sources.wording import clean, distinct, isbns, plain, year

NAMES = {"00": "abcq", "10": "ab", "11": "andc"}  # person, body, meeting: name without dates and relators
SUBJECTS = ("600", "610", "611", "630", "648", "650", "651", "653", "655")
UNKNOWN_LANGUAGES = ("und", "zxx", "mul")
PICTURE_FILE = re.compile(r"\.(?:jpe?g|png|gif|webp|tiff?|bmp|svg)$", re.IGNORECASE)
OTHER_FILE = re.compile(r"\.(?:pdf|html?|txt|docx?|epub|xml|mp3|mp4|zip)$", re.IGNORECASE)
PICTURE_WORD = re.compile(
    r"\b(?:cover|jacket|image|picture|photo|thumbnail|illustration|couverture|vignette|umschlag|titelbild|bild|portada|copertina|capa)",
    re.IGNORECASE,
)


def bib_record(record: pymarc.Record, marc: str | None, raw: Callable[[], bytes]) -> BibRecord:
    """The record that these fields say. Its id is 001, else the first identifier, else a digest of `raw()`."""
    identifiers = distinct(_identifiers(record))
    return BibRecord(
        id=_id(identifiers, raw),
        title=" = ".join(distinct(_title(field) for field in _forms(record, "245"))) or None,
        creators=_agents(record, "1"),
        contributors=_agents(record, "7"),
        subjects=distinct(_subject(field) for field in _forms(record, *SUBJECTS)),
        summary="\n".join(distinct(_summary(field) for field in _forms(record, "520"))) or None,
        published=_published(record),
        publisher=next(iter(_imprint(record, "b")), None),
        language=distinct(_languages(record)),
        isbn=distinct(isbn for text in _values(record, "020") for isbn in isbns(text)),
        identifiers=identifiers,
        picture_urls=distinct(_pictures(record)),
        marc=marc,
    )


def _id(identifiers: tuple[str, ...], raw: Callable[[], bytes]) -> str:
    """An id that the engine takes (at most 512 bytes), the same at every load."""
    if identifiers and len(identifiers[0].encode()) <= 512:
        return identifiers[0]
    return hashlib.sha256(raw()).hexdigest()[:32]


def _forms(record: pymarc.Record, *tags: str) -> list[pymarc.Field]:
    """The fields of these tags, then the 880 fields that are their vernacular forms."""
    fields = [field for tag in tags for field in record.get_fields(tag) if not field.control_field]
    linked = [field for field in record.get_fields("880") if not field.control_field]
    return fields + [field for field in linked if "".join(field.get_subfields("6")[:1])[:3] in tags]


def _values(record: pymarc.Record, tag: str) -> Iterator[str]:
    """Every $a of the fields `tag`."""
    for field in record.get_fields(tag):
        yield from (clean(value) for value in field.get_subfields("a"))


def _summary(field: pymarc.Field) -> str:
    return clean(" ".join(field.get_subfields("a", "b")))


def _title(field: pymarc.Field) -> str:
    """Title proper, remainder, number and name of a part; the statement of responsibility is left out."""
    return plain(" ".join(part.value for part in field.subfields if part.code in "abnp"))


def _agents(record: pymarc.Record, first: str) -> tuple[Agent, ...]:
    agents = (
        Agent(name, _role(field))
        for kind, codes in NAMES.items()
        for field in _forms(record, first + kind)
        if (name := plain(" ".join(part.value for part in field.subfields if part.code in codes)))
    )
    return tuple(dict.fromkeys(agents))


def _role(field: pymarc.Field) -> str | None:
    """The relator term $e, else the relator code or URI $4."""
    roles = [plain(value) for value in (*field.get_subfields("e"), *field.get_subfields("4"))]
    return next((role for role in roles if role), None)


def _subject(field: pymarc.Field) -> str:
    """A heading as catalogues show it: `Whales -- Fiction`."""
    head = plain(" ".join(part.value for part in field.subfields if part.code in "abcdnpqt"))
    return " -- ".join(distinct([head, *(plain(part.value) for part in field.subfields if part.code in "vxyz")]))


def _imprint(record: pymarc.Record, code: str) -> Iterator[str]:
    """Subfield `code` of the publication statements: 264 of publication first, then 260, then other 264."""
    fields = [*_forms(record, "264"), *_forms(record, "260")]
    order = {("264", "1"): 0, ("260", ""): 1}
    for field in sorted(fields, key=lambda f: order.get((f.tag, f.indicator2 if f.tag == "264" else ""), 2)):
        yield from (text for value in field.get_subfields(code) if (text := plain(value)))


def _published(record: pymarc.Record) -> str | None:
    """The year of the statement, else the first date of 008, else the statement as it is."""
    statements = list(_imprint(record, "c"))
    fixed = [year(field.data[7:11]) for field in record.get_fields("008") if field.data]
    return next((found for found in (*map(year, statements), *fixed, *statements) if found), None)


def _languages(record: pymarc.Record) -> Iterator[str]:
    """ISO 639-2 codes of 008/35-37, then of 041 $a; older records pack several codes into one $a."""
    coded: Iterable[str] = (
        *(field.data[35:38] for field in record.get_fields("008") if field.data),
        *(value for field in record.get_fields("041") if field.indicator2 != "7" for value in field.get_subfields("a")),
    )
    for text in coded:
        word = clean(text).lower()
        if word.isascii() and word.isalpha() and len(word) % 3 == 0:
            codes = (word[at : at + 3] for at in range(0, len(word), 3))
            yield from (code for code in codes if code not in UNKNOWN_LANGUAGES)


def _identifiers(record: pymarc.Record) -> Iterator[str]:
    for field in record.get_fields("001"):
        yield clean(field.data or "")
    for tag in ("010", "022", "024", "035"):
        yield from _values(record, tag)


def _pictures(record: pymarc.Record) -> Iterator[str]:
    for field in record.get_fields("856"):
        yield from (url for value in field.get_subfields("u") if _is_picture(field, url := clean(value)))


def _is_picture(field: pymarc.Field, url: str) -> bool:
    """A web address that ends like a picture file, or, unless it ends like another one, that $q calls `image/...` (or a
    picture file's ending) or $3, $y, $z name a cover, image or the like."""
    if not url.lower().startswith(("http://", "https://")):
        return False
    path = _path(url)
    if PICTURE_FILE.search(path) or OTHER_FILE.search(path):
        return not OTHER_FILE.search(path)
    kinds = [value.strip().lower() for value in field.get_subfields("q")]
    typed = any(kind.startswith("image/") or PICTURE_FILE.search(f".{kind}") for kind in kinds)
    return typed or any(PICTURE_WORD.search(value) for value in field.get_subfields("3", "y", "z"))


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:  # a bracket that is no IPv6 address
        return ""
