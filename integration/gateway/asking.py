"""Small requests to the cluster as a caller: with his headers, and no account of ours."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from integration.gateway import json_text
from integration.gateway.exchange import Header

# parameters of the URL that such a request must share with the caller's search
_SHARED = (
    "routing", "preference", "search_pipeline", "ignore_unavailable", "allow_no_indices", "expand_wildcards",
    "ignore_throttled",
)  # fmt: skip
_BODY_HEADERS = (b"content-type", b"content-encoding", b"content-length", b"transfer-encoding", b"accept")
NOT_PASSED = (b"host", b"connection", b"expect", b"accept-encoding", b"content-length", b"transfer-encoding")


@dataclass(frozen=True, slots=True)
class Told:
    """What the cluster answered, whole."""

    status: int
    headers: Sequence[Header]
    body: bytes


class Refused(Exception):
    """The cluster refused what we asked as the caller; its answer is the caller's."""

    def __init__(self, told: Told) -> None:
        super().__init__(told.status)
        self.told = told


@dataclass(frozen=True, slots=True)
class Where:
    """Where a body goes: the index expression and parameters of its path or line, and the caller's headers.

    `point` is the point in time that the body names instead.
    """

    index: str | None
    params: Mapping[str, str]
    headers: Sequence[Header]
    point: Any = None


Ask = Callable[[str, bytes, Sequence[Header], bytes], Awaitable[Told]]  # method, path with query, headers, body


async def search(
    ask: Ask, index: str | None, body: Mapping[str, Any], params: Mapping[str, str], headers: Sequence[Header]
) -> Told:
    """The answer to a search, in JSON. Raises Unreadable for a body that JSON cannot say."""
    path = f"/{quote(index, safe=',*')}/_search" if index else "/_search"
    own = [(name, value) for name, value in headers if name.lower() not in (*NOT_PASSED, *_BODY_HEADERS)]
    own.append((b"content-type", b"application/json"))
    return await ask("POST", f"{path}?{urlencode(params)}".encode(), own, json_text.dumps(body))


async def answer(
    ask: Ask, index: str | None, body: Mapping[str, Any], params: Mapping[str, str], headers: Sequence[Header]
) -> Any:
    """The parsed answer to a search. Raises Refused."""
    told = await search(ask, index, body, params, headers)
    if told.status != 200:
        raise Refused(told)
    return msgspec.json.decode(told.body)


def shared(params: Mapping[str, str], filter_path: str) -> dict[str, str]:
    """The parameters of a search of ours beside the caller's own."""
    return {**{name: params[name] for name in _SHARED if name in params}, "filter_path": filter_path}


async def refused(
    ask: Ask, index: str | None, params: Mapping[str, str], headers: Sequence[Header], *, pit: Any = None
) -> Told | None:
    """The cluster's refusal where the caller may not search; None: he may. Asked by a search for nothing.

    `pit`: the point in time that is searched.
    """
    nothing: dict[str, Any] = {"query": {"match_none": {}}, "size": 0, "track_total_hits": False}
    if index is None and pit is not None:
        nothing["pit"] = pit
    told = await search(ask, index, nothing, shared(params, "took"), headers)
    return None if told.status == 200 else told
