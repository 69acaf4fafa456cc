"""What a write that passed through has written: the records' ids where its answer tells them. Pure.

The answer is read and not the request: it names the concrete index and the ids that the engine made, says which items
succeeded, and is small. What it does not tell, because the ids are not in it or are too many, is found by a sweep of
the index: everything written since the last look is read and judged.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from integration.gateway import bodies
from integration.gateway.calls import Call

RECORDS = frozenset({"doc-write", "create", "update", "delete", "bulk"})
UNNAMED = frozenset({"update_by_query", "reindex"})  # the answer tells numbers
INDICES = frozenset({"aliases", "index-create", "index-delete", "index-change", "mapping"})
KINDS = RECORDS | UNNAMED | INDICES
OURS = ("crosshatch-w-", ".crosshatch-")  # our own writes go there: they are never noticed
EVERY = "_all"


@dataclass(frozen=True, slots=True)
class Record:
    """A record that was written or deleted: its concrete index, id, and routing where the request told one."""

    index: str
    id: str
    routing: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """`swept` are the index expressions to look through; `moved` tells that a name may mean another index now.

    `task` is what goes on writing there after the answer.
    """

    records: Sequence[Record] = ()
    swept: frozenset[str] = field(default_factory=frozenset)
    moved: bool = False
    task: str | None = None


class _Done(msgspec.Struct):
    index: str = msgspec.field(name="_index")
    id: str = msgspec.field(name="_id")
    status: int = 200
    result: str = ""


class _Bulk(msgspec.Struct):
    items: list[dict[str, _Done]]


_TASK = re.compile(r"[\w-]{1,100}:\d{1,20}", re.ASCII)  # of a node, its number there
_bulk = msgspec.json.Decoder(_Bulk)
_one = msgspec.json.Decoder(_Done)


def is_ours(call: Call) -> bool:
    """Whether the request is a write of Crosshatch itself, by a worker that was pointed at the gateway."""
    return call.index is not None and call.index.startswith(OURS)


def says(call: Call) -> bool:
    """Whether the answer tells what was written, or what goes on writing."""
    return call.kind in RECORDS or (call.kind in UNNAMED and call.params.get("wait_for_completion") == "false")


def written(call: Call, answer: bytes | None, headers: bodies.Headers) -> Written:
    """What a successful call wrote; `answer` is None where it was too large to keep, `headers` are the answer's."""
    if call.kind in INDICES:
        return Written(moved=True)
    where = frozenset({call.index or EVERY})
    if call.kind in UNNAMED or answer is None:
        return Written(swept=where, task=_task(answer, headers) if answer else None)
    try:
        done = _items(call, answer, headers)
    except (msgspec.DecodeError, ValueError, TypeError, LookupError, AttributeError):
        return Written(swept=where)  # `filter_path` left the ids out, or it is a form that we do not read
    routing = call.params.get("routing")
    changed = [one for one in done if 200 <= one.status < 300 and one.result != "noop"]
    return Written([Record(one.index, one.id, routing) for one in changed if not one.index.startswith(OURS)])


def _items(call: Call, answer: bytes, headers: bodies.Headers) -> list[_Done]:
    """The items of an answer. Raises ValueError, LookupError and the like where it has another shape."""
    found = bodies.unpacked(answer, headers)
    if found is None:
        raise ValueError("an answer of no form that we read")
    plain, form = found
    if form.media == bodies.JSON:
        if call.kind != "bulk":
            return [_one.decode(plain)]
        return [one for item in _bulk.decode(plain).items for one in item.values()]
    body = bodies.decode(answer, headers)
    if body is None:
        raise ValueError("an answer that cannot be read")
    if call.kind != "bulk":
        return [_read(body.tree)]
    return [_read(one) for item in body.tree["items"] for one in item.values()]


def _task(answer: bytes, headers: bodies.Headers) -> str | None:
    body = bodies.decode(answer, headers)
    task = body.tree.get("task") if body is not None and isinstance(body.tree, dict) else None
    return task if isinstance(task, str) and _TASK.fullmatch(task) else None


def _read(item: Mapping[str, Any]) -> _Done:
    return _Done(item["_index"], item["_id"], item.get("status", 200), item.get("result", ""))
