"""Pictures as records refer to them, fetched safely: by URL, from a file under the picture roots, or out of base64.

Everything here is untrusted: each reference gives the picture's bytes or a RecordError, in bounded time and memory.
"""

import base64
import binascii
import hashlib
import urllib.parse
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from integration.pictures.files import read_file
from integration.pictures.references import PictureReference, from_isbn, isbn13
from integration.pictures.web import CONNECTIONS, PictureClient
from integration.settings import Settings
from mappings.errors import RecordError

__all__ = ["Fetched", "PictureReference", "Seen", "changed_all", "fetch", "fetch_all", "from_isbn", "isbn13"]

_URL_ALPHABET = str.maketrans("-_", "+/")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A picture file as it came, not decoded; `sha256` in hexadecimal; `etag` where a server gave one."""

    data: bytes
    etag: str | None
    sha256: str


@dataclass(frozen=True, slots=True)
class Seen:
    """A picture as it was when it was encoded."""

    reference: PictureReference
    sha256: str
    etag: str | None


def changed_all(seen: Sequence[Seen], settings: Settings) -> list[bool]:
    """Whether each picture is another one now, at most eight asked at once; one that cannot be had is not."""

    def attempt(one: Seen) -> bool:
        try:
            if one.reference.kind != "url":
                return _fetched(one.reference, settings, client).sha256 != one.sha256
            body = client.fetch_unless(one.reference.value, one.etag)
        except RecordError:
            return False
        return body is not None and hashlib.sha256(body.data).hexdigest() != one.sha256

    if not seen:
        return []
    with PictureClient(settings) as client, ThreadPoolExecutor(min(CONNECTIONS, len(seen))) as threads:
        return list(threads.map(attempt, seen))


def fetch(reference: PictureReference, settings: Settings) -> Fetched:
    """Get one picture. Raises RecordError with a reason that begins with `picture-`."""
    with PictureClient(settings) as client:
        return _fetched(reference, settings, client)


def fetch_all(references: Sequence[PictureReference], settings: Settings) -> list[Fetched | RecordError]:
    """Get many side by side, at most eight at once: one result each, in order; connections are kept between them.

    Holds all of them in memory, so give it no more than a few records' pictures.
    """

    def attempt(reference: PictureReference) -> Fetched | RecordError:
        try:
            return _fetched(reference, settings, client)
        except RecordError as error:
            return error

    if not references:
        return []
    with PictureClient(settings) as client, ThreadPoolExecutor(min(CONNECTIONS, len(references))) as threads:
        return list(threads.map(attempt, references))


def _fetched(reference: PictureReference, settings: Settings, client: PictureClient) -> Fetched:
    etag = None
    if reference.kind == "url":
        body = client.fetch(reference.value)
        data, etag = body.data, body.etag
    elif reference.kind == "file":
        data = read_file(reference.value, settings)
    else:
        data = read_base64(reference.value, settings)
    return Fetched(data, etag, hashlib.sha256(data).hexdigest())


def read_base64(value: str, settings: Settings) -> bytes:
    """The bytes of base64 (also of the URL alphabet, or unpadded) or of a `data:` URI; white space is left out.

    Raises RecordError: `picture-unreadable`, `picture-too-large`, or `picture-missing` where there is nothing.
    """
    most = settings.picture_max_bytes
    head, comma, payload = value.lstrip().partition(",")
    if head[:5].lower() != "data:" or not comma:
        head, payload = ";base64", value
    packed = head.rstrip().lower().endswith(";base64")
    if (
        len(payload) > 6 * most
    ):  # before anything is copied: no form of `most` bytes, percent signs and spaces in it, is longer
        raise _too_large(most)
    data = _unpacked(payload) if packed else urllib.parse.unquote_to_bytes(payload.encode(errors="replace"))
    if len(data) > most:
        raise _too_large(most)
    if not data:
        raise RecordError("picture-missing", "the picture's field holds no bytes")
    return data


def _too_large(most: int) -> RecordError:
    return RecordError(
        "picture-too-large", f"the picture in the record has more than {most} bytes (CROSSHATCH_PICTURE_MAX_BYTES)"
    )


def _unpacked(payload: str) -> bytes:
    if "%" in payload:  # a data: URI may write +, / and = so
        payload = urllib.parse.unquote(payload)
    letters = "".join(payload.split()).translate(_URL_ALPHABET).rstrip("=")
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RecordError("picture-unreadable", f"the picture in the record is no base64: {error}") from error
