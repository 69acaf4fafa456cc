"""The searches of a multi-search, each with the line that says where it goes. Pure."""

from collections.abc import Iterator
from typing import Any

from integration.gateway.bodies import Lines
from integration.gateway.calls import Call

# of a line, what says where its search goes and changes nothing that we would have to know
_WHERE = (
    "index", "preference", "routing", "search_type", "request_cache", "ignore_unavailable", "allow_no_indices",
    "expand_wildcards", "ignore_throttled", "ccs_minimize_roundtrips", "allow_partial_search_results",
)  # fmt: skip
# of the URL; a part of the answer (`filter_path`) could not be checked
_PARAMS = (
    "rest_total_hits_as_int", "typed_keys", "max_concurrent_searches", "max_concurrent_shard_requests", "pretty",
    "pre_filter_shard_size", "ccs_minimize_roundtrips", "search_type", "human", "error_trace",
)  # fmt: skip


def searches(lines: Lines, call: Call) -> Iterator[tuple[int, Call]]:
    """The number of each body's line, and the search that it is; those that say more than is known here are left out.

    Raises Unreadable.
    """
    if len(lines.lines) % 2 or not set(call.params) <= set(_PARAMS):
        return
    for at in range(0, len(lines.lines), 2):
        said = lines.lines[at].tree() or {}
        if not isinstance(said, dict) or not set(said) <= set(_WHERE):
            continue
        named = said.get("index", call.index)
        index = ",".join(map(str, named)) if isinstance(named, list) else named
        if index is None or isinstance(index, str):
            params = {name: _text(value) for name, value in said.items() if name != "index"}
            yield at + 1, Call("search", index or call.index, None, params)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
