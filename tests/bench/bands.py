"""What bands cost: bytes of index a record, and how long a scan takes to judge records that have some.

`python -m tests.bench.bands [--documents N]` starts an engine of its own and prints one JSON object. Codes lie in
clusters, as those of a catalogue do: 20 records around each of N / 20 centres, every bit turned with one chance in ten.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from integration import bandings, mapping, records, scan, splice, state
from integration.engine.client import Cluster
from integration.engine.services import running
from integration.settings import Settings
from mappings.bands import Banding, fitting_order, fitting_width
from mappings.bands import space_mapping as bands_mapping
from mappings.code import codes_of
from mappings.fields import StoredCodes, space_mapping
from mappings.profile import TargetProfile

BITS, SPACE, BATCH = 128, "default_128_0a1b2c3d", 2_000
PARTS = {"one code": ("text",), "three codes": ("text", "image", "record")}
PROFILE = TargetProfile(name="bench", text=("title",))


def clustered(documents: int, seed: int) -> list[Any]:
    """So many codes around centres."""
    rng = np.random.default_rng(seed)
    centres = rng.integers(0, 256, (max(documents // 20, 1), BITS // 8), dtype=np.uint8)
    turned = np.packbits(rng.random((documents, BITS)) < 0.1, axis=1)
    return codes_of(centres[rng.integers(0, len(centres), documents)] ^ turned)


def coded(documents: int, parts: Sequence[str]) -> list[StoredCodes]:
    """The codes of so many records."""
    text, image, record = (
        clustered(documents, seed) if name in parts else [None] * documents
        for seed, name in enumerate(("text", "image", "record"))
    )
    return [StoredCodes(t, ((0, i),) if i else (), r) for t, i, r in zip(text, image, record, strict=True)]


def measure(cluster: Cluster, documents: int, parts: Sequence[str]) -> dict[str, Any]:
    """Bytes a record: with codes, with bands beside them, before and after a force merge; and microseconds to judge."""
    name = "bench-bands"
    properties = {"title": {"type": "text"}, **space_mapping(SPACE)["properties"]}
    settings = {"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"}
    cluster.request("PUT", f"/{name}", body={"settings": settings, "mappings": {"properties": properties}})
    held = coded(documents, parts)
    bundle = state.Bundle("bench", "bench", BITS, "ab" * 32)
    known = state.Attached(name, "u", SPACE, {SPACE: bundle}, PROFILE, "c2VjcmV0")
    sources = [_source(number, codes, bundle) for number, codes in enumerate(held)]
    write(cluster, name, sources)
    plain = merged(cluster, name)
    unbanded = judging(cluster, known)
    packed = bandings.packed_codes(held[: bandings.SAMPLE])
    width = fitting_width(documents, BITS)
    cut = Banding(BITS, width, fitting_order(packed, width))
    mapping.put(cluster, name, bands_mapping(SPACE))
    begun = time.monotonic()
    banded = [_with_bands(source, codes, cut) for source, codes in zip(sources, held, strict=True)]
    spliced = time.monotonic() - begun
    write(cluster, name, banded)
    before = size(cluster, name)
    after = merged(cluster, name)
    known = replace(known, spaces={SPACE: replace(bundle, bands=cut)})
    judged = judging(cluster, known)
    cluster.request("DELETE", f"/{name}")
    return {
        "documents": documents, "bits": BITS, "width": width, "bands": cut.count,
        "bytes_without": round(plain / documents, 1), "bytes_before_merge": round(before / documents, 1),
        "bytes_after_merge": round(after / documents, 1), "growth": round((after - plain) / documents, 1),
        "splice_us": round(spliced / documents * 1e6, 1),
        "scan_us_without": unbanded, "scan_us": judged,
        "recall": dict(bandings.measured_recall(held, cut)),
    }  # fmt: skip


def _source(number: int, codes: StoredCodes, bundle: state.Bundle) -> bytes:
    plain = json.dumps({"title": f"a title of record {number} with some words"}).encode()
    digest = records.read(json.loads(plain), PROFILE).digest(PROFILE, bundle.digest)
    return splice.put(plain, SPACE, {**codes.members(), "source": digest})


def _with_bands(source: bytes, codes: StoredCodes, cut: Banding) -> bytes:
    members = json.loads(source)["crosshatch"][SPACE]
    return splice.put(source, SPACE, members, cut.members(codes) or None)


def write(cluster: Cluster, name: str, sources: Sequence[bytes]) -> None:
    """Index whole documents, in the order of their ids."""
    for start in range(0, len(sources), BATCH):
        lines = [
            b'{"index":{"_id":"%d"}}\n%s\n' % (number, source)
            for number, source in enumerate(sources[start : start + BATCH], start)
        ]
        assert not cluster.bulk(f"/{name}", b"".join(lines))["errors"]


def size(cluster: Cluster, name: str) -> int:
    """Bytes of the primaries, flushed."""
    cluster.request("POST", f"/{name}/_flush", params={"force": "true"})
    stats = cluster.request("GET", f"/{name}/_stats/store", params={"forbid_closed_indices": "false"})
    return int(stats["_all"]["primaries"]["store"]["size_in_bytes"])


def merged(cluster: Cluster, name: str) -> int:
    """Bytes in one segment, without what was written over."""
    cluster.request("POST", f"/{name}/_refresh")
    for _ in range(30):
        cluster.request("POST", f"/{name}/_forcemerge", params={"max_num_segments": "1"})
        cluster.request("POST", f"/{name}/_flush", params={"force": "true"})
        cluster.request("POST", f"/{name}/_refresh")
        if not cluster.request("GET", f"/{name}/_stats/docs")["_all"]["primaries"]["docs"]["deleted"]:
            break
        time.sleep(2)
    return size(cluster, name)


def judging(cluster: Cluster, known: state.Attached) -> float:
    """Microseconds a record, the best of three readings of the whole index; every record is up to date."""
    best = float("inf")
    for _ in range(3):
        hits = [hit for page in scan.pages(cluster, known.index) for hit in page]
        read = time.monotonic()
        assert {scan.judge(hit, known, None).verdict for hit in hits} == {"unchanged"}
        best = min(best, time.monotonic() - read)
    return round(best / len(hits) * 1e6, 1)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=100_000)
    documents = parser.parse_args().documents
    with tempfile.TemporaryDirectory() as folder, running(Settings(data=Path(folder)), engine="embedded") as services:
        cluster = Cluster(services.url)
        print(json.dumps({name: measure(cluster, documents, parts) for name, parts in PARTS.items()}, indent=1))
        cluster.close()


if __name__ == "__main__":
    main()
