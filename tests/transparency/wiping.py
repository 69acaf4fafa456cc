"""A node as it was before the test: everything that a test may leave behind is deleted, directly at the node."""

from urllib.parse import quote

from tests.transparency.requests import Connection


def wipe(node: Connection) -> None:
    """One look at the metadata, then a deletion for each thing that is there."""
    there = node.json("GET", "/_cluster/state/metadata")["metadata"]
    for name in there.get("repositories", {}):
        for one in node.json("GET", f"/_snapshot/{_part(name)}/_all?ignore_unavailable=true").get("snapshots", []):
            node.json("DELETE", f"/_snapshot/{_part(name)}/{_part(one['snapshot'])}")
        node.json("DELETE", f"/_snapshot/{_part(name)}")
    for name in there.get("data_stream", {}).get("data_stream", {}):
        node.json("DELETE", f"/_data_stream/{_part(name)}")
    if there["indices"]:
        node.json("DELETE", "/_all?expand_wildcards=all")
    for kind, path in (("index_template", "_index_template"), ("component_template", "_component_template")):
        for name in there.get(kind, {}).get(kind, {}):
            node.json("DELETE", f"/{path}/{_part(name)}")
    for name in there.get("templates", {}):
        node.json("DELETE", f"/_template/{_part(name)}")
    for name in there.get("stored_scripts", {}):
        node.json("DELETE", f"/_scripts/{_part(name)}")
    for kind, path in (("ingest", "_ingest/pipeline"), ("search_pipeline", "_search/pipeline")):
        for one in there.get(kind, {}).get("pipeline", []):
            node.json("DELETE", f"/{path}/{_part(one['id'])}")
    if there.get("cluster_coordination", {}).get("voting_config_exclusions"):
        node.json("DELETE", "/_cluster/voting_config_exclusions?wait_for_removal=false")
    _settings(node)


def _settings(node: Connection) -> None:
    """Cluster settings back to none."""
    changed = node.json("GET", "/_cluster/settings?flat_settings=true")
    unset = {kind: dict.fromkeys(names) for kind, names in changed.items() if names}
    if unset:
        node.json("PUT", "/_cluster/settings", unset)


def _part(name: str) -> str:
    return quote(name, safe="")
