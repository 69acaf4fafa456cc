"""What a fault did: the end state against what the writer last wrote, and against the encoder in this process.

- lost: records that the writer has and the index has not, and those that the writer deleted and the index has again
- foreign bytes changed: documents that are not what was written last, byte for byte, but for our member
- wrong codes: records whose code is not of their present content; for a sample also: not what the encoder gives
- encoded twice: records that a second `update` still encodes or restores, contents that the code store took twice, and
  entries of it beyond the contents ever written
- conflicts: answers to the writer that it would not have had without us (a 409 above all)
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from random import Random
from statistics import median
from typing import Any

from encoders.api import Encoder, Item
from integration import records, scan, state
from integration.encoding import stored_members, up_to_date
from integration.engine.client import Cluster, part
from mappings.fields import StoredCodes
from tests.writers.truth import Truth

SAMPLE = 500
TOLERATED = 1  # bits: an item's code may differ so much by the batch that it was in


@dataclass
class Row:
    """One line of the table; all but `records`, `events` and the times are to be zero."""

    fault: str
    records: int
    events: int
    lost: int = 0
    wrong_codes: int = 0
    encoded_twice: int = 0
    foreign_changed: int = 0
    conflicts: int = 0
    recover_s: list[float] = field(default_factory=list)
    seconds: float = 0.0
    troubles: list[str] = field(default_factory=list)  # what else went wrong, in words
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing was harmed."""
        return not (self.harm or self.troubles)

    @property
    def harm(self) -> int:
        """The sum of the columns that are to be zero."""
        return self.lost + self.wrong_codes + self.encoded_twice + self.foreign_changed + self.conflicts

    def message(self) -> dict[str, Any]:
        """As JSON."""
        times = [round(seconds, 1) for seconds in self.recover_s]
        middle = {"recover_median_s": round(median(times), 1), "recover_max_s": max(times)} if times else {}
        return {**asdict(self), "recover_s": times, "seconds": round(self.seconds, 1), **middle, "ok": self.ok}


def judge(row: Row, cluster: Cluster, index: str, truth: Truth, encoder: Encoder, *, contents: int, seed: int) -> None:
    """Fill in the columns. `contents` is the number of different contents that the writer ever sent."""
    known = state.attached(cluster, index)
    different = truth.check(cluster)
    row.lost += len(different.lost) + len(different.brought_back)
    row.foreign_changed += len(different.foreign_changed)
    row.conflicts += len(different.errors)
    row.facts["writer"] = dict(truth.counts)
    row.facts |= _told({"lost": different.lost, "brought back": different.brought_back, "errors": different.errors})
    wrong = wrong_codes(cluster, known, encoder, seed=seed)
    row.wrong_codes += len(wrong)
    row.facts |= _told({"changed": different.foreign_changed, "wrong": wrong})
    entries, twice = stored(cluster, known)
    row.facts |= {"contents": contents, "kept": entries, "kept_twice": twice}
    row.encoded_twice += twice + max(0, entries - contents)


def wrong_codes(cluster: Cluster, known: state.Attached, encoder: Encoder, *, seed: int) -> list[str]:
    """Records whose digest is not that of their content, and those of a sample whose code is not the encoder's."""
    wrong: list[str] = []
    right: list[tuple[str, str, dict[str, Any]]] = []
    for page in scan.pages(cluster, known.index):
        for hit in page:
            document = json.loads(hit.source)
            content = records.read(document, known.profile)
            members = stored_members(document, known.space)
            if not up_to_date(members, content.digest(known.profile, known.bundle.digest), known.bundle.bits):
                wrong.append(f"{hit.id}: {'of another content' if members else 'no code'}")
            elif content.text and members:
                right.append((hit.id, content.text, members))
    sample = Random(seed).sample(right, min(SAMPLE, len(right)))
    codes = encoder.encode([Item(text) for _, text, _ in sample])
    for (record, _, members), code in zip(sample, codes, strict=True):
        kept = StoredCodes.read(members, known.bundle.bits).text
        if kept is None or code.text is None or kept.distance(code.text) > TOLERATED:
            wrong.append(f"{record}: another code")
    return wrong


def stored(cluster: Cluster, known: state.Attached) -> tuple[int, int]:
    """Entries of the code store, and how many of them were written more than once."""
    path = f"/{part(known.store)}"
    cluster.request("POST", f"{path}/_refresh")
    body: dict[str, Any] = {"size": 1000, "version": True, "_source": False, "sort": ["_doc"]}
    entries = twice = 0
    answer = cluster.request("POST", f"{path}/_search", params={"scroll": "1m"}, body=body)
    while hits := answer["hits"]["hits"]:
        entries += len(hits)
        twice += sum(hit["_version"] > 1 for hit in hits)
        again = {"scroll": "1m", "scroll_id": answer["_scroll_id"]}
        answer = cluster.request("POST", "/_search/scroll", body=again)
    return entries, twice


def _told(found: dict[str, Sequence[Any]]) -> dict[str, list[str]]:
    """The first few of each list that is not empty."""
    return {name: [str(one) for one in list(entries)[:5]] for name, entries in found.items() if entries}
