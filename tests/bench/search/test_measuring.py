"""Turns, rates and rows: what the figures are made of, on ways whose answers are known."""

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.bench.search import plots
from tests.bench.search.collection import Query, prepared
from tests.bench.search.examples import Counting, figures
from tests.bench.search.measuring import clients, interleaved
from tests.bench.search.ways import ENGINE, OUTSIDE


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory) -> list[Query]:
    return prepared(tmp_path_factory.mktemp("held"), 2_000).queries(20)


def test_every_way_is_asked_every_query_in_turn(queries: list[Query]) -> None:
    asked: list[tuple[str, int]] = []

    class Noting(Counting):
        def ask(self, query: Query, size: int) -> Sequence[int]:
            asked.append((self.name, query.number))
            return Counting.ask(self, query, size)

    found = interleaved([Noting("a"), Noting("b", seconds=0.002)], queries, 3, warm=4)
    assert [name for name, _ in asked[:8]] == ["a"] * 4 + ["b"] * 4, "to warm up"
    rounds = [asked[at : at + 2] for at in range(8, len(asked), 2)]
    assert len(rounds) == 20
    assert all({name for name, _ in one} == {"a", "b"} and one[0][1] == one[1][1] for one in rounds)
    assert {one[0][0] for one in rounds} == {"a", "b"}  # not always the same first
    assert found["a"].found == [[query.number] * 3 for query in queries]
    assert len(found["b"].ms) == 20
    assert min(found["b"].ms) >= 2


@pytest.mark.parametrize("where", [OUTSIDE, ENGINE])
def test_clients_are_threads_or_processes_of_their_own(queries: list[Query], where: str, tmp_path: Path) -> None:
    way = Counting("sleeps", where, seconds=0.02, folder=str(tmp_path))
    with clients(3) as many:
        load = many.load(way, queries, clients=3, seconds=0.3)
    assert 0 < load.per_second <= 3 / way.seconds
    assert min(load.ms) >= way.seconds * 1000
    seen = {tuple(file.name.split("-")) for file in tmp_path.iterdir()}
    assert len({process for process, _ in seen}) == (1 if where == OUTSIDE else 3)
    assert len(seen) == 3
    assert (str(os.getpid()) in {process for process, _ in seen}) == (where == OUTSIDE)


@pytest.mark.parametrize("where", [OUTSIDE, ENGINE])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_client_that_fails_ends_the_run(queries: list[Query], where: str) -> None:
    with clients(2) as many, pytest.raises(RuntimeError, match="failed"):
        many.load(Counting("fails", where, fails=True), queries, clients=2, seconds=0.2)


def test_a_row_by_hand() -> None:
    row = figures()["sizes"]["1000000"]["ways"]["exact script"]  # type: ignore[index]
    assert (row["recall_10"], row["recall_100"]) == (0.5, 0.5)  # two of the four that are right
    assert (row["p50_ms"], row["p99_ms"], row["ratio"]) == (3.0, 3.0, 1.0)
    assert (row["bytes"], row["added"], row["build_s"]) == (200, 80, 9)
    assert row["ratio_p95"] == 1.0
    assert row["loads"] == {"8": {"per_second": 5.0, "p50_ms": 2.0, "p95_ms": pytest.approx(2.9)}}


def test_pictures_are_drawn(tmp_path: Path) -> None:
    files = plots.write(figures(), tmp_path / "search")
    assert [file.name for file in files] == [
        "search-recall.png", "search-recall.svg", "search-growth.png", "search-growth.svg",
    ]  # fmt: skip
    assert files[0].read_bytes().startswith(b"\x89PNG")
    drawn = files[3].read_text("utf-8")
    assert "exact script" in drawn
    assert drawn == plots.write(figures(), tmp_path / "search")[3].read_text("utf-8")  # the same figures, the same file
