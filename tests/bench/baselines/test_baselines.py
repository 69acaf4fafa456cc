"""The runner on a small set of Wiki's form: it goes on where it stopped, and its figures are those of a slow twin."""

import json
from pathlib import Path

import numpy as np
import pytest

from encoders.data import named
from tests.bench.baselines import __main__ as bench
from tests.bench.baselines import page, run
from tests.bench.baselines.run import Cell, Stored
from tests.encoders.methods.sets import average_precision, separable


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    train, query = separable(60, 1), separable(24, 2)
    order = {"tr": np.arange(60), "te": np.random.default_rng(3).permutation(24)}  # so that either half has each class
    halves = {
        f"{letter}_{half}": array[order[half]]
        for half, made in (("tr", train), ("te", query))
        for letter, array in (("I", made.images), ("T", made.texts), ("L", made.labels.argmax(axis=1) + 1))
    }
    np.savez(tmp_path / "wiki.npz", **halves)
    counts = {"pairs": 84, "labels": 4, "query": 24, "database": 60, "train": 60}
    (tmp_path / "counts.json").write_text(json.dumps(counts), encoding="utf-8")
    return tmp_path


def asked(folder: Path, *more: str) -> list[str]:
    out = ["--out", str(folder / "found.json"), "--page", str(folder / "page.md")]
    return ["--data", str(folder), *out, "--only", "cca", "--only", "cmfh", *more]


def test_it_goes_on_where_it_stopped(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "SEEDS", (0, 1))
    monkeypatch.setattr(bench, "BITS", (16, 32))
    measured: list[str] = []

    def once(cell: Cell, dataset: object) -> dict[str, object]:
        if len(measured) == 3:
            raise KeyboardInterrupt
        measured.append(cell.key)
        return run.measured(cell, dataset)  # type: ignore[arg-type]

    monkeypatch.setattr(bench, "measured", once)
    with pytest.raises(KeyboardInterrupt):
        bench.main(asked(folder))
    monkeypatch.setattr(
        bench, "measured", lambda cell, dataset: measured.append(cell.key) or run.measured(cell, dataset)
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
    dataset = named("wiki", folder)
    found = run.measured(Cell("cmfh", 16, 3), dataset)
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
    assert run.by_chance(dataset) == pytest.approx(0.27, abs=0.03)  # four classes; the first relevant item lifts it


def test_spreads_are_written_where_there_are_any() -> None:
    assert page.spread([0.25, 0.25]) == ".250"
    assert page.spread([0.2, 0.3]) == ".250 ± .071"
    assert page.spread([]) == ""
