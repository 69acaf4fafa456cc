"""What a writer knows: what it last wrote of every record, and every error that it saw."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from integration import scan
from integration.engine.client import Cluster, part

OURS = re.compile(rb',"crosshatch":(\{.*?\})(?:,"_crosshatch":(\{.*\}))?\}\s*$', re.DOTALL)
Place = tuple[str, str]  # index, id


@dataclass(frozen=True, slots=True)
class Held:
    """What the engine confirmed last of one record: bytes as sent, or the value where it was not sent as JSON.

    None: it was deleted.
    """

    body: bytes | Mapping[str, Any] | None
    version: int | None = None


@dataclass(frozen=True, slots=True)
class Differences:
    """Places (index, id) where the cluster and a writer's truth differ, and what the writer saw on its way."""

    lost: tuple[Place, ...]
    brought_back: tuple[Place, ...]
    foreign_changed: tuple[Place, ...]
    errors: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.lost or self.brought_back or self.foreign_changed or self.errors)


@dataclass(slots=True)
class Truth:
    """`counts` holds results by name, `away`, `busy` and `blocked` for tries that the engine did not take, and
    `found`/`missed` for records that were there, or not, against all that the writer knew.

    `open` are the records whose last write was never answered: nothing is known of them.
    """

    held: dict[Place, Held] = field(default_factory=dict)
    open: set[Place] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def check(self, cluster: Cluster) -> Differences:
        """Compare every document, minus our members, with what was written last."""
        there = {
            (index, hit.id): hit.source
            for index in dict.fromkeys(index for index, _ in self.held)
            if cluster.request("POST", f"/{part(index)}/_refresh")
            for page in scan.pages(cluster, index)
            for hit in page
        }
        known = {place: held.body for place, held in self.held.items() if place not in self.open}
        return Differences(
            lost=tuple(p for p, body in known.items() if body is not None and p not in there),
            brought_back=tuple(p for p in there if p not in self.open and known.get(p) is None),
            foreign_changed=tuple(
                p for p, raw in there.items() if (body := known.get(p)) is not None and not same(raw, body)
            ),
            errors=tuple(self.errors),
        )


def same(raw: bytes, body: bytes | Mapping[str, Any]) -> bool:
    """Whether a document as the engine holds it is `body`, but for our members, which stand last."""
    if not isinstance(body, bytes):
        value = json.loads(raw)
        for ours in ("crosshatch", "_crosshatch"):
            value.pop(ours, None)
        return bool(value == body)
    ours = OURS.search(raw)
    if ours is None:
        return raw == body
    try:
        for member in filter(None, ours.groups()):
            json.loads(member)  # ours alone, and nothing behind it
    except ValueError:
        return False
    return raw[: ours.start()] + b"}" == body
