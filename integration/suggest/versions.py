"""How an index's owner versions its documents, as far as `_version` tells."""

from collections.abc import Mapping, Sequence

from integration.suggest.fields import Field

LARGE = 1_000_000


def versioning(hits: Sequence[tuple[int, int]], fields: Mapping[str, Field]) -> tuple[str, str]:
    """`external` or `internal`, and the evidence; `hits` are (`_version`, `_seq_no`) of the sampled documents.

    Nothing proves `internal`, for versions of the owner's own may be small too. `external` does no harm to an owner who
    writes without versions, so it is what is proposed where nothing is known.
    """
    beyond = sum(version > seq_no + 1 for version, seq_no in hits)
    if beyond:  # each write without a version of its own takes a number of the shard and raises `_version` by one
        return "external", f"_version of {beyond} of {len(hits)} is higher than the number of writes before it"
    if hits and min(version for version, _ in hits) > LARGE:
        return "external", f"_version is above {LARGE:,} in every sampled document"
    for field in fields.values():
        if len(hits) > 1 and len({version for version, _ in hits}) > 1 and _follows(field, hits):
            return "external", f"{field.path} equals _version in every sampled document"
    return "external", "the careful choice: nothing tells; `internal` where the owner writes without versions"


def _follows(field: Field, hits: Sequence[tuple[int, int]]) -> bool:
    if len(field.values) < len(hits):
        return False
    return all(values == [hits[number][0]] for number, values in field.values.items())
