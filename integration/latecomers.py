"""After the change-over: what still reached the old index is carried into the new one, which the catalogue writes to.

Newer in the new index wins. Whoever looks at versions alone gets that wrong: two late writes in the old index have a
higher internal version than one in the new. So a document is written, or deleted, only where it is still the one
that lay there at the change-over: nobody but us wrote before that, so its sequence number tells, and guards the write.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from integration import scan
from integration.carry import Checkpoints, Source, between, standing
from integration.engine.client import Cluster, part
from integration.scan import Hit
from integration.shipping import Write, Written, ship
from integration.writer import Key


@dataclass(frozen=True, slots=True)
class Copy:
    """A document of the new index that the catalogue has not touched there."""

    key: Key
    seq_no: int
    primary_term: int
    version: int


class Latecomers:
    """Carries what came late. `before` is, by shard of `target`, the last operation before the change-over."""

    def __init__(
        self,
        cluster: Cluster,
        source: Source,
        target: str,
        versioning: Literal["internal", "external"],
        before: Checkpoints,
    ) -> None:
        self._cluster, self._source, self._target = cluster, source, target
        self._versioning, self._before = versioning, before
        self._own: dict[Key, Copy] = {}  # what was written here, after the change-over

    def documents(self) -> int:
        """Carry what was written; return how many documents took their place."""
        carried = 0
        for page in self._source.changes():
            copies = self._copies([hit.key for hit in page])
            writes = [self._put(hit, copies[hit.key]) for hit in page if hit.key in copies]
            written = [one for one in ship(self._cluster, self._target, writes) if one.done]
            self._own |= {one.write.key: _copy(one) for one in written}
            carried += len(written)
        return carried

    def deletes(self) -> int:
        """Delete what was deleted in the source; return how many documents went."""
        upto = self._source.lost_any()
        if upto is None:
            return 0
        deleted = 0
        for keys in self._every_key():
            gone = self._source.gone(keys)
            copies = self._copies(gone)
            writes = [Write(key, None, self._guard(copy)) for key in gone if (copy := copies.get(key))]
            deleted += sum(one.done for one in ship(self._cluster, self._target, writes))
        self._source.compared = upto
        return deleted

    def _put(self, hit: Hit, copy: Copy | None) -> Write:
        if self._versioning == "internal":
            # a document that is new gets the lowest version: one that the catalogue deleted here stays deleted
            guard = self._guard(copy) if copy else {"version": 1, "version_type": "external"}
        else:
            same = copy is not None and copy.version == hit.version  # written once more at its version, before
            guard = {"version": hit.version, "version_type": "external_gte" if same else "external"}
        return Write(hit.key, hit.source, guard)

    def _guard(self, copy: Copy) -> dict[str, object]:
        if self._versioning == "internal":
            return {"if_seq_no": copy.seq_no, "if_primary_term": copy.primary_term}
        return {"version": copy.version, "version_type": "external_gte"}

    def _copies(self, keys: Sequence[Key]) -> dict[Key, Copy | None]:
        """Those of `keys` that the catalogue has not touched in the new index; None for one that is not there."""
        self._refresh()
        query = {"ids": {"values": [key.id for key in keys]}}
        before = {hit.key: hit.seq_no for page in self._before_change_over(query) for hit in page}
        ours = before | {key: self._own[key].seq_no for key in keys if key in self._own}
        now = standing(self._cluster, self._target, keys)
        return {
            key: Copy(key, one["_seq_no"], one["_primary_term"], one["_version"]) if one else None
            for key, one in now.items()
            if one is None or one["_seq_no"] == ours.get(key)
        }

    def _every_key(self) -> Iterator[list[Key]]:
        self._refresh()
        for page in self._before_change_over({"match_all": {}}):
            yield [hit.key for hit in page]
        yield list(self._own)

    def _before_change_over(self, query: Mapping[str, object]) -> Iterator[list[Hit]]:
        for shard, last in self._before.items():
            both = {"bool": {"filter": [query, between(-1, last)]}}
            more = {"_source": False, "seq_no_primary_term": True}
            yield from scan.pages(self._cluster, self._target, query=both, shard=shard, **more)

    def _refresh(self) -> None:
        self._cluster.request("POST", f"/{part(self._target)}/_refresh")


def _copy(written: Written) -> Copy:
    return Copy(written.write.key, written.seq_no, written.primary_term, written.version)
