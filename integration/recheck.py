"""`crosshatch update --recheck-pictures`: find the records whose pictures changed behind the same references.

The code store holds each picture's digest and ETag as they were when it was encoded. A picture that cannot be had now
has not changed: its code stays.
"""

import json
import tempfile
from collections.abc import Iterator
from itertools import islice
from typing import Any

from integration import pictures, records, scan, state
from integration.engine.client import Cluster
from integration.parcels import Stale
from integration.pictures import PictureReference, Seen
from integration.settings import Settings
from integration.store import CodeStore
from integration.writer import Key

AT_ONCE = 64  # records whose pictures are asked for side by side


def changed(cluster: Cluster, known: state.Attached, settings: Settings) -> Iterator[Stale]:
    """The records to be encoded anew. The index is read first: asking for pictures takes as long as it takes."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as spool:
        for page in scan.pages(cluster, known.index):
            for line in _seen_before(cluster, known, page):
                spool.write(json.dumps(line) + "\n")
        spool.seek(0)
        while lines := [json.loads(line) for line in islice(spool, AT_ONCE)]:
            flat = [Seen(PictureReference(*seen[:2]), *seen[2:]) for line in lines for seen in line[3]]
            answers = iter(pictures.changed_all(flat, settings))
            for record, routing, size, seen in lines:
                if sum(next(answers) for _ in seen):
                    yield Stale(Key(record, routing), size, kept=False)


def _seen_before(cluster: Cluster, known: state.Attached, page: list[scan.Hit]) -> Iterator[list[Any]]:
    """Id, routing, bytes and pictures ([kind, value, SHA-256, ETag]) of the records whose pictures can change."""
    store = CodeStore(cluster, known.store, known.secret, space=known.space, bits=known.bundle.bits)
    contents: list[tuple[scan.Hit, records.Content, str]] = []
    for hit in page:
        try:
            content = records.read(json.loads(hit.source), known.profile)
        except (ValueError, RecursionError):
            continue
        if any(picture.kind != "base64" for picture in content.pictures):
            contents.append((hit, content, content.digest(known.profile, known.bundle.digest)))
    kept = store.get([digest for _, _, digest in contents])
    for hit, content, digest in contents:
        before = kept[digest].pictures if digest in kept else {}
        seen = [
            [picture.kind, picture.value, *before[number]]
            for number, picture in enumerate(content.pictures)
            if number in before and picture.kind != "base64"
        ]
        if seen:
            yield [hit.id, hit.routing, len(hit.source), seen]
