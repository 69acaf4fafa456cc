"""Which format a file is in, and its records."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import BinaryIO, cast

from integration.sources.dublin_core import read_dublin_core
from integration.sources.jsonl import read_jsonl
from integration.sources.marc import read_marc
from integration.sources.marcxml import read_marcxml
from integration.sources.record import BadRecord, BibRecord
from mappings.errors import RequestError

Reader = Callable[[BinaryIO], Iterator[BibRecord | BadRecord]]

READERS: dict[str, Reader] = {
    "marc": read_marc,
    "marcxml": read_marcxml,
    "dc": read_dublin_core,
    "jsonl": read_jsonl,
}
_HEAD = 1 << 16


def check(path: Path, form: str | None = None) -> str:
    """The format of a file. Raises RequestError where `read` would."""
    with _opened(path) as file:
        return _format(file, path, form)


def read(path: Path, form: str | None = None) -> Iterator[BibRecord | BadRecord]:
    """The records of a file, gzip or not, in the format `form`, by default the one its content shows.

    Raises RequestError where the file cannot be opened, is empty, or shows no known format: at the call, not at the
    first record.
    """
    file = _opened(path)
    try:
        reader = READERS[_format(file, path, form)]
    except BaseException:
        file.close()
        raise
    return _closing(file, reader)


def _closing(file: BufferedReader, reader: Reader) -> Iterator[BibRecord | BadRecord]:
    position = 0
    with file:
        try:
            for result in reader(file):
                position += 1
                yield result
        except (EOFError, OSError, zlib.error) as error:  # a damaged gzip file, a disk that fails
            yield BadRecord(position + 1, f"the file cannot be read further: {error}")


def _opened(path: Path) -> BufferedReader:
    """The file's bytes, unpacked where it is gzip. Raises RequestError."""
    if path.is_dir():
        raise RequestError(f"{path} is a folder; give the files in it, for example {path}/*.mrc")
    if path.exists() and not path.is_file():
        raise RequestError(f"{path} is no regular file (it is read twice: checked, then loaded); save it first")
    try:
        file = path.open("rb")
    except OSError as error:
        raise RequestError(f"{path} cannot be opened: {error.strerror}; check the path and its permissions") from error
    if file.peek(2)[:2] != b"\x1f\x8b":
        return file
    file.close()
    return BufferedReader(cast("RawIOBase", gzip.open(path)), _HEAD)


def _format(file: BufferedReader, path: Path, form: str | None) -> str:
    """`form`, checked, or the format that the first bytes show. Raises RequestError."""
    try:
        head = file.peek(_HEAD)
    except (EOFError, OSError, zlib.error) as error:
        raise RequestError(f"{path} cannot be read: {error}") from error
    if not head.strip():
        raise RequestError(f"{path} is empty; expected records ({', '.join(READERS)})")
    if form is not None and form not in READERS:
        raise RequestError(f"no format {form!r}; there are: {', '.join(READERS)}")
    shown = shown_format(head)
    if form is None and shown is None:
        raise RequestError(f"{path} begins with {head[:20]!r}, which is none of {', '.join(READERS)}; try --format")
    if form is not None and shown is not None and form != shown:
        raise RequestError(f"{path} is {shown}, not {form}; leave --format out or give --format {shown}")
    return form or shown or ""


def shown_format(head: bytes) -> str | None:
    """The format that the first bytes of a file show, None where they show none."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n\x00")
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):  # XML in UTF-16: its letters, without the zeros between
        start = start[2:].replace(b"\x00", b"")
    if start.startswith(b"<"):
        if b"datafield" in start or b"controlfield" in start or b"MARC21/slim" in start:
            return "marcxml"
        return "dc" if b"purl.org/dc/" in start or b"oai_dc" in start else None
    if start.startswith(b"{"):
        return "jsonl"
    return "marc" if (start[:5].isdigit() and start[12:17].isdigit()) or b"\x1d" in start else None
