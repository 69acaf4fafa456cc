"""The collection that ways to search are measured on: the same whoever makes it and however far it goes."""

import json
from pathlib import Path

import numpy as np
import pytest

from mappings.code import HashCode, distances
from tests.bench.search import collection, vocabulary
from tests.bench.search.collection import BITS, PER_CLUSTER, prepared


def bands_reach(codes: collection.Packed, query: HashCode, radius: int) -> np.ndarray:
    """Which codes differ from the query by at most `radius` bits in one of eight bands of 16."""
    differing = np.unpackbits(codes ^ np.frombuffer(query.packed, np.uint8), axis=1)
    return differing.reshape(len(codes), 8, 16).sum(axis=2).min(axis=1) <= radius


def test_a_smaller_collection_is_a_prefix_of_a_larger_one(tmp_path: Path) -> None:
    large = prepared(tmp_path / "large", 12_000)
    small = prepared(tmp_path / "small", 2_000)
    assert small.codes.shape == (2_000, BITS // 8)
    assert (small.codes == large.codes[:2_000]).all()
    assert list(small.titles()) == list(large.titles())[:2_000]
    assert len(list(large.titles())) == 12_000


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    prepared(tmp_path, 12_000)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("chunk-*")}
    assert len(before) == 4
    (tmp_path / "chunk-00001.txt").unlink()
    prepared(tmp_path, 12_000)
    after = {path.name: path.stat().st_mtime_ns for path in tmp_path.glob("chunk-*")}
    assert after.keys() == before.keys()
    assert {name for name in after if after[name] != before[name]} == {"chunk-00001.npy", "chunk-00001.txt"}


def test_a_folder_with_another_collection_is_refused(tmp_path: Path) -> None:
    prepared(tmp_path, 10)
    (tmp_path / "note.json").write_text(json.dumps({"seed": 5}))
    with pytest.raises(SystemExit, match="another recipe"):
        prepared(tmp_path, 10)


def test_queries_lie_in_clusters_and_share_words_with_them(tmp_path: Path) -> None:
    held = prepared(tmp_path, 2_000)
    titles = [set(title.split()) for title in held.titles()]
    shared = 0
    for query in held.queries(50):
        packed = np.frombuffer(query.code.packed, np.uint8)[None]
        near = np.argsort(distances(packed, held.codes)[0], kind="stable")[:20]
        assert len(query.text.split()) == 3
        shared += any(set(query.text.split()) & titles[one] for one in near)
    assert shared == 50
    assert held.queries(10) == held.queries(50)[:10]


def test_bands_reach_what_the_page_says(tmp_path: Path) -> None:
    """Of the ten nearest .40, .92 and 1.00 at radius 0, 1 and 2, as measured by hand on another such collection."""
    held = prepared(tmp_path, 10_000)
    reached: list[list[float]] = [[], [], []]
    for query in held.queries(300):
        packed = np.frombuffer(query.code.packed, np.uint8)[None]
        near = held.codes[np.argsort(distances(packed, held.codes)[0], kind="stable")[:10]]
        for radius, shares in enumerate(reached):
            shares.append(bands_reach(near, query.code, radius).mean())
    found = [float(np.mean(shares)) for shares in reached]
    assert found == pytest.approx([0.40, 0.92, 1.00], abs=0.05)
    assert found[2] > 0.99


def test_clusters_have_the_members_and_the_words_that_are_said(tmp_path: Path) -> None:
    held = prepared(tmp_path, 2_000)
    centres = collection.clusters_of(0)
    assert len(centres.centres) == 2_000 // PER_CLUSTER
    to_centres = distances(held.codes, centres.centres)
    assert to_centres.min(axis=1).mean() == pytest.approx(collection.FLIPS * BITS, rel=0.05)
    sizes = np.bincount(to_centres.argmin(axis=1))
    assert sizes.mean() == pytest.approx(PER_CLUSTER, rel=0.1)


def test_words_are_real_and_frequent_ones_come_often() -> None:
    assert vocabulary.words()[:4] == ("the", "of", "and", "in")
    assert {"library", "novel", "history"} <= set(vocabulary.words())
    drawn = vocabulary.drawn(np.random.default_rng(1), 100_000)
    counts = np.bincount(drawn, minlength=len(vocabulary.words()))
    shares = 1 / (np.arange(len(counts)) + 1 + vocabulary.FIRST_RANKS)
    assert counts[:10] / 100_000 == pytest.approx(shares[:10] / shares.sum(), rel=0.15)
    assert vocabulary.drawn(np.random.default_rng(1), 10_000, first=200).min() >= 200
