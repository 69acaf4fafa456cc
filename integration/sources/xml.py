"""Records out of XML as it streams in: no entities, nothing from outside, one tree a record, and on after a fault."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO
from xml.etree.ElementTree import Element, ParseError, TreeBuilder
from xml.sax.saxutils import quoteattr

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from integration.sources.record import MAX_RECORD, BadRecord

MAX_ELEMENTS = 100_000
_BLOCK = 1 << 16
_DECLARATION = re.compile(rb"\A\s*(<\?xml[^>]*\?>)")


@dataclass(frozen=True, slots=True)
class Found:
    """The element of one record; `position` counts from 1, `offset` is the byte where its start tag begins."""

    position: int
    offset: int
    element: Element


def local(tag: str) -> str:
    """An element's name without its namespace."""
    return tag.rpartition("}")[2]


def elements(file: BinaryIO, names: frozenset[str]) -> Iterator[Found | BadRecord]:
    """Every outermost element whose local name is in `names`.

    Markup that is not well-formed costs the record it stands in: reading goes on at the next start tag of such a name,
    with the namespaces known by then. Entities are refused, and the rest of such a file with them.
    """
    return _Stream(file, names).read()


class _Stream:
    """The file, the block in hand and its offset, and the collector that parsers report to."""

    def __init__(self, file: BinaryIO, names: frozenset[str]) -> None:
        self.file, self.collector = file, _Collector(names)
        self.start_tag = re.compile(rb"<(?:[\w.-]+:)?(?:%s)[\s>/]" % "|".join(sorted(names)).encode())
        self.block, self.offset = file.read(_BLOCK), 0
        declaration = _DECLARATION.match(self.block)
        self.declaration = declaration[1] if declaration else b""

    def read(self) -> Iterator[Found | BadRecord]:
        prolog = b""
        while True:
            parser: Any = DefusedXMLParser(target=self.collector, forbid_entities=True, forbid_external=True)
            self.collector.attend(parser.parser, self.offset - len(prolog))
            try:
                yield from self._feed(parser, prolog)
                return
            except DefusedXmlException as error:
                yield from self.collector.take()
                yield self.collector.broken(f"the file declares entities or refers outside ({error}); this is refused")
                return
            except ParseError as error:
                yield from self.collector.take()
                more = self._skip(self.collector.base + parser.parser.ErrorByteIndex)
                # After a fault that was told, the closing tags outside of records no longer match: nothing new.
                if self.collector.inside or not self.collector.faults:
                    yield self.collector.broken(f"not well-formed XML: {error}; export the record again")
                if not more:
                    return
                prolog = self.declaration + self.collector.root()

    def _feed(self, parser: Any, prolog: bytes) -> Iterator[Found | BadRecord]:
        """Let `parser` read up to the end. Raises ParseError and DefusedXmlException."""
        parser.feed(prolog)
        while self.block:
            parser.feed(self.block)
            yield from self.collector.take()
            self._next()
            if self.offset - self.collector.at() > MAX_RECORD:
                yield self.collector.broken(
                    f"a single tag or comment is longer than {MAX_RECORD} bytes; the rest is not read"
                )
                return
        parser.close()
        yield from self.collector.take()

    def _next(self) -> None:
        self.offset += len(self.block)
        self.block = self.file.read(_BLOCK)

    def _skip(self, fault: int) -> bool:
        """Go to the first start tag of a record behind the byte `fault`; False where there is none."""
        begin = max(0, fault - self.offset) + 1
        while self.block:
            if found := self.start_tag.search(self.block, begin):
                self.offset += found.start()
                self.block = self.block[found.start() :]
                return True
            kept = self.block[-256:]  # a start tag may lie across two blocks
            begin = max(0, begin - len(self.block) + len(kept))
            self.offset += len(self.block) - len(kept)
            read = self.file.read(_BLOCK)
            self.block = kept + read if read else b""
        return False


class _Collector:
    """A parser's target that builds a tree for the record it is in, and forgets everything else."""

    def __init__(self, names: frozenset[str]) -> None:
        self.names, self.namespaces = names, dict[str, str]()
        self.position = self.offset = self.depth = self.base = self.faults = 0
        self.tag, self.expat = "", None
        self.builder: TreeBuilder | None = None
        self.elements = self.characters = 0
        self.ready: list[Found | BadRecord] = []

    @property
    def inside(self) -> bool:
        return self.depth > 0

    def attend(self, expat: Any, base: int) -> None:
        """Listen to a new parser; `base` is the file offset of its first byte."""
        self.expat, self.base, self.depth = expat, base, 0

    def at(self) -> int:
        """File offset that the parser has come to."""
        return self.base + max(0, getattr(self.expat, "CurrentByteIndex", 0))

    def take(self) -> list[Found | BadRecord]:
        """What has become ready since the last call."""
        ready, self.ready = self.ready, []
        return ready

    def broken(self, why: str) -> BadRecord:
        """The record at hand, or what stands where the next one should, as a bad one."""
        if not self.inside:
            self.position, self.offset = self.position + 1, self.at()
        self.depth, self.faults = 0, self.faults + 1
        return BadRecord(self.position, why, offset=self.offset)

    def root(self) -> bytes:
        """A start tag with the namespaces that stood outside of records."""
        declared = (
            f" xmlns{':' if prefix else ''}{prefix}={quoteattr(uri)}" for prefix, uri in self.namespaces.items()
        )
        return f"<resumed{''.join(declared)}>".encode()

    def start_ns(self, prefix: str, uri: str) -> None:
        if not self.inside and len(self.namespaces) < 100 and prefix != "xml":
            self.namespaces[prefix] = uri

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if self.inside and tag == self.tag:
            self.ready.append(self.broken(f"<{local(tag)}> begins inside of itself: its end tag is missing"))
        if not self.inside:
            if local(tag) not in self.names:
                return
            self.position, self.offset, self.tag = self.position + 1, self.at(), tag
            self.builder, self.elements, self.characters = TreeBuilder(), 0, 0
        self.depth += 1
        self.elements += 1
        if self.builder and not self._too_much():
            self.builder.start(tag, attributes)

    def data(self, text: str) -> None:
        if self.inside:
            self.characters += len(text)
            if self.builder and not self._too_much():
                self.builder.data(text)

    def end(self, tag: str) -> None:
        if not self.inside:
            return
        if self.builder:
            self.builder.end(tag)
        self.depth -= 1
        if self.depth == 0 and self.builder:
            self.ready.append(Found(self.position, self.offset, self.builder.close()))
        elif self.depth == 0:
            why = f"larger than {MAX_RECORD} characters or {MAX_ELEMENTS} elements"
            self.ready.append(BadRecord(self.position, why, offset=self.offset))

    def close(self) -> None:
        """Nothing is left to build: records close themselves."""

    def _too_much(self) -> bool:
        """Drop a tree that grows beyond all measure."""
        if self.elements > MAX_ELEMENTS or self.characters > MAX_RECORD:
            self.builder = None
        return self.builder is None
