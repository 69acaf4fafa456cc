"""The bands of a space: what they are learnt from, what they find, and how they stand in an index."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from integration import scan, state
from integration.documents import count, holding
from integration.engine.client import Cluster, part
from integration.stored import stored_members
from mappings.bands import NARROWEST, REACH, WIDEST, Banding, fitting_order, fitting_width
from mappings.bands import field_name as bands_field
from mappings.code import HashCode
from mappings.code import distances as distances_of
from mappings.errors import CodeLengthError, DataError, RequestError
from mappings.fields import OBJECT, PARTS, StoredCodes

SAMPLE = 20_000  # codes that an order is learnt from
AMONG = 200_000  # records among which the nearest are looked for
ASKED = 200  # records whose nearest are looked for
DEPTHS = (10, 100)
OUTGROWN = 10  # an index so many times as large, or as small, as when its bands were learnt
_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Stand:
    """How the bands of a space stand: so many `documents` have some, and so many `lack` those of their codes.

    `now` is the number of documents in the index. Bands that are not `ready` are being filled: no search uses them.
    """

    space: str
    banding: Banding
    learnt: state.Learnt | None
    ready: bool
    documents: int
    lack: int
    now: int

    @property
    def advice(self) -> str | None:
        """What is to be done about them; None where they are as they should be."""
        if not self.ready:
            return "not every document has them yet; run `crosshatch plans add` again"
        if outgrown(self.learnt, self.now):
            learnt = self.learnt.documents if self.learnt else 0
            return f"learnt at {learnt} documents, and there are {self.now}; add them again to learn anew"
        return None

    def listed(self) -> dict[str, Any]:
        """As JSON."""
        learnt = self.learnt
        return {
            "plan": "bands",
            "space": self.space,
            "width": self.banding.width,
            "bands": self.banding.count,
            "banding": self.banding.name,
            "ready": self.ready,
            "documents": self.documents,
            "lack": self.lack,
            "learnt": {"documents": learnt.documents, "codes": learnt.codes} if learnt else None,
            "recall": dict(learnt.recall) if learnt else {},
            "advice": self.advice,
        }


def stands(cluster: Cluster, known: state.Attached) -> list[Stand]:
    """The bands of every space that has some, the active one first."""
    spaces = sorted(known.spaces, key=lambda space: space != known.space)
    cut = [(space, banding) for space in spaces if (banding := known.spaces[space].cut)]
    now = count(cluster, known.index, {"match_all": {}}) if cut else 0
    return [_stand(cluster, known, space, banding, now) for space, banding in cut]


def _stand(cluster: Cluster, known: state.Attached, space: str, banding: Banding, now: int) -> Stand:
    bundle = known.spaces[space]
    coded, banded = holding(space), holding(space, field=bands_field)
    documents = count(cluster, known.index, banded)
    lack = count(cluster, known.index, {"bool": {"filter": [coded], "must_not": [banded]}})
    return Stand(space, banding, bundle.learnt, bundle.filling is None, documents, lack, now)


def outgrown(learnt: state.Learnt | None, documents: int) -> bool:
    """Whether an index of so many documents is another one than the bands were learnt from."""
    return learnt is not None and not learnt.documents / OUTGROWN < documents < learnt.documents * OUTGROWN


def chosen(cluster: Cluster, seen: state.Attached, width: int | None) -> tuple[Banding, state.Learnt]:
    """The banding for a space: the one that is being filled or still fits, else one that is learnt now.

    `width` is asked for; by default it follows from the number of documents. Raises RequestError for one that no code
    has, DataError where no document has a code to learn from.
    """
    bundle, documents = seen.bundle, count(cluster, seen.index, {"match_all": {}})
    widest = min(WIDEST, bundle.bits)
    if width is not None and not NARROWEST <= width <= widest:
        raise RequestError(f"bands of {width} bits came; expected {NARROWEST} to {widest} for codes of {bundle.bits}")
    there, learnt = bundle.cut, bundle.learnt
    if there and learnt and not outgrown(learnt, documents):
        fits = there.width if bundle.filling else fitting_width(documents, bundle.bits)
        if there.width == (width or fits):
            return there, learnt
    packed = packed_codes(sampled(cluster, seen, SAMPLE))[:SAMPLE]
    if not len(packed):
        raise DataError(
            f"no document of {seen.index} has a code in space {seen.space} to learn from; run `crosshatch reindex "
            f"{seen.index} --space {seen.space}` first"
        )
    width = width or fitting_width(documents, bundle.bits)
    return Banding(bundle.bits, width, fitting_order(packed, width)), state.Learnt(documents, len(packed))


def sampled(cluster: Cluster, seen: state.Attached, most: int) -> list[StoredCodes]:
    """The codes of about `most` records of the space, drawn at random; of all where there are no more."""
    coded = holding(seen.space)
    cluster.request("POST", f"/{part(seen.index)}/_refresh")
    total = count(cluster, seen.index, coded)
    query = coded
    if total > most:  # a random number in [0, 1) for each document; those above a limit are drawn
        draw = {"random_score": {"seed": 1, "field": "_seq_no"}, "boost_mode": "replace", "min_score": 1 - most / total}
        query = {"function_score": {"query": coded, **draw}}
    return list(_codes(cluster, seen, query))


def _codes(cluster: Cluster, seen: state.Attached, query: Mapping[str, Any]) -> Iterator[StoredCodes]:
    wanted = [f"{OBJECT}.{seen.space}.{name}" for name in PARTS]
    for page in scan.pages(cluster, seen.index, query=dict(query), _source=wanted, size=_PAGE):
        for hit in page:
            try:
                yield StoredCodes.read(stored_members(json.loads(hit.source), seen.space) or {}, seen.bundle.bits)
            except (CodeLengthError, ValueError, RecursionError):
                continue  # the next update writes it anew


def packed_codes(records: Sequence[StoredCodes]) -> NDArray[np.uint8]:
    """The codes of records, whatever part they are of: uint8 [n, bits / 8]."""
    return _packed([code for one in records for name in PARTS for code in of_part(one, name)])


def _packed(codes: Sequence[HashCode]) -> NDArray[np.uint8]:
    held = np.frombuffer(b"".join(code.packed for code in codes), np.uint8)
    return held.reshape(len(codes), codes[0].bits // 8 if codes else 0)


def of_part(record: StoredCodes, name: str) -> list[HashCode]:
    """The codes of one part of a record."""
    if name == "image":
        return [code for _, code in record.image]
    code: HashCode | None = getattr(record, name)
    return [code] if code else []


def measured_recall(records: Sequence[StoredCodes], cut: Banding) -> tuple[tuple[str, float], ...]:
    """What the bands find: the share of the k nearest of a record's code that a search with it finds.

    Named `at_k`, over `ASKED` codes of each part, among the codes of the same part of all other records; which
    of the equally far ones are the last of k is left to chance. Empty where there are too few records to tell.
    """
    shares: dict[str, list[float]] = {}
    for name in PARTS:
        held = [(owner, code) for owner, one in enumerate(records) for code in of_part(one, name)]
        if len(held) <= max(DEPTHS) * 2:
            continue
        owners, packed = np.array([owner for owner, _ in held]), _packed([code for _, code in held])
        for at in np.random.default_rng(1).permutation(len(held))[:ASKED].tolist():
            owner, code = held[at]
            [distances] = distances_of(_packed([code]), packed)
            distances[owners == owner] = code.bits + 1
            nearest = np.argpartition(distances, max(DEPTHS))[: max(DEPTHS)]
            nearest = nearest[np.argsort(distances[nearest], kind="stable")]
            apart = [_bits_apart(cut, code, held[other][1]) for other in nearest.tolist()]
            for depth in DEPTHS:
                share = sum(bits <= REACH.radius for bits in apart[:depth]) / depth
                shares.setdefault(f"at_{depth}", []).append(share)
    return tuple((told, round(sum(found) / len(found), 4)) for told, found in shares.items())


def _bits_apart(cut: Banding, one: HashCode, other: HashCode) -> int:
    """Within how many bits as many bands of two codes agree as must."""
    apart = sorted((a ^ b).bit_count() for a, b in zip(cut.values(one), cut.values(other), strict=True))
    return apart[min(REACH.agree, cut.count) - 1]
