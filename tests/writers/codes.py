"""Whether every code of an attached index is right: that of the record's content as it is now."""

import json
from collections.abc import Iterator
from typing import Any

from encoders.api import Encoder, Item
from integration import records, scan, state
from integration.engine.client import Cluster
from integration.stored import stored_codes, stored_members
from mappings.code import HashCode
from mappings.fields import StoredCodes

CHUNK = 256


def wrong_codes(cluster: Cluster, known: state.Attached, encoder: Encoder, *, tolerated: int = 1) -> list[str]:
    """Records whose text code is not right, and why; a batch's make-up may turn `tolerated` bits of a code."""
    cluster.request("POST", f"/{known.index}/_refresh")
    wrong: list[str] = []
    texts: dict[str, HashCode | None] = {}
    for page in scan.pages(cluster, known.index):
        judged = [(hit.id, *_read(hit.source, known)) for hit in page]
        for chunk in _chunks(sorted({text for _, text, *_ in judged if text and text not in texts})):
            codes = encoder.encode([Item(text) for text in chunk])
            texts.update({text: code.text for text, code in zip(chunk, codes, strict=True)})
        for record, text, members, fresh in judged:
            expected = texts[text] if text else None
            if not fresh and (expected is not None or members):
                wrong.append(f"{record}: {'stale' if members else 'no code'}")
            elif members and not _agree(StoredCodes.read(members, known.bundle.bits).text, expected, tolerated):
                wrong.append(f"{record}: another code")
    return wrong


def _read(source: bytes, known: state.Attached) -> tuple[str | None, dict[str, Any] | None, bool]:
    document = json.loads(source)
    content = records.read(document, known.profile)
    members = stored_members(document, known.space)
    digest = content.digest(known.profile, known.bundle.digest)
    return content.text, members, stored_codes(members, digest, known.bundle.bits) is not None


def _agree(stored: HashCode | None, expected: HashCode | None, tolerated: int) -> bool:
    if stored is None or expected is None:
        return stored is expected
    return stored.distance(expected) <= tolerated


def _chunks(texts: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(texts), CHUNK):
        yield texts[start : start + CHUNK]
