"""JSON lines: one object a line, with the fields that `load` writes and an `id`."""

import hashlib
from collections.abc import Iterator
from typing import BinaryIO

import msgspec

from integration.sources.record import MAX_RECORD, Agent, BadRecord, BibRecord
from integration.sources.wording import clean, distinct


class _Agent(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    role: str | None = None


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    """The shape of a line; what a record has once may also stand alone where a list is expected."""

    id: str | int | None = None
    title: str | list[str] | None = None
    creators: list[_Agent | str] | str = []
    contributors: list[_Agent | str] | str = []
    subjects: list[str] | str = []
    summary: str | None = None
    published: str | int | None = None
    publisher: str | None = None
    language: list[str] | str = []
    isbn: list[str] | str = []
    identifiers: list[str] | str = []
    picture_urls: list[str] | str = []
    marc: str | None = None


_decoder = msgspec.json.Decoder(_Line)


def read_jsonl(file: BinaryIO) -> Iterator[BibRecord | BadRecord]:
    """The records of a JSON lines file, in order; empty lines are passed over."""
    offset = position = 0
    while line := file.readline(MAX_RECORD + 1):
        start, offset = offset, offset + len(line)
        if len(line) > MAX_RECORD and not line.endswith(b"\n"):
            while rest := file.readline(MAX_RECORD):
                offset += len(rest)
                if rest.endswith(b"\n"):
                    break
        if line.strip(b" \t\r\n\xef\xbb\xbf"):
            position += 1
            yield _read(line, position, start)


def _read(line: bytes, position: int, offset: int) -> BibRecord | BadRecord:
    if len(line) > MAX_RECORD:
        return BadRecord(position, f"a line longer than {MAX_RECORD} bytes", offset=offset)
    try:
        read = _decoder.decode(line.removeprefix(b"\xef\xbb\xbf"))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        known = ", ".join(_Line.__struct_fields__)
        return BadRecord(position, f"not a record as JSON: {error}; the fields are {known}", offset=offset)
    identifiers = _texts(read.identifiers)
    given = "" if read.id is None else clean(str(read.id))
    record_id = given or next(iter(identifiers), "")
    if not record_id or len(record_id.encode()) > 512:  # the engine takes at most 512 bytes
        record_id = hashlib.sha256(line.strip()).hexdigest()[:32]
    titles = [read.title] if isinstance(read.title, str) else read.title or []
    return BibRecord(
        id=record_id,
        title=" = ".join(distinct(map(clean, titles))) or None,
        creators=_agents(read.creators),
        contributors=_agents(read.contributors),
        subjects=_texts(read.subjects),
        summary=clean(read.summary or "") or None,
        published=clean(str(read.published or "")) or None,
        publisher=clean(read.publisher or "") or None,
        language=_texts(read.language),
        isbn=_texts(read.isbn),
        identifiers=identifiers,
        picture_urls=_texts(read.picture_urls),
        marc=read.marc,
    )


def _texts(value: list[str] | str) -> tuple[str, ...]:
    return distinct(map(clean, [value] if isinstance(value, str) else value))


def _agents(value: list[_Agent | str] | str) -> tuple[Agent, ...]:
    agents = (_agent(one) for one in ([value] if isinstance(value, str) else value))
    return tuple(dict.fromkeys(agent for agent in agents if agent.name))


def _agent(value: _Agent | str) -> Agent:
    return Agent(clean(value)) if isinstance(value, str) else Agent(clean(value.name), clean(value.role or "") or None)
