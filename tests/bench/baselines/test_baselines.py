"""The runner on a small set of Wiki's form: it goes on where it stopped, and its figures are those of a slow twin."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from encoders.data import named
from encoders.data.api import DataSet, Pairs
from tests.bench.baselines import __main__ as bench
from tests.bench.baselines import costs, floats, page, processes, run, sets
from tests.bench.baselines.run import Cell, Stored
from tests.encoders.methods.sets import average_precision, separable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    processes.opened.cache_clear()
    (tmp_path / "wiki").mkdir()
    train, query = separable(60, 1), separable(24, 2)
    order = {"tr": np.arange(60), "te": np.random.default_rng(3).permutation(24)}  # so that either half has each class
    halves = {
        f"{letter}_{half}": array[order[half]]
        for half, made in (("tr", train), ("te", query))
        for letter, array in (("I", made.images), ("T", made.texts), ("L", made.labels.argmax(axis=1) + 1))
    }
    np.savez(tmp_path / "wiki/wiki.npz", **halves)
    counts = {"pairs": 84, "labels": 4, "query": 24, "database": 60, "train": 60}
    (tmp_path / "wiki/counts.json").write_text(json.dumps(counts), encoding="utf-8")
    return tmp_path


def asked(folder: Path, *more: str) -> list[str]:
    out = ["--out", str(folder / "found.json"), "--page", str(folder / "page.md")]
    return ["--set", "wiki", "--data", str(folder), *out, "--workers", "1", "--only", "cca", "--only", "cmfh", *more]


def test_the_command_measures_in_two_processes(folder: Path) -> None:
    """As `make baseline-tables` runs it: what is spawned must find what it runs."""
    command = [sys.executable, "-m", "tests.bench.baselines", *asked(folder, "--workers", "2")]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    found = json.loads((folder / "found.json").read_text(encoding="utf-8"))["sets"]["wiki"]["cells"]
    assert len(found) == 2 * len(bench.BITS) * len(bench.SEEDS)
    assert (folder / "page.md").is_file()


def test_it_goes_on_where_it_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "SEEDS", (0, 1))
    monkeypatch.setattr(bench, "BITS", (16, 32))
    measured: list[str] = []

    def once(cell: Cell, folds: list[DataSet]) -> dict[str, object]:
        if len(measured) == 3:
            raise KeyboardInterrupt
        measured.append(cell.key)
        return run.measured(cell, folds)

    monkeypatch.setattr(processes, "measured", once)
    with pytest.raises(KeyboardInterrupt):
        bench.main(asked(folder))
    monkeypatch.setattr(
        processes, "measured", lambda cell, folds: measured.append(cell.key) or run.measured(cell, folds)
    )
    bench.main(asked(folder))
    assert sorted(measured) == sorted(f"{kind}/{b}/{s}" for kind in ("cca", "cmfh") for b in bench.BITS for s in (0, 1))
    bench.main(asked(folder))
    assert len(measured) == 8
    found = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    found["sets"]["wiki"]["cells"]["cmfh/32/1"]["parameters"]["projecting"] = 7.0
    (folder / "found.json").write_text(json.dumps(found), encoding="utf-8")
    bench.main(asked(folder))
    assert measured[8:] == ["cmfh/32/1"]  # other parameters than the method has now
    found["sets"]["wiki"]["query"] = [23]
    (folder / "found.json").write_text(json.dumps(found), encoding="utf-8")
    bench.main(asked(folder))
    assert len(measured) == 9 + 8  # of other pairs


def test_the_page_tells_what_was_measured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "SEEDS", (0, 1))
    monkeypatch.setattr(bench, "BITS", (16, 32))
    bench.main(asked(folder))
    text = (folder / "page.md").read_text(encoding="utf-8")
    assert "24 queries, 60 stored pairs, 60 training pairs" in text
    rows = [line.split("|")[1:3] for line in text.splitlines() if line.startswith(("| cca ", "| cmfh "))]
    assert len(rows) == 8  # two databases with both, one with CMFH's training codes; their order; two rows of costs
    assert bench.NOTES.read_text(encoding="utf-8").strip() in text


def test_figures_are_those_of_the_slow_twin(folder: Path) -> None:
    dataset = named("wiki", folder / "wiki")
    found = run.measured(Cell("cmfh", 16, 3), [dataset])
    query, train = dataset.query, dataset.train
    method = run.methods.named("cmfh")(16, seed=3).fit(*train.features(), train.labels)
    asking, stored = Stored(method, query), Stored(method, train)
    assert query.labels is not None
    assert train.labels is not None
    slow = average_precision(asking.images, stored.texts, query.labels, train.labels)
    assert found["projected"]["image-text"] == pytest.approx(slow, abs=0.03)  # type: ignore[index]
    half = average_precision(asking.texts[::2], asking.images[1::2], query.labels[::2], query.labels[1::2])
    assert found["unseen"]["text-image"] == pytest.approx(half, abs=0.03)  # type: ignore[index]
    assert method.training_codes is not None
    learned = average_precision(asking.texts, method.training_codes, query.labels, train.labels)
    assert found["learned"]["text-image"] == pytest.approx(learned, abs=0.03)  # type: ignore[index]
    assert run.by_chance([dataset]) == pytest.approx(0.27, abs=0.03)  # four classes; the first relevant item lifts it


def test_spreads_are_written_where_there_are_any() -> None:
    assert page.spread([0.25, 0.25]) == ".250"
    assert page.spread([0.2, 0.3]) == ".250 ± .071"
    assert page.spread([]) == ""


def test_every_pair_of_a_small_set_asks_once() -> None:
    """Forty pairs in groups of one to three: five parts, no group in two of them, and the queries of all are all."""
    groups = np.repeat(np.arange(20), [1, 2, 2, 3] * 5)
    pairs = Pairs("made", np.ones((40, 2), dtype=np.float32), np.ones((40, 2), dtype=np.float32), np.eye(40) > 0)
    folds = sets.crossed(pairs, groups, 3)
    assert sorted(row for fold in folds for row in fold.split.query.tolist()) == list(range(40))
    for fold in folds:
        assert not set(groups[fold.split.query]) & set(groups[fold.split.train])
        assert len(fold.split.query) + len(fold.split.train) == 40
        assert 5 <= len(fold.split.query) <= 11
    assert folds[0].split.query.tolist() != sets.crossed(pairs, groups, 4)[0].split.query.tolist()


def test_folds_are_pooled_by_their_queries(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = named("wiki", folder / "wiki")
    found = iter([0.2, 0.5])

    def of_fold(cell: Cell, fold: DataSet) -> dict[str, object]:
        return {"parameters": {}, "projected": {"image-text": next(found)}, "fit_s": 1.0, "codes_per_s": 2.0}

    monkeypatch.setattr(run, "of_fold", of_fold)
    small = DataSet(
        dataset.pairs, type(dataset.split)(dataset.split.query[:8], dataset.split.train, dataset.split.train)
    )
    pooled = run.measured(Cell("cca", 16, 0), [dataset, small])["projected"]
    assert pooled == {"image-text": round((24 * 0.2 + 8 * 0.5) / 32, 5)}


def test_floats_find_what_is_separable(folder: Path) -> None:
    """Four classes around points of their own; the slow way, one query at a time, gives the same figures."""
    dataset = named("wiki", folder / "wiki")
    found = floats.bounds([dataset])
    assert set(found) == set(floats.HEADS)
    assert min(value for head in found.values() for value in head.values()) > 0.6
    (images, _), (_, texts) = floats.projected(dataset)["labels"]
    labels, stored = dataset.query.labels, dataset.database.labels
    assert labels is not None
    assert stored is not None
    total = 0.0
    for row, label in zip(images, labels, strict=True):
        cosine = texts @ row / np.linalg.norm(texts, axis=1)
        hits = (stored & label).any(axis=1)[np.argsort(-cosine)]
        total += float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())
    assert found["labels"]["image-text"] == pytest.approx(total / len(labels), abs=1e-5)


def test_costs_are_those_of_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "PAIRS", 200)
    monkeypatch.setattr(costs, "WIDTH", 32)
    (empty, nothing), (name, found) = costs.every(["cca"])
    assert (empty, name) == (costs.NOTHING, "cca")
    assert found["memory_mb"] >= nothing["memory_mb"] - 20 > 0
    assert found["codes_per_s"] > 0
    assert "| cca |" in "\n".join(page.large({"nothing": nothing, "cca": found}))
