"""SMILE and CBOR as Jackson writes them in every setting, and as the engine writes and reads them."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest

from integration.engine import jars, java
from integration.engine.client import Cluster
from integration.gateway import bodies, cbor, smile, smile_writer
from tests.live.gateway import jackson

READERS: dict[str, Any] = {"smile": smile, "cbor": cbor}
WRITERS: dict[str, Any] = {"smile": smile_writer, "cbor": cbor}

BIG = -170141183460469231731687303715884105729


def plain(tree: Any) -> Any:
    """A tree as JSON tells it: bytes in base64, every number by its value."""
    if isinstance(tree, dict):
        return {name: plain(held) for name, held in tree.items()}
    if isinstance(tree, list):
        return [plain(held) for held in tree]
    if isinstance(tree, bytes):
        return base64.b64encode(tree).decode()
    if isinstance(tree, float):
        return round(tree, 6)
    return tree


def test_whatever_jackson_writes_is_read_and_written_again() -> None:
    classpath = ":".join(str(path) for path in jars.classpath() if path.name.startswith("jackson-"))
    done = subprocess.run(
        [sys.executable, jackson.__file__, classpath, str(java.find().library)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["form"] for row in rows] == ["smile"] * 8 + ["cbor"]
    assert len({row["raw"] for row in rows}) == 9
    for row in rows:
        tree = READERS[row["form"]].loads(bytes.fromhex(row["raw"]))
        if row["form"] == "cbor":  # Jackson has such negative numbers one off, in writer and reader
            tree["lists"] = [BIG if one == BIG - 1 else one for one in tree["lists"]]
        told = json.loads(row["json"], parse_float=Decimal)
        assert [str(one) for one in tree["lists"] if isinstance(one, Decimal)] == [
            str(one) for one in told["lists"] if isinstance(one, Decimal)
        ][:4]
        assert plain(tree) == plain(json.loads(row["json"], parse_float=_number))
        again = READERS[row["form"]].loads(WRITERS[row["form"]].dumps(tree))
        assert plain(again) == plain(tree)


def _number(text: str) -> Any:
    return round(float(text), 6) if text == "0.1" else Decimal(text)


@pytest.mark.parametrize("form", ["smile", "cbor"])
def test_the_engine_reads_what_we_write_and_we_read_what_it_writes(
    cluster: Cluster, index: Callable[..., str], form: str
) -> None:
    document = {"title": "Bücher " * 20, "n": [1, -5, 2**40], "o": {"a" * 70: 0.25, "t": True, "none": None}}
    kind = f"application/{form}"
    name = index()
    headers = {"content-type": kind, "accept": kind, "accept-encoding": "identity"}
    raw = WRITERS[form].dumps(document)
    put = httpx.put(f"{cluster.url}/{name}/_doc/1", params={"refresh": "true"}, content=raw, headers=headers)
    assert put.status_code == 201, put.text
    assert cluster.request("GET", f"/{name}/_source/1") == document
    query = WRITERS[form].dumps({"query": {"match": {"title": "bücher"}}, "aggs": {"m": {"max": {"field": "n"}}}})
    found = httpx.post(f"{cluster.url}/{name}/_search", content=query, headers=headers)
    read = bodies.decode(found.content, found.headers.raw)
    assert read is not None
    assert read.tree["hits"]["hits"][0]["_source"] == document
    assert read.tree["aggregations"]["m"]["value"] == 2**40
