"""`crosshatch train`, from pictures or features to what comes out, interrupted and refused."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageDraw

from encoders import bundle, catalogue
from encoders.api import Item
from encoders.data import named
from encoders.data.api import DataSet, Pairs, Split
from encoders.evaluation import run as evaluation
from encoders.loading import load
from encoders.methods import keeping
from encoders.methods.parameters import configured
from encoders.training import run
from encoders.training.run import Order
from integration.cli import cli
from mappings.errors import CodeLengthError, CrosshatchError, DataError, RequestError
from tests.sources import PROJECT

COLOURS = ("red", "green", "blue", "yellow", "black", "orange", "purple", "brown")
SHAPES = ("square", "disc")
KERNELS = ("kernels=40",)
QUICK = ("width=64", "batch=16", "rate=0.001")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eighty pictures of sixteen kinds, called and labelled by their kinds; no two are the same."""
    path = tmp_path_factory.mktemp("shapes")
    entries = []
    for number in range(80):
        colour, shape = COLOURS[number % 8], SHAPES[number // 8 % 2]
        picture = Image.new("RGB", (64, 64), "white")
        draw = ImageDraw.Draw(picture)
        box = (4, 4, 30 + number // 3, 30 + number // 3)
        (draw.rectangle if shape == "square" else draw.ellipse)(box, fill=colour)
        picture.save(path / f"{number}.png")
        entry = {
            "image": f"{number}.png",
            "text": f"{colour} {shape} of size {number}",
            "labels": [f"{colour} {shape}"],
        }
        entries.append(entry | {"split": "query" if number >= 70 else "train"})
    (path / "pairs.json").write_text(json.dumps(entries), encoding="utf-8")
    return path


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The backbones see each picture once for all tests of this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def trained(method: str, dataset: DataSet, out: Path, *settings: str, **order: object) -> dict[str, object]:
    lines: list[str] = []
    return run.train(
        configured(method, 32, seed=2, settings=settings),
        dataset,
        Order(out, **order),  # type: ignore[arg-type]
        data=out.parent,
        device="cpu",
        tell=lines.append,
    )


@pytest.mark.parametrize("method", ["cca-itq", "seph-km", "contrastive"])
def test_a_bundle_of_pictures_encodes_and_finds(method: str, folder: Path, tmp_path: Path) -> None:
    settings = {"seph-km": KERNELS, "cca-itq": ()}.get(method, (*QUICK, "epochs=30"))
    dataset = named("pairs", folder)
    done = trained(method, dataset, tmp_path / "shapes", *settings, licence="CC0")
    made = bundle.read(tmp_path / "shapes")
    assert (done["kind"], done["digest"], done["space"]) == ("bundle", made.model.digest, made.card.space)
    assert (done["pairs"], done["validated_with"], done["without_words"]) == (50, 20, 0)
    assert made.card.space.startswith("shapes_")
    assert (made.model.method, made.model.bits, made.model.licence) == (method, 32, "CC0")
    [origin] = made.model.trained_on
    assert origin | {"source": "pairs", "items": 50, "records": 50, "licence": "CC0"} == origin
    assert len(made.model.calibration) == 9
    with pytest.raises(RequestError, match="keeps no codes of its training pairs"):
        made.training_codes()  # some were held out
    assert made.model.results == done["results"]
    across = [row for row in made.model.results if row["direction"] == "image-text" and row["figure"] == "map"]
    assert across[0]["value"] > 2 * across[0]["chance"]
    assert across[0] | {"queries": 10, "database": 70, "relevant": "shares a label"} == across[0]

    encoder = load(str(tmp_path / "shapes"), device="cpu", data=tmp_path, max_pixels=10_000)
    pictures = tuple((folder / f"{number}.png").read_bytes() for number in (3, 4))
    items = [Item("a red disc", pictures), Item("a red disc"), Item(None, pictures[1:]), Item("", (b"no picture",))]
    codes = encoder.encode(items)
    assert codes[0].text is not None
    assert codes[0].record is not None
    assert codes[0].text.bits == 32
    assert codes[0].text == codes[1].text
    assert codes[0].image[1] == codes[2].image[0]  # whatever it is encoded with
    assert (codes[1].image, codes[1].record, codes[3].text, codes[3].image) == ((), None, None, (None,))
    assert encoder.encode_query(items[1]).text is not None


def test_log_and_plot_lie_beside(folder: Path, tmp_path: Path) -> None:
    done = trained("ucch", named("pairs", folder), tmp_path / "out", *QUICK, "epochs=4", patience=0)
    assert done["epochs"] == 4
    beside = tmp_path / "out-training"
    assert sorted(file.name for file in beside.iterdir()) == ["log.csv", "loss.png", "loss.svg"]
    with (beside / "log.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert all(float(row["score"]) > 0 for row in rows)
    files = ["head.safetensors", "languages.safetensors", "model.json"]
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == files


def test_other_languages_are_read_as_by_the_backbones_bundle(folder: Path, tmp_path: Path) -> None:
    trained("cca-itq", named("pairs", folder), tmp_path / "out")
    made, shipped = bundle.read(tmp_path / "out"), bundle.read(catalogue.SHIPPED / "default-128")
    assert made.model.multilingual == shipped.model.multilingual
    for name, array in shipped.languages().items():
        np.testing.assert_array_equal(made.languages()[name], array)


def test_evaluate_finds_what_the_bundle_says_and_the_codes_of_all_training_pairs(folder: Path, tmp_path: Path) -> None:
    dataset, out = named("pairs", folder), tmp_path / "all"
    trained("seph-km", dataset, out, *KERNELS, validation=0.0)
    made = bundle.read(out)
    assert len(made.training_codes()) == 70
    assert made.model.calibration == {}
    [found] = evaluation.run([str(out)], dataset, data=tmp_path, device="cpu", ties="average", stored="encoded")
    for row in made.model.results:
        again = found.measured.directions[str(row["direction"])].figures[str(row["figure"])]
        assert again.value == pytest.approx(row["value"], abs=1e-6)
    [learned] = evaluation.run([str(out)], dataset, data=tmp_path, device="cpu", ties="average", stored="learned")
    assert learned.measured.directions["text-image"].database == 70


def test_pairs_without_words_are_left_out(folder: Path, tmp_path: Path) -> None:
    entries = json.loads((folder / "pairs.json").read_text("utf-8"))
    for entry in entries[:7]:
        entry["text"] = " "
    (folder / "pairs.json").rename(tmp_path / "kept.json")
    try:
        (folder / "pairs.json").write_text(json.dumps(entries), encoding="utf-8")
        dataset = named("pairs", folder)
    finally:
        (tmp_path / "kept.json").replace(folder / "pairs.json")
    done = trained("cca", dataset, tmp_path / "out")
    assert (done["without_words"], done["pairs"], done["validated_with"]) == (7, 43, 20)


def classes(count: int, seed: int) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Pairs around one point a class, in each modality."""
    rng = np.random.default_rng(seed)
    points, kinds = np.random.default_rng(0), np.arange(count) % 4
    middles = [2 * points.standard_normal((4, width)) for width in (12, 9)]
    images, texts = (middle[kinds] + rng.standard_normal((count, middle.shape[1])) for middle in middles)
    return {"images": images.astype(np.float32), "texts": texts.astype(np.float32)}, np.eye(4, dtype=bool)[kinds]


def features(count: int = 240, **changes: object) -> DataSet:
    sides, labels = classes(count, 1)
    pairs = Pairs("made", **{**sides, "labels": labels, **changes})  # type: ignore[arg-type]
    rows = np.arange(count)
    return DataSet(pairs, Split(rows[-40:], rows[:-40], rows[:-40]))


def test_features_give_the_method_alone(tmp_path: Path) -> None:
    dataset = features()
    done = trained("contrastive", dataset, tmp_path / "out", *QUICK)
    kept = keeping.load(tmp_path / "out")
    assert (done["kind"], done["pairs"], done["validated_with"], "space" in done) == ("method", 180, 20, False)
    for row in done["results"]:  # type: ignore[attr-defined]
        if row["figure"] == "map":
            assert row["value"] > 0.9  # chance is a quarter
            assert row["chance"] == pytest.approx(0.26, abs=0.02)
    assert kept.parameters["batch"] == 16


def test_a_closed_form_on_features_learns_from_every_pair(tmp_path: Path) -> None:
    dataset = features()
    done = trained("cmfh", dataset, tmp_path / "out")
    assert (done["pairs"], done["validated_with"]) == (200, 0)
    fitted = configured("cmfh", 32, seed=2, settings=()).fit(*dataset.train.features())
    images, _ = dataset.query.features()
    assert (keeping.load(tmp_path / "out").encode_images(images) == fitted.encode_images(images)).all()


def told(dataset: DataSet, out: Path, method: str = "cca", **order: object) -> str:
    with pytest.raises(CrosshatchError) as caught:
        trained(method, dataset, out, **order)
    assert not (out / bundle.MODEL).exists()
    assert not Order(out).beside.exists()  # training has not started
    return f"{type(caught.value).__name__}: {caught.value}"


def test_what_cannot_be_learnt_from_is_refused_before_training(folder: Path, tmp_path: Path) -> None:
    out, plain = tmp_path / "out", features()
    pictures = Pairs("made", pictures=[b"", b""], labels=np.eye(2, dtype=bool))
    split = Split(np.array([0]), np.array([1]), np.array([1]))
    assert told(features(images=np.ones((240, 12), dtype=np.float32)), out, "ucch") == (
        "DataError: all 200 rows of images are the same: the modality is empty; extract it again"
    )
    assert told(features(labels=None), out, "scm-seq") == (
        "RequestError: made has no labels, which scm-seq needs; use a method without labels"
    )
    assert "all 200 pairs have the same labels; scm-seq needs two classes" in told(
        features(labels=np.ones((240, 2), dtype=bool)), out, "scm-seq"
    )
    assert told(DataSet(pictures, split), out) == (
        "RequestError: made has no texts; cca learns from pictures with their texts"
    )
    mixed = features(images=None, pictures=[b""] * 240)
    assert "features of one side and raw items of the other" in told(mixed, out)
    assert "validation 0.5 and patience 5 came; expected 0 to 0.33, and 0 or more" in told(plain, out, validation=0.5)
    assert "no encoder 'nothing'" in told(named("pairs", folder), out, backbones="nothing")
    out.mkdir()
    assert told(plain, out) == f"RequestError: {out} is there already; name another folder for --out, or remove it"


def test_features_that_are_no_numbers_do_not_become_a_set() -> None:
    sides, _ = classes(240, 1)
    wrong = sides["images"].copy()
    wrong[3, 1] = np.nan
    with pytest.raises(DataError, match="made: 1 rows of images hold NaN or infinity, row 3 first"):
        features(images=wrong)
    with pytest.raises(DataError, match="made: 9 images, 240 texts, 240 labels came; every side must have the same"):
        features(images=wrong[10:19])
    with pytest.raises(DataError, match=r"made: images are float32 \[240\]; expected float32 \[n, features\]"):
        features(images=wrong[:, 0])


def test_parameters_come_as_words() -> None:
    method = configured("ucch", 64, seed=3, settings=["epochs=7", "rate=1e-3"])
    assert method.parameters | {"bits": 64, "seed": 3, "epochs": 7, "rate": 0.001} == method.parameters
    assert "no parameter 'bit'; there are, with their defaults: penalty=0.001" in refused("cca", 16, "bit=3")
    assert "no parameter 'seed'" in refused("cca", 16, "seed=3")
    assert "epochs is '1.5'; expected a number, int" in refused("ucch", 16, "epochs=1.5")
    assert "epochs 0, batch 256 and rate 0.0001 came; expected 1, 2 and more than 0" in refused("ucch", 16, "epochs=0")
    assert "no method 'lda'" in refused("lda", 16)
    with pytest.raises(CodeLengthError, match="codes of 20 bits are not supported; use one of 16, 32"):
        configured("cca", 20, seed=0, settings=())


def refused(name: str, bits: int, *settings: str) -> str:
    with pytest.raises(RequestError) as caught:
        configured(name, bits, seed=0, settings=settings)
    return str(caught.value)


def asked(folder: Path, out: Path, *more: str) -> list[str]:
    parameters = [word for setting in (*QUICK, "epochs=30") for word in ("--set", setting)]
    return ["train", "ucch", "--data", "pairs", "--folder", str(folder), "--bits", "32", "--out", str(out),
            "--patience", "0", "--json", *parameters, *more]  # fmt: skip


def test_the_command_killed_and_repeated_ends_with_the_same_bundle(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL after epoch 2; the other run is never disturbed."""
    monkeypatch.setenv("CROSSHATCH_DATA", str(tmp_path))
    monkeypatch.setenv("CROSSHATCH_DEVICE", "cpu")
    command = [sys.executable, "-m", "integration.cli", *asked(folder, tmp_path / "killed/out")]
    log, checkpoint = (tmp_path / "killed/out-training" / name for name in ("log.csv", "checkpoint.safetensors"))
    with subprocess.Popen(command, cwd=PROJECT, env=os.environ, stderr=subprocess.DEVNULL) as running:
        while not (log.exists() and len(log.read_text("utf-8").splitlines()) > 2):
            assert running.poll() is None, "it ended before it could be killed"
            time.sleep(0.02)
        running.send_signal(signal.SIGKILL)
    assert checkpoint.exists()
    assert not (tmp_path / "killed/out").exists()
    refusal = CliRunner().invoke(cli, asked(folder, tmp_path / "killed/out", "--seed", "1"))
    assert isinstance(refusal.exception, RequestError)
    assert "checkpoint.safetensors is of another run" in str(refusal.exception)
    resumed = CliRunner().invoke(cli, asked(folder, tmp_path / "killed/out"))
    assert resumed.exit_code == 0, resumed.exception
    assert "epoch 1 of 30" not in resumed.stderr
    straight = CliRunner().invoke(cli, asked(folder, tmp_path / "straight/out"))
    assert json.loads(resumed.stdout)["digest"] == json.loads(straight.stdout)["digest"]
    assert not checkpoint.exists()
