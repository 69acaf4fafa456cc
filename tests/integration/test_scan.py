"""What a scan says of every record of an index, whatever lies in it."""

import json
from dataclasses import replace
from typing import Any

import pytest

from integration import problems, scan, state
from integration.state import Attached, Bundle
from integration.writer import GuardedIndex, Key
from mappings.bands import Banding
from mappings.code import HashCode
from mappings.fields import StoredCodes
from mappings.profile import TargetProfile
from tests.integration.fakes import FakeCluster

PROFILE = TargetProfile(name="t", text=("title",))
KNOWN = Attached("biblios", "u", "s_1", {"s_1": Bundle("b", "b", 16, "ab")}, PROFILE, "c2VjcmV0")
CODES = StoredCodes(text=HashCode(16, b"ab")).members()


@pytest.fixture
def cluster() -> FakeCluster:
    cluster = FakeCluster(indices={"biblios": {}})
    state.ensure(cluster.as_cluster())
    return cluster


def digest_of(cluster: FakeCluster, source: bytes) -> str:
    cluster.put("biblios", "probe", source)
    [found] = [one.digest for one in scan.judged(cluster.as_cluster(), KNOWN) if one.key.id == "probe"]
    del cluster.indices["biblios"]["probe"]
    return found


def verdicts(cluster: FakeCluster, known: Attached = KNOWN) -> dict[str, str]:
    return {one.key.id: one.verdict for one in scan.judged(cluster.as_cluster(), known)}


def test_digests_are_compared_and_nothing_is_written(cluster: FakeCluster) -> None:
    digest = digest_of(cluster, b'{"title":"one"}')
    ours = {
        "right": {"s_1": {**CODES, "source": digest}},
        "old": {"s_1": {**CODES, "source": "00"}},
        "bare": {"s_1": {"source": digest}},
        "short": {"s_1": {"text": "AAAA", "source": digest}},
        "null": {"s_1": {"image": None, "source": digest}},
        "odd": {"s_1": {"image": 5, "source": digest}},
        "other": {"s_2": {**CODES, "source": digest}},
        "string": "somebody else's",
    }
    for record, held in ours.items():
        cluster.put("biblios", record, json.dumps({"title": "one", "crosshatch": held}).encode())
    cluster.put("biblios", "none", b'{"title":"one"}')
    before = json.dumps([str(document) for document in cluster.indices["biblios"].values()])
    assert verdicts(cluster) == {"right": "unchanged"} | dict.fromkeys([*list(ours)[1:], "none"], "stale")
    assert json.dumps([str(document) for document in cluster.indices["biblios"].values()]) == before
    assert set(verdicts(cluster, replace(KNOWN, spaces={"s_1": Bundle("b", "b", 16, "cd")})).values()) == {"stale"}


def test_bands_that_the_codes_do_not_give_make_a_record_stale(cluster: FakeCluster) -> None:
    cut, other = Banding(16, 8), Banding(16, 8, tuple(reversed(range(16))))
    digest, held = digest_of(cluster, b'{"title":"one"}'), StoredCodes(text=HashCode(16, b"ab"))
    right = cut.members(held)
    bands: dict[str, Any] = {
        "right": {"s_1": right, "s_2": {}},
        "vectors": {"s_1": {**right, "knn_text": [97, 98]}},
        "old vectors": {"s_1": {**right, "knn_text": [97, 99]}},
        "another": {"s_1": other.members(held)},
        "unnamed": {"s_1": {"t": right["t"]}},
        "wrong": {"s_1": {**right, "t": cut.line(HashCode(16, b"ba"))}},
        "more": {"s_1": {**right, "r": right["t"]}},
        "string": "somebody else's",
    }
    codes = {"crosshatch": {"s_1": {**CODES, "source": digest}}}
    for record, ours in bands.items():
        cluster.put("biblios", record, json.dumps({"title": "one", **codes, "_crosshatch": ours}).encode())
    cluster.put("biblios", "none", json.dumps({"title": "one", **codes}).encode())
    cluster.put("biblios", "uncoded", json.dumps({"title": "one", "_crosshatch": bands["right"]}).encode())
    banded = replace(KNOWN, spaces={"s_1": Bundle("b", "b", 16, "ab", bands=cut)})
    judged = {one.key.id: one for one in scan.judged(cluster.as_cluster(), banded)}
    assert {record for record, one in judged.items() if one.verdict == "unchanged"} == {"right"}
    assert {record for record, one in judged.items() if one.coded} == {*bands, "none"} - {"right"}
    graphed = replace(KNOWN, spaces={"s_1": Bundle("b", "b", 16, "ab", bands=cut, vectors="lucene")})
    assert {record for record, verdict in verdicts(cluster, graphed).items() if verdict == "unchanged"} == {"vectors"}
    # without bands, what is left of them is stale; somebody else's is his
    left = {record for record, verdict in verdicts(cluster).items() if verdict == "stale"}
    assert left == {"right", "vectors", "old vectors", "another", "wrong", "more", "uncoded"}


def test_what_failed_with_the_same_content_is_not_tried_again(cluster: FakeCluster) -> None:
    digest = digest_of(cluster, b'{"title":"one"}')
    parts = {"record": ("no-content", "why")}
    known = [problems.Problem(record, None, digest, True, parts) for record in ("same", "changed")]
    partial = problems.Problem("partial", None, digest, False, {"image 0": ("picture-missing", "404")})
    problems.update(cluster.as_cluster(), KNOWN, [*known, partial], [])
    cluster.put("biblios", "same", b'{"title":"one"}')
    cluster.put("biblios", "changed", b'{"title":"two"}')
    cluster.put(
        "biblios", "partial", json.dumps({"title": "one", "crosshatch": {"s_1": {**CODES, "source": digest}}}).encode()
    )
    judged = {one.key.id: one for one in scan.judged(cluster.as_cluster(), KNOWN)}
    assert {record: one.verdict for record, one in judged.items()} == {
        "same": "failed",
        "changed": "stale",
        "partial": "unchanged",
    }
    assert judged["same"].problem == known[0]
    assert judged["changed"].problem is None, "its content is another one now"
    assert judged["partial"].problem == partial
    assert problems.counts(cluster.as_cluster(), KNOWN) == {
        "failed": {"no-content": 2},
        "partial": {"picture-missing": 1},
    }


def test_routing_and_odd_ids_are_kept(cluster: FakeCluster) -> None:
    cluster.put("biblios", "a/b \U0001f40b", b'{"title":"one"}', routing="r 1")
    [one] = scan.judged(cluster.as_cluster(), KNOWN)
    assert one.key == Key("a/b \U0001f40b", "r 1")


@pytest.mark.parametrize(
    "source",
    [b'{"n":%s}' % (b"9" * 5000), b'{"title":%s"x"%s}' % (b"[" * 995, b"]" * 995), b'{"title":"\\ud800"}', b"{}"],
    ids=["digits", "deep", "surrogate", "empty"],
)
def test_one_odd_document_does_not_stop_the_scan(cluster: FakeCluster, source: bytes) -> None:
    cluster.put("biblios", "odd", source)
    cluster.put("biblios", "next", b'{"title":"one"}')
    assert verdicts(cluster) == {"odd": "stale", "next": "stale"}


def test_the_scroll_is_closed_even_if_nobody_reads_on(cluster: FakeCluster) -> None:
    cluster.put("biblios", "1", b"{}")
    pages = scan.pages(cluster.as_cluster(), "biblios")
    next(pages)
    pages.close()  # type: ignore[attr-defined]
    assert cluster.asked[-1] == "DELETE /_search/scroll"


@pytest.mark.parametrize(
    "text", [r"\ud800", r"\udc00x", r"\\ud800 \ud83d\ude00 \ud83d", r"\\\ud800\"", "\\uD800\xff\\n"]
)
def test_half_a_surrogate_pair_stays_the_bytes_it_was(cluster: FakeCluster, text: str) -> None:
    source = f'{{"title":"{text}","{text}":1}}'.encode()
    cluster.put("biblios", "half", source)
    cluster.put("biblios", "next", b'{"title":"\\ud83d\\ude00"}')
    [page] = scan.pages(cluster.as_cluster(), "biblios")
    assert [hit.source for hit in page] == [source, b'{"title":"\\ud83d\\ude00"}']
    read = GuardedIndex(cluster.as_cluster(), "biblios", "internal").read([Key("half"), Key("next")])
    assert [current and current.source for current in read] == [hit.source for hit in page]


@pytest.mark.parametrize(("each", "expected"), [(100, scan.PAGE), (1_000_000, 2), (50_000_000, 1)])
def test_a_page_of_large_documents_holds_few(cluster: FakeCluster, each: int, expected: int) -> None:
    """Compressed they take a quarter of the disk, or so it is reckoned."""
    cluster.put("biblios", "1", b"x" * each)
    assert scan.page_size(cluster.as_cluster(), "biblios") == expected
