"""One shard of an index, asked on its primary: only there a checkpoint and the documents belong together."""

from collections.abc import Mapping
from typing import Any

from integration.engine.client import Cluster
from mappings.errors import EngineRefused


def asked(cluster: Cluster, path: str, shard: int | str, body: Mapping[str, Any], **params: str) -> bytes:
    """The raw answer to POST `path` by one shard. Refresh before: a replica that is behind would show what is past.

    Elasticsearch since 7 knows no `_primary`. There any copy answers, and a refresh reaches every copy.
    """
    try:
        return _asked(cluster, path, f"_shards:{shard}|_primary", body, params)
    except EngineRefused as error:
        if error.status != 400:
            raise
        return _asked(cluster, path, f"_shards:{shard}", body, params)


def _asked(cluster: Cluster, path: str, preference: str, body: Mapping[str, Any], params: Mapping[str, str]) -> bytes:
    return cluster.raw("POST", path, params={**params, "preference": preference}, body=body)
