"""ISO 2709: MARC21 in UTF-8 or MARC-8, cut at the record terminators, so that a broken record never harms the next."""

import base64
import logging
import re
import warnings
from collections.abc import Iterator
from typing import BinaryIO

import pymarc
from pymarc.exceptions import PymarcException

from integration.sources.marc_fields import bib_record
from integration.sources.record import MAX_RECORD, BadRecord, BibRecord
from mappings.errors import DataError

TERMINATOR = b"\x1d"
LEADER, ENTRY = 24, 12
_BLOCK = 1 << 16
_FILLER = b"\r\n\t \x00\x1a"
# Five digits of length, five letters or blanks of status, `22` for indicator and code length, the base address.
_HEAD = re.compile(rb"[0-9]{5}[\x20-\x7e]{5}22[0-9]{5}")

# pymarc logs indicators that it repairs; without a handler Python prints them among our progress.
logging.getLogger("pymarc").addHandler(logging.NullHandler())


def read_marc(file: BinaryIO) -> Iterator[BibRecord | BadRecord]:
    """The records of an ISO 2709 file, in order; holds one record at a time."""
    position = 0
    for offset, chunk in _chunks(file):
        for start, raw in _apart(chunk):
            position += 1
            yield _read(raw, position, offset + start)


def decode_marc(raw: bytes) -> pymarc.Record:
    """The fields of one ISO 2709 record, all text as str. Raises DataError saying what is wrong with it.

    The leader says UTF-8 or MARC-8. Records that say MARC-8 but are valid UTF-8 beyond ASCII are read as UTF-8: many
    systems forget the flag, and MARC-8 text, with its diacritics before ASCII letters, is no valid UTF-8.
    """
    _check(raw)
    forgotten = raw[9:10] != b"a" and b"\x1b" not in raw and not raw.isascii() and _is_utf8(raw)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # pymarc warns of subfield codes that it repairs
            return pymarc.Record(raw, force_utf8=forgotten, hide_utf8_warnings=True)
    except UnicodeDecodeError as error:
        claimed = "UTF-8" if raw[9:10] == b"a" else "MARC-8"
        raise DataError(f"not {claimed} as its leader says ({error.reason}); correct the record's encoding") from error
    except (PymarcException, ValueError, IndexError, KeyError) as error:
        raise DataError(f"no valid MARC record: {error}; export the record again") from error


def record_id(raw: bytes) -> str | None:
    """Field 001 of a record that may be broken, None where it cannot be found."""
    entry = raw[LEADER : LEADER + ENTRY]
    if not (entry.startswith(b"001") and entry[3:].isdigit() and raw[12:17].isdigit()):
        return None
    start = int(raw[12:17]) + int(entry[7:12])
    return raw[start : start + int(entry[3:7])].rstrip(b"\x1e\x1d").decode("utf-8", "replace").strip()[:100] or None


def _read(raw: bytes, position: int, offset: int) -> BibRecord | BadRecord:
    if len(raw) > MAX_RECORD:
        why = f"longer than {MAX_RECORD} bytes without a record terminator (hex 1D); is this ISO 2709?"
        return BadRecord(position, why, offset=offset)
    try:
        return bib_record(decode_marc(raw), base64.b64encode(raw).decode(), lambda: raw)
    except DataError as error:
        return BadRecord(position, str(error), record_id(raw), offset)


def _chunks(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """(offset, bytes up to and with a terminator); of a chunk that is too long only its first MAX_RECORD + 1 bytes."""
    held, offset, length = b"", 0, 0  # length: bytes since `offset`, those not held any more included
    while block := file.read(_BLOCK):
        *ended, rest = block.split(TERMINATOR)
        for piece in ended:
            whole = held + piece[: MAX_RECORD + 1] + TERMINATOR
            yield from _without_filler(offset, whole)
            offset, held, length = offset + length + len(piece) + 1, b"", 0
        held += rest[: max(0, MAX_RECORD + 1 - len(held))]
        length += len(rest)
    yield from _without_filler(offset, held)


def _without_filler(offset: int, chunk: bytes) -> Iterator[tuple[int, bytes]]:
    """Leave out line ends, blanks and NULs that some systems write between records."""
    trimmed = chunk.lstrip(_FILLER)
    if trimmed and trimmed != TERMINATOR:
        yield offset + len(chunk) - len(trimmed), trimmed


def _apart(chunk: bytes) -> list[tuple[int, bytes]]:
    """Part a chunk that holds a cut-off record and, at its end, a whole one; else it stays one."""
    if chunk[:5] != b"%05d" % len(chunk):
        for head in _HEAD.finditer(chunk, 1):
            if int(chunk[head.start() : head.start() + 5]) == len(chunk) - head.start():
                return [(0, chunk[: head.start()]), (head.start(), chunk[head.start() :])]
    return [(0, chunk)]


def _check(raw: bytes) -> None:
    """Refuse what pymarc would take hours over, or read wrongly without a word. Raises DataError."""
    if not raw.endswith(TERMINATOR):
        raise DataError(f"ends after {len(raw)} bytes without a record terminator (hex 1D): the record is cut off")
    if not (raw[:5].isdigit() and raw[12:17].isdigit()):
        raise DataError(f"the leader has no length and base address in digits: {raw[:LEADER]!r}")
    if len(raw) < int(raw[:5]):
        raise DataError(f"the leader says {int(raw[:5])} bytes, {len(raw)} came: the record is cut off")
    lengths = [raw[at + 3 : at + 7] for at in range(LEADER, int(raw[12:17]) - 1, ENTRY)]
    # Fields follow each other: entries that all point at one long text would be decoded again and again.
    if sum(int(length) for length in lengths if length.isdigit()) > len(raw):
        raise DataError(f"the directory lists more text than the {len(raw)} bytes of the record")


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
