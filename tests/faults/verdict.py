"""What a fault did: the end state against what the writer last wrote, and against the encoder in this process.

- lost: records that the writer has and the index has not, and those that the writer deleted and the index has again
- foreign bytes changed: documents that are not what was written last, byte for byte, but for our member
- wrong codes: records whose code is not of their present content; for a sample also: not what the encoder gives
- encoded twice: records that a second `update` still encodes or restores, contents that the code store took twice, and
  entries of it beyond the contents ever written
- notices: records that the end state names as perhaps overwritten, though none was: over-careful, and no harm
- conflicts: answers to the writer that it would not have had without us (a 409 above all)
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from random import Random
from statistics import median
from typing import Any

from encoders.api import Encoder, Item
from integration import problems, records, scan, state
from integration.engine.client import Cluster, part
from integration.stored import stored_codes, stored_members
from mappings.fields import StoredCodes
from tests.writers.truth import Truth

SAMPLE = 500
NOTICE = "maybe-overwritten"  # that of a loss would be seen among the foreign bytes
TOLERATED = 1  # bits: an item's code may differ so much by the batch that it was in


@dataclass
class Row:
    """One line of the table; all but `records`, `events`, `notices` and the times are to be zero."""

    fault: str
    records: int
    events: int
    lost: int = 0
    wrong_codes: int = 0
    encoded_twice: int = 0
    foreign_changed: int = 0
    conflicts: int = 0
    notices: int = 0
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


@dataclass(frozen=True)
class Expected:
    """What is to be said of some records: the reason of each one's problem, and the pictures that others have."""

    reasons: Mapping[str, str] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)


def judge(
    row: Row,
    cluster: Cluster,
    index: str,
    truth: Truth,
    encoder: Encoder,
    expected: Expected,
    *,
    contents: int,
    seed: int,
) -> None:
    """Fill in the columns. `contents` is the number of different contents that the writer ever sent."""
    known = state.attached(cluster, index)
    different = truth.check(cluster)
    row.lost += len(different.lost) + len(different.brought_back)
    row.foreign_changed += len(different.foreign_changed)
    row.conflicts += len(different.errors)
    row.facts["writer"] = dict(truth.counts)
    row.facts |= _told({"lost": different.lost, "brought back": different.brought_back, "errors": different.errors})
    wrong = wrong_codes(cluster, known, encoder, expected, seed=seed)
    there = {record for (_, record), held in truth.held.items() if held.body is not None}
    found = {p.record: p.reason for p in problems.every(cluster, known) if p.record in there}
    unlike = {
        record: f"{record}: {found.get(record)} where {expected.reasons.get(record)} was expected"
        for record in sorted(found.keys() | expected.reasons.keys())
        if found.get(record) != expected.reasons.get(record)
    }
    notices = {record for record in unlike if found.get(record) == NOTICE and record not in expected.reasons}
    row.notices += len(notices)
    wrong += [said for record, said in unlike.items() if record not in notices]
    row.wrong_codes += len(wrong)
    row.facts |= _told({"changed": different.foreign_changed, "wrong": wrong})
    entries, twice = stored(cluster, known)
    row.facts |= {"contents": contents, "kept": entries, "kept_twice": twice}
    row.encoded_twice += twice + max(0, entries - contents)


def wrong_codes(
    cluster: Cluster, known: state.Attached, encoder: Encoder, expected: Expected, *, seed: int
) -> list[str]:
    """Records whose digest is not that of their content, and those of a sample whose code is not the encoder's."""
    wrong: list[str] = []
    right: list[tuple[str, Item, StoredCodes]] = []
    for page in scan.pages(cluster, known.index):
        for hit in page:
            document = json.loads(hit.source)
            content = records.read(document, known.profile)
            members = stored_members(document, known.space)
            digest = content.digest(known.profile, known.bundle.digest)
            if held := stored_codes(members, digest, known.bundle.bits):
                pictures = (expected.pictures[hit.id],) if hit.id in expected.pictures else ()
                right.append((hit.id, Item(content.text, pictures), held))
            elif hit.id not in expected.reasons or members:
                wrong.append(f"{hit.id}: {'of another content' if members else 'no code'}")
    pictured = [one for one in right if one[1].pictures]
    sample = [*pictured, *Random(seed).sample(right, min(SAMPLE, len(right)))]
    codes = encoder.encode([item for _, item, _ in sample])
    return wrong + [
        f"{record}: another code"
        for (record, _, kept), code in zip(sample, codes, strict=True)
        if not _agree(kept, StoredCodes(code.text, tuple(enumerate(filter(None, code.image))), code.record))
    ]


def _agree(kept: StoredCodes, code: StoredCodes) -> bool:
    """Whether every part is there or not on both sides, and nearly the same."""
    if [number for number, _ in kept.image] != [number for number, _ in code.image]:
        return False
    pairs = [(kept.text, code.text), (kept.record, code.record)]
    pairs += [(one, other) for (_, one), (_, other) in zip(kept.image, code.image, strict=True)]
    return all(a is b if a is None or b is None else a.distance(b) <= TOLERATED for a, b in pairs)


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
