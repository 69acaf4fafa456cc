"""What a write wrote, as its answer tells it."""

import gzip
import json
from typing import Any

import pytest

from integration.gateway import cbor
from integration.gateway.calls import Call
from integration.gateway.writes import Record, Written, is_ours, says, written
from tests.writers import smile

JSON = [(b"content-type", b"application/json; charset=UTF-8")]
BULK = {
    "took": 3,
    "errors": True,
    "items": [
        {"index": {"_index": "books", "_id": "1", "status": 201, "result": "created"}},
        {"update": {"_index": "books", "_id": "2", "status": 200, "result": "noop"}},
        {"create": {"_index": "books", "_id": "3", "status": 409, "error": {"type": "version_conflict"}}},
        {"delete": {"_index": "films", "_id": "4", "status": 200, "result": "deleted"}},
        {"index": {"_index": ".crosshatch-state", "_id": "5", "status": 200, "result": "updated"}},
    ],
}


@pytest.mark.parametrize(
    ("raw", "headers"),
    [
        (json.dumps(BULK).encode(), JSON),
        (gzip.compress(json.dumps(BULK).encode()), [*JSON, (b"content-encoding", b"gzip")]),
        (cbor.dumps(BULK), [(b"content-type", b"application/cbor")]),
        (smile.dumps(BULK), [(b"content-type", b"application/smile")]),
    ],
)
def test_a_bulk_tells_what_succeeded(raw: bytes, headers: Any) -> None:
    assert written(Call("bulk"), raw, headers) == Written([Record("books", "1"), Record("films", "4")])


def test_one_document_tells_its_id_and_the_request_its_routing() -> None:
    answer = b'{"_index":"books","_id":"aXb","result":"created","_shards":{}}'
    call = Call("doc-write", "alias", None, {"routing": "r"})
    assert written(call, answer, JSON) == Written([Record("books", "aXb", "r")])


@pytest.mark.parametrize("answer", [None, b'{"took":1,"errors":false}', b"not json", b""])
def test_what_an_answer_does_not_tell_is_swept(answer: bytes | None) -> None:
    assert written(Call("bulk", "books"), answer, JSON).swept == {"books"}
    assert written(Call("bulk"), answer, JSON).swept == {"_all"}


def test_numbers_are_no_ids() -> None:
    assert written(Call("update_by_query", "a,b*"), b'{"updated":3}', JSON) == Written(swept=frozenset({"a,b*"}))


@pytest.mark.parametrize(
    ("answer", "task"),
    [
        (b'{"task":"oTUltX4IQMOUUVeiohTt8A:12345"}', "oTUltX4IQMOUUVeiohTt8A:12345"),
        (b'{"task":"../_all"}', None),
        (b'{"task":7}', None),
        (b'["task"]', None),
        (b'{"updated":3}', None),
    ],
)
def test_a_write_that_goes_on_names_its_task(answer: bytes, task: str | None) -> None:
    call = Call("reindex", params={"wait_for_completion": "false"})
    assert says(call)
    assert written(call, answer, JSON) == Written(swept=frozenset({"_all"}), task=task)
    assert not says(Call("reindex"))


def test_a_change_of_indices_moves_names() -> None:
    assert written(Call("aliases"), None, JSON) == Written(moved=True)


def test_our_own_writes_are_no_notice() -> None:
    assert is_ours(Call("bulk", "crosshatch-w-abc"))
    assert not is_ours(Call("bulk"))
