"""An attached index whose documents come with their codes: searched as any other, without a worker."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from encoders.api import BundleCard
from integration import state
from integration.engine.client import Cluster
from integration.search.scripts import ensure_scripts
from mappings.bands import Banding
from mappings.bands import space_mapping as bands_mapping
from mappings.fields import space_mapping
from mappings.profile import TargetProfile


@contextmanager
def coded_index(
    cluster: Cluster,
    name: str,
    space: str,
    card: BundleCard,
    properties: Mapping[str, Any],
    lines: Sequence[bytes],
    cut: Banding | None = None,
) -> Iterator[None]:
    """Index `name` with the lines of a bulk, and its state; dropped afterwards. Its words are those of `title`.

    Every document with codes has bands where they are `cut`.
    """
    cluster.request("PUT", f"/{name}", body={"mappings": {"properties": properties}})
    cluster.request("PUT", f"/{name}/_mapping", body=space_mapping(space))
    if cut:
        cluster.request("PUT", f"/{name}/_mapping", body=bands_mapping(space))
    assert not cluster.bulk(f"/{name}", b"\n".join(lines) + b"\n", params={"refresh": "true"})["errors"]
    bundle = state.Bundle(card.reference, card.name, card.bits, card.digest, bands=cut)
    profile = TargetProfile(name="test", text=("title",), search=("title",), title="title")
    index, uuid = state.concrete(cluster, name)
    state.save(cluster, state.Attached(index, uuid, space, {space: bundle}, profile, "secret"))
    ensure_scripts(cluster)
    yield
    state.forget(cluster, state.attached(cluster, name))
    cluster.request("DELETE", f"/{name}")
