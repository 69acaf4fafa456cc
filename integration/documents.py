"""How many documents of an index a query finds, and the query for those that hold something of ours."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from integration.engine.client import Cluster, part
from mappings.fields import PARTS, field_name


def count(cluster: Cluster, index: str, query: Mapping[str, Any]) -> int:
    """How many documents `query` finds; no score is worked out, so this costs little."""
    return int(cluster.request("POST", f"/{part(index)}/_count", body={"query": query})["count"])


def holding(space: str, parts: Sequence[str] = PARTS, field: Callable[[str, str], str] = field_name) -> dict[str, Any]:
    """Documents with a code of one of `parts` in `space`; with bands, where `field` is what names theirs."""
    return {"bool": {"should": [{"exists": {"field": field(space, name)}} for name in parts]}}
