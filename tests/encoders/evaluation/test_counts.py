"""Counts at each distance against a loop over every pair, in any chunking; and what ties in a given order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from encoders.evaluation import counts as counting
from encoders.evaluation.counts import Counts, chunks
from encoders.evaluation.relevance import SameRecord, SharedLabels
from mappings.code import codes_of


def looped(queries: np.ndarray, stored: np.ndarray, gains: np.ndarray, own: np.ndarray) -> tuple[np.ndarray, ...]:
    """Item by item: found, relevant and summed gains by distance, and items by gain."""
    bits, most = queries.shape[1] * 8, 70
    found, relevant, summed = (np.zeros((len(queries), bits + 1), dtype=int) for _ in range(3))
    shared = np.zeros((len(queries), most + 1), dtype=int)
    for q, query in enumerate(codes_of(queries)):
        for n, item in enumerate(codes_of(stored)):
            if own[q] != n:
                apart = query.distance(item)
                found[q, apart] += 1
                relevant[q, apart] += gains[q, n] > 0
                summed[q, apart] += gains[q, n]
                shared[q, gains[q, n]] += 1
    return found, relevant, summed, shared


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.sampled_from([16, 48, 64, 96, 128]), st.sampled_from([1, 3, 65]))
def test_counts_are_those_of_a_loop(seed: int, bits: int, labels: int) -> None:
    rng = np.random.default_rng(seed)
    queries, stored = (rng.integers(0, 256, (count, bits // 8), dtype=np.uint8) for count in (5, 9))
    stored[:3] = queries[:3]
    flags = [rng.random((count, labels)) < 0.4 for count in (5, 9)]
    own = np.array([0, -1, 4, -1, 8])
    gains = (flags[0][:, None] & flags[1]).sum(axis=2)
    expected = looped(queries, stored, gains, own)
    parts = [chunk.by_radius() for chunk in chunks(queries, stored, SharedLabels(*flags), own=own)]
    for name, array in zip(("found", "relevant", "gains", "shared"), expected, strict=True):
        got = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(got, array[:, : got.shape[1]])
        assert not array[:, got.shape[1] :].any()


def test_chunks_do_not_change_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    queries, stored = (rng.integers(0, 256, (count, 4), dtype=np.uint8) for count in (7, 11))
    relevant = SameRecord(np.arange(7), np.arange(11) % 7)
    own = np.arange(7)

    def all_of() -> list[np.ndarray]:
        parts = [chunk.by_radius() for chunk in chunks(queries, stored, relevant, own=own)]
        return [np.concatenate([getattr(part, name) for part in parts]) for name in ("found", "relevant", "shared")]

    whole = all_of()
    monkeypatch.setattr(counting, "CELLS", 22)  # two queries a chunk
    assert len(list(chunks(queries, stored, relevant))) == 4
    for before, after in zip(whole, all_of(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_in_the_order_of_the_database_each_item_stands_alone() -> None:
    # distances 0, 8, 8, 0 of one query; item 1 is the query itself
    queries, stored = np.array([[0, 0]], dtype=np.uint8), np.array([[0, 0], [0, 255], [255, 0], [0, 0]], dtype=np.uint8)
    relevant = SharedLabels(np.array([[True, True]]), np.array([[False] * 2, [True] * 2, [True, True], [True, False]]))
    [chunk] = chunks(queries, stored, relevant, own=np.array([1]))
    ordered = chunk.in_order()  # the tie of 0 and 3 goes to 0, which stands first
    assert ordered.rows.tolist() == [0, 0]
    assert ordered.places.tolist() == [2, 3]  # item 0 shares nothing, then items 3 and 2
    assert ordered.gains.tolist() == [1, 2]
    assert ordered.shared.tolist() == [[1, 1, 1]]
    radius = chunk.by_radius()
    assert isinstance(radius, Counts)
    assert radius.found[0, [0, 8]].tolist() == [2, 1]
    assert radius.gains[0, [0, 8]].tolist() == [1, 2]
    assert radius.shared.tolist() == [[1, 1, 1]]
