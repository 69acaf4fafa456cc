"""The stored scripts in a cluster."""

from integration.engine.client import Cluster, part
from mappings.errors import EngineRefused
from mappings.scripts import Script, scripts


def ensure_scripts(cluster: Cluster) -> list[str]:
    """Store each script that the cluster does not have in this form; return the ids of those written.

    Raises EngineRefused where the account may not store scripts or the cluster does not allow them.
    """
    missing = [script for script in scripts() if not _is_stored(cluster, script)]
    for script in missing:
        cluster.request("PUT", f"/_scripts/{part(script.id)}/{script.context}", body=script.body())
    return [script.id for script in missing]


def _is_stored(cluster: Cluster, script: Script) -> bool:
    try:
        answer = cluster.request("GET", f"/_scripts/{part(script.id)}")
    except EngineRefused as error:
        if error.status == 404:
            return False
        raise
    return bool(answer["script"] == script.body()["script"])
