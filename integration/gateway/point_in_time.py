"""Points in time as Elasticsearch's clients open and close them, in OpenSearch's words. Pure.

`POST /{index}/_pit` and `DELETE /_pit` are `/{index}/_search/point_in_time` and `/_search/point_in_time` there; a
search within one is written alike.
"""

import json
import re

_OPEN = re.compile(rb"(/[^/?]+)/_pit/?")


def opening(method: str, path: bytes) -> bytes | None:
    """OpenSearch's path where a point in time is opened, else None."""
    found = _OPEN.fullmatch(path) if method == "POST" else None
    return found[1] + b"/_search/point_in_time" if found else None


def closing(method: str, path: bytes) -> bytes | None:
    """OpenSearch's path where one is closed, else None."""
    return b"/_search/point_in_time" if (method, path.rstrip(b"/")) == ("DELETE", b"/_pit") else None


def to_close(body: bytes) -> bytes:
    """`{"id": …}` as OpenSearch takes it; what is something else is the cluster's to refuse."""
    try:
        asked = json.loads(body)
        return json.dumps({"pit_id": [asked["id"]]}).encode()
    except (ValueError, TypeError, LookupError):
        return body


def opened(body: bytes) -> bytes:
    """The answer to an opening, with the id where Elasticsearch has it."""
    try:
        told = json.loads(body)
        told["id"] = told.pop("pit_id")
    except (ValueError, TypeError, LookupError, AttributeError):
        return body
    return json.dumps(told).encode()


def closed(body: bytes) -> bytes:
    """The answer to a closing, counted as Elasticsearch counts."""
    try:
        pits = json.loads(body)["pits"]
        freed = sum(bool(one["successful"]) for one in pits)
    except (ValueError, TypeError, LookupError):
        return body
    return json.dumps({"succeeded": freed == len(pits), "num_freed": freed}).encode()
