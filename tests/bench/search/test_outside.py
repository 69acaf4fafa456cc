"""Faiss, usearch and NumPy on a small collection: what is exact gives the truth, what is built once stays."""

from pathlib import Path

import pytest

from tests.bench.search import outside, truth
from tests.bench.search.collection import Collection, prepared
from tests.bench.search.ways import Way


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return prepared(tmp_path_factory.mktemp("held"), 2_000)


def recall(way: Way, held: Collection, size: int) -> float:
    found = [
        truth.recall(way.ask(query, size), truth.nearest(query.code, held.codes, size), size)
        for query in held.queries(20)
    ]
    return sum(found) / len(found)


@pytest.mark.parametrize("way", outside.ways(), ids=lambda way: way.name)
def test_each_finds_what_it_promises(way: Way, held: Collection) -> None:
    built = way.build(held)
    assert built.bytes >= held.codes.nbytes
    if way.name in ("NumPy", "Faiss flat"):
        assert recall(way, held, 10) == recall(way, held, 100) == 1
    else:
        assert recall(way, held, 10) > (0.8 if "MultiHash" in way.name else 0.97)


def test_an_index_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = prepared(tmp_path, 500)
    for way in outside.ways()[1:]:
        first = way.build(held)
        answer = way.ask(held.queries(1)[0], 5)
        monkeypatch.setattr(outside.time, "perf_counter", None)  # only building is timed here
        assert way.build(held) == first
        assert way.ask(held.queries(1)[0], 5) == answer
        monkeypatch.undo()
