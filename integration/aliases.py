"""The aliases of a change-over: the catalogue's move in one step, ours are hidden and named after an index's UUID."""

from collections.abc import Sequence
from typing import Any

from integration import state
from integration.changeover import Changeover
from integration.engine.client import Cluster, part
from mappings.errors import EngineRefused, RequestError, UnknownIndexError

Action = dict[str, dict[str, Any]]
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


def leaving(uuid: str) -> str:
    """The hidden alias through which documents are emptied once the write alias is gone."""
    return f"crosshatch-d-{uuid}"


def addition(index: str, alias: str) -> Action:
    """Give an index an alias of ours.

    No write index is named: a restore of a copy under another name, which brings the alias along, would fail.
    """
    return {"add": {"index": index, "alias": alias, "is_hidden": True}}


def removal(index: str, alias: str, *, must_exist: bool = False) -> Action:
    """Take an alias from an index."""
    return {"remove": {"index": index, "alias": alias, "must_exist": must_exist}}


def remove(cluster: Cluster, index: str, alias: str) -> None:
    """Take an alias of ours away, if it and its index are there."""
    try:
        send(cluster, [removal(index, alias)])
    except UnknownIndexError:
        pass
    except EngineRefused as error:
        if error.status != 404:
            raise


def send(cluster: Cluster, actions: Sequence[Action]) -> None:
    """Change aliases in one step. Raises UnknownIndexError, and EngineRefused (404 for one that must exist)."""
    try:
        cluster.request("POST", "/_aliases", body={"actions": actions})
    except EngineRefused as error:
        if "unknown field [must_exist]" not in error.reason:
            raise
        for action in actions:  # Elasticsearch 7.10 has no such word, and means it of every alias
            action.get("remove", {}).pop("must_exist", None)
        cluster.request("POST", "/_aliases", body={"actions": actions})


def link(cluster: Cluster, over: Changeover) -> None:
    """Let documents be carried: both indices get the alias for it."""
    for index, uuid in ((over.source, over.source_uuid), (over.target, over.target_uuid)):
        send(cluster, [addition(index, carrying(uuid))])


def unlink(cluster: Cluster, over: Changeover) -> None:
    """Take these aliases away."""
    for index, uuid in ((over.source, over.source_uuid), (over.target, over.target_uuid)):
        remove(cluster, index, carrying(uuid))


def swap(cluster: Cluster, name: str, over: Changeover, known: state.Attached) -> None:
    """Move every alias in one request that fails, and changes nothing, where one is no longer what was just read."""
    every = cluster.request("GET", f"/{part(over.source)}/_alias")[over.source]["aliases"]
    moving = {alias: body for alias, body in every.items() if not alias.startswith(OURS)}
    actions: list[Action] = []
    for alias, body in moving.items():
        actions.append(removal(over.source, alias, must_exist=True))
        actions.append({"add": {"index": over.target, "alias": alias, **body}})
    if known.alias in every:  # late codes must not reach the index that is left
        actions.append(removal(over.source, known.alias, must_exist=True))
    moved = f"alias {name} was changed by somebody else meanwhile; nothing was changed over, run this again"
    if name not in moving or aliased(cluster, name) != (over.source, over.source_uuid):
        raise RequestError(moved)
    try:
        send(cluster, actions)
    except EngineRefused as error:
        if error.status != 404:
            raise
        raise RequestError(moved) from error
