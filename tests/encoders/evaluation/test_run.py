"""A shipped bundle on a folder of pictures and words: figures, files, plots, contact sheets, and the command."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from encoders import bundle, catalogue, methods
from encoders.data import cache, named
from encoders.data.api import DataSet
from encoders.evaluation import Stored, results, run
from encoders.methods import keeping
from integration.cli import cli
from mappings.errors import BundleError, DataError, RequestError

COLOURS = ("red", "green", "blue", "yellow", "black", "orange", "purple", "brown", "pink", "gray")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty squares, two of each colour, called by it."""
    path = tmp_path_factory.mktemp("squares")
    entries = []
    for number, colour in enumerate(COLOURS * 2):
        Image.new("RGB", (40 + number, 40), colour).save(path / f"{number}.png")
        split = "query" if number < 6 else "train"
        entries.append({"image": f"{number}.png", "text": f"a {colour} square", "labels": [colour], "split": split})
    (path / "pairs.json").write_text(json.dumps(entries), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    base = tmp_path_factory.getbasetemp() / "cache"  # shared by the tests of this file: it is the cache that is tested
    monkeypatch.setenv("XDG_CACHE_HOME", str(base))


def test_two_bundles_on_raw_pairs(folder: Path, tmp_path: Path) -> None:
    dataset = named("pairs", folder)
    encoders = run.run(
        ["default-64", "default-128"], dataset, data=tmp_path, device="cpu", ties="average", stored="encoded"
    )
    for one in encoders:
        assert one.measured.directions["text-text"].figures["map"].value == 1  # the same words
        seen = one.measured.directions["image-image"].figures["map"]
        assert seen.value > 2 * seen.chance
        assert one.measured.rates.images_per_s > 0
        assert one.measured.rates.backbones
    assert encoders[1].measured.bytes_per_record == {"text": 16, "image": 18, "record": 16}

    found = results.document(dataset, [one.measured for one in encoders], ties="average", stored="encoded")
    assert found["data"] | {"name": "pairs", "query": 6, "database": 14, "train": 14} == found["data"]
    assert [row["direction"] for row in found["compared"]] == ["image-text", "text-image", "text-text", "image-image"]
    files = run.write(tmp_path / "out", found, dataset, encoders)
    assert sorted(file.name for file in files) == sorted(
        ["evaluation.json", "evaluation.csv", "split.json"]
        + [f"{stem}.{kind}" for stem in ("precision-recall", "precision-at", "map-by-bits") for kind in ("png", "svg")]
        + [f"sheet-{name}.png" for name in ("image-text", "text-image", "image-image")]
    )
    assert json.loads((tmp_path / "out/evaluation.json").read_text("utf-8")) == found
    with (tmp_path / "out/evaluation.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    [row] = [r for r in rows if (r["encoder"], r["direction"], r["figure"]) == ("default-64", "text-text", "map")]
    assert (row["value"], row["bits"], row["queries"], row["database"]) == ("1.0", "64", "6", "14")
    for file in files:
        if file.suffix == ".png":
            with Image.open(file) as picture:
                assert len(picture.convert("RGB").getcolors(1 << 24) or []) > 20  # something is drawn
        if file.suffix == ".svg":
            assert "<svg" in file.read_text("utf-8")


def test_features_are_kept_by_content_and_backbone(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    caplog.set_level("INFO", logger=cache.__name__)

    def messages() -> list[str]:
        caplog.clear()
        run.run(["default-64"], named("pairs", folder), data=tmp_path, device="cpu", ties="average", stored="encoded")
        return [record.message for record in caplog.records]

    of_pictures, of_texts = (f"extracting the features of {count} rows" for count in (20, 10))  # each text came twice
    assert messages() == [of_pictures, of_texts]
    assert messages() == []
    for kept in (tmp_path / "crosshatch/features").glob("*.safetensors"):
        kept.write_bytes(b"damaged")
    assert messages() == [of_pictures, of_texts]
    assert messages() == []


def test_the_command(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSHATCH_DATA", str(tmp_path))
    asked = ["evaluate", "default-64", "--data", "pairs", "--folder", str(folder)]
    printed = CliRunner().invoke(cli, asked)
    assert printed.exit_code == 0, printed.exception
    assert "pairs: 6 queries, 14 in the database, 14 to learn from; relevant: shares a label" in printed.stdout
    assert "ties: average: tied items in random order" in printed.stdout
    done = CliRunner().invoke(cli, [*asked, "--json", "--out", str(tmp_path / "out")])
    found = json.loads(done.stdout)
    assert found == json.loads((tmp_path / "out/evaluation.json").read_text("utf-8"))
    assert found["encoders"][0]["directions"]["text-text"]["figures"]["map"]["value"] == 1


def test_what_the_command_refuses(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSHATCH_DATA", str(tmp_path))

    def refused(*asked: str) -> BaseException | None:
        return CliRunner().invoke(cli, ["evaluate", "default-64", *asked]).exception

    nowhere = refused("--data", "wiki")
    assert isinstance(nowhere, RequestError)
    assert f"data set wiki expects its files in {tmp_path / 'sets/wiki'}, which is no folder" in str(nowhere)
    learned = refused("--data", "pairs", "--folder", str(folder), "--database", "learned")
    assert isinstance(learned, RequestError)
    assert "keeps no codes of its training pairs" in str(learned)


def test_a_picture_that_is_none_is_named(folder: Path, tmp_path: Path) -> None:
    entries = [{"image": f"{number}.png", "text": "a", "labels": ["a"]} for number in range(10)]
    (tmp_path / "pairs.json").write_text(json.dumps(entries), encoding="utf-8")
    for number in range(10):
        (tmp_path / f"{number}.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match=r"pairs: picture 0 cannot be decoded: .+; restore it"):
        run.run(["default-64"], named("pairs", tmp_path), data=tmp_path, device="cpu", ties="average", stored="encoded")


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """Sixty pairs of three classes: both sides lie near their class's own corner."""
    rng, classes = np.random.default_rng(0), np.arange(60) % 3
    content = {"images": np.eye(3, 6)[classes] + rng.normal(0, 0.2, (60, 6)), "labels": classes + 1}
    content["texts"] = np.eye(3, 5)[classes] + rng.normal(0, 0.2, (60, 5))
    np.savez(tmp_path / "pairs.npz", **content)
    return tmp_path


def measured_with(method: str, dataset: DataSet, folder: Path, *, stored: Stored) -> run.Encoded:
    fitted = methods.named(method)(16)
    keeping.save(fitted.fit(*dataset.train.features(), dataset.train.labels), folder)
    [found] = run.run([str(folder)], dataset, data=folder, device="cpu", ties="average", stored=stored)
    return found


def test_a_saved_method_on_features(features: Path) -> None:
    dataset = named("pairs", features)
    found = measured_with("cmfh", dataset, features / "cmfh", stored="encoded").measured
    assert (found.name, found.method, found.bits, found.rates.backbones) == ("cmfh-16", "cmfh", 16, False)
    for direction in found.directions.values():
        assert direction.figures["map"].value > 2 * direction.figures["map"].chance
    learned = measured_with("cmfh", dataset, features / "cmfh", stored="learned").measured
    assert list(learned.directions) == ["image-text", "text-image"]
    assert learned.directions["image-text"].database == len(dataset.train)
    with pytest.raises(RequestError, match="keeps no codes of its training pairs; cca learns none"):
        measured_with("cca", dataset, features / "cca", stored="learned")


def test_encoders_and_sets_must_fit(folder: Path, features: Path, tmp_path: Path) -> None:
    measured_with("cca", named("pairs", features), features / "cca", stored="encoded")

    def refused(reference: str, dataset: DataSet) -> str:
        with pytest.raises((RequestError, DataError)) as caught:
            run.run([reference], dataset, data=tmp_path, device="cpu", ties="average", stored="encoded")
        return str(caught.value)

    assert refused(str(features / "cca"), named("pairs", folder)) == (
        "pairs has no features of its pictures; a method on features needs both sides"
    )
    assert "the data set's picture features are 6 wide, this bundle's 2280: name an encoder" in refused(
        "default-64", named("pairs", features)
    )


def test_bundles_keep_training_codes(tmp_path: Path) -> None:
    shipped = bundle.read(catalogue.SHIPPED / "default-64")
    codes = np.arange(80, dtype=np.uint8).reshape(10, 8)
    made = bundle.write(
        tmp_path / "own", shipped.model, shipped.tensors(), languages=shipped.languages(), training_codes=codes
    )
    assert made.languages().keys() == shipped.languages().keys()
    np.testing.assert_array_equal(made.training_codes(), codes)
    assert made.tensors().keys() == shipped.tensors().keys()
    assert made.card.digest != shipped.card.digest
    (tmp_path / "own" / bundle.LEARNED).write_bytes(b"damaged")
    with pytest.raises(BundleError, match="was changed after it was made"):
        bundle.read(tmp_path / "own")
