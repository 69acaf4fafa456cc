"""How a query's bits count: each the same (symmetric), or by how sure the encoder is of it (asymmetric). Pure."""

from collections.abc import Sequence
from typing import Literal

from mappings.code import HashCode
from mappings.errors import RequestError
from mappings.weighted import WeightedCode

Scoring = Literal["symmetric", "asymmetric"]


def scored(codes: Sequence[tuple[str, HashCode]], scoring: str) -> list[tuple[str, HashCode]]:
    """(query part, code) of a query as they are compared: without their weights where scoring is symmetric.

    Codes that are stored have none and are compared bit by bit beside others that have. Raises RequestError where
    scoring is asymmetric and no code has weights.
    """
    if scoring == "symmetric":
        return [(part, code.bare if isinstance(code, WeightedCode) else code) for part, code in codes]
    if not any(isinstance(code, WeightedCode) for _, code in codes):
        raise RequestError(
            "asymmetric scoring needs a text or a picture that a worker of this release encodes: codes that are stored "
            "or given have no weights; leave scoring symmetric"
        )
    return list(codes)
