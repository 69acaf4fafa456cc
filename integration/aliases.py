"""The aliases of a change-over: the catalogue's move in one step, ours are hidden and named after an index's UUID."""

from typing import Any

from integration import state
from integration.changeover import Changeover
from integration.engine.client import Cluster, part
from mappings.errors import EngineRefused, RequestError, UnknownIndexError

OURS = ("crosshatch-w-", "crosshatch-b-", "crosshatch-d-")  # of the workers, of a change-over, of detach


def aliased(cluster: Cluster, name: str) -> tuple[str, str]:
    """Name and UUID of the one index behind alias `name`. Raises RequestError for anything but an alias of one."""
    index, uuid = state.concrete(cluster, name)
    if index == name:
        raise RequestError(
            f"{name} is an index and no alias. Koha and FOLIO rebuild theirs by deleting and making it under this "
            "name, which fails where an alias stands in its place: use `reindex` without --beside, which works in place"
        )
    return index, uuid


def theirs(cluster: Cluster, index: str) -> list[str]:
    """The aliases of an index that are not ours."""
    every = cluster.request("GET", f"/{part(index)}/_alias")[index]["aliases"]
    return sorted(alias for alias in every if not alias.startswith(OURS))


def carrying(uuid: str) -> str:
    """The hidden alias through which documents are carried: it dies with its index, as the write alias does."""
    return f"crosshatch-b-{uuid}"


def link(cluster: Cluster, over: Changeover) -> None:
    """Let documents be carried: both indices get the alias for it."""
    for index, uuid in ((over.source, over.source_uuid), (over.target, over.target_uuid)):
        change(cluster, "add", index, carrying(uuid), is_hidden=True)


def unlink(cluster: Cluster, over: Changeover) -> None:
    """Take these aliases away."""
    for index, uuid in ((over.source, over.source_uuid), (over.target, over.target_uuid)):
        change(cluster, "remove", index, carrying(uuid))


def change(cluster: Cluster, action: str, index: str, alias: str, **more: bool) -> None:
    """Add or remove an alias; one that is not there, or whose index is gone, need not be removed."""
    try:
        cluster.request("POST", "/_aliases", body={"actions": [{action: {"index": index, "alias": alias, **more}}]})
    except (UnknownIndexError, EngineRefused) as error:
        if action == "add" or (isinstance(error, EngineRefused) and error.status != 404):
            raise


def swap(cluster: Cluster, name: str, over: Changeover, known: state.Attached) -> None:
    """Move every alias in one request that fails, and changes nothing, where one is no longer what was just read."""
    every = cluster.request("GET", f"/{part(over.source)}/_alias")[over.source]["aliases"]
    moving = {alias: body for alias, body in every.items() if not alias.startswith(OURS)}
    actions: list[dict[str, Any]] = []
    for alias, body in moving.items():
        actions.append({"remove": {"index": over.source, "alias": alias, "must_exist": True}})
        actions.append({"add": {"index": over.target, "alias": alias, **body}})
    if known.alias in every:  # late codes must not reach the index that is left
        actions.append({"remove": {"index": over.source, "alias": known.alias, "must_exist": True}})
    moved = f"alias {name} was changed by somebody else meanwhile; nothing was changed over, run this again"
    if name not in moving or aliased(cluster, name) != (over.source, over.source_uuid):
        raise RequestError(moved)
    try:
        cluster.request("POST", "/_aliases", body={"actions": actions})
    except EngineRefused as error:
        if error.status != 404:
            raise
        raise RequestError(moved) from error
