"""What holds for every method: it finds classes, is kept and loaded, and refuses what it cannot learn from."""

import inspect
import json
from pathlib import Path

import numpy as np
import pytest

from encoders import bundle, methods
from encoders.methods import keeping
from encoders.methods.method import Method
from mappings.errors import BundleError, CodeLengthError, DataError, RequestError
from tests.encoders.methods.sets import CLASSES, Made, average_precision, separable

TRAIN, QUERY = separable(160, 1), separable(40, 2)
CHANCE = 1 / CLASSES
FOUND = {"cca": 0.75, "scm-orth": 0.85, "stmh": 0.85}  # what MAP must reach; 0.95 for all others
SETTINGS: dict[str, dict[str, object]] = {
    "seph-km": {"kernels": 40},
    "ucch": {"width": 64, "batch": 32, "rate": 1e-3},
    "contrastive": {"width": 64, "batch": 32, "rate": 1e-3},
}


def fitted(name: str, bits: int = 32, train: Made = TRAIN) -> Method:
    method = methods.named(name)(bits, seed=3, **SETTINGS.get(name, {}))
    return method.fit(train.images, train.texts, train.labels)


@pytest.mark.parametrize("name", [name for name in methods.METHODS if name != "itq"])
def test_each_side_finds_the_other_far_above_chance(name: str) -> None:
    method = fitted(name)
    images, texts = method.encode_images(TRAIN.images), method.encode_texts(TRAIN.texts)
    assert images.dtype == np.uint8
    assert images.shape == texts.shape == (160, 4)
    asked = method.encode_images(QUERY.images), method.encode_texts(QUERY.texts)
    across = [
        average_precision(asked[0], texts, QUERY.labels, TRAIN.labels),
        average_precision(asked[1], images, QUERY.labels, TRAIN.labels),
    ]
    assert min(across) > FOUND.get(name, 0.95) >= 3 * CHANCE


def test_itq_finds_within_a_modality() -> None:
    method = fitted("itq")
    images, texts = method.encode_images(TRAIN.images), method.encode_texts(TRAIN.texts)
    asked = method.encode_images(QUERY.images), method.encode_texts(QUERY.texts)
    assert average_precision(asked[0], images, QUERY.labels, TRAIN.labels) > 0.9
    assert average_precision(asked[1], texts, QUERY.labels, TRAIN.labels) > 0.9


@pytest.mark.parametrize("name", methods.METHODS)
def test_a_saved_method_encodes_bit_for_bit_the_same(name: str, tmp_path: Path) -> None:
    method = fitted(name, bits=16)
    keeping.save(method, tmp_path / "kept")
    again = keeping.load(tmp_path / "kept")
    assert type(again) is type(method)
    assert again.parameters == method.parameters
    assert (again.relax_images(QUERY.images) == method.relax_images(QUERY.images)).all()
    assert (again.encode_texts(QUERY.texts) == method.encode_texts(QUERY.texts)).all()


@pytest.mark.parametrize("name", methods.METHODS)
def test_a_seed_gives_the_same_codes_again(name: str) -> None:
    first, second = fitted(name, bits=16), fitted(name, bits=16)
    assert (first.encode_images(QUERY.images) == second.encode_images(QUERY.images)).all()
    assert first.losses == second.losses


@pytest.mark.parametrize("name", methods.METHODS)
def test_what_is_learnt_does_not_depend_on_where_the_features_lie(name: str) -> None:
    """Every method centres; a shift of one modality changes no code, but where it rounds."""
    moved = Made(TRAIN.images + 8, TRAIN.texts, TRAIN.labels)
    here, there = fitted(name, bits=16), fitted(name, bits=16, train=moved)
    differ = np.bitwise_count(here.encode_images(QUERY.images) ^ there.encode_images(QUERY.images + 8)).sum()
    assert differ <= 0.02 * 16 * len(QUERY.images)


@pytest.mark.parametrize("name", methods.METHODS)
def test_every_method_names_its_paper(name: str) -> None:
    module = inspect.getmodule(methods.named(name))
    assert module is not None
    assert any(year in (module.__doc__ or "") for year in map(str, range(1936, 2027)))
    assert methods.named(name).name == name


def test_an_unknown_method_is_told_the_known_ones() -> None:
    with pytest.raises(RequestError, match="no method 'lda'; there are: lsh, cca, "):
        methods.named("lda")


@pytest.mark.parametrize("bits", [0, 12, 1024])
def test_other_lengths_are_refused_before_the_fit(bits: int) -> None:
    with pytest.raises(CodeLengthError, match=f"codes of {bits} bits are not supported; use one of 16, 32"):
        methods.named("cca")(bits)


def with_nan(features: np.ndarray) -> np.ndarray:
    wrong = features.copy()
    wrong[5, 2] = np.nan
    return wrong


@pytest.mark.parametrize(
    ("images", "texts", "labels", "error", "told"),
    [
        (None, TRAIN.texts, TRAIN.labels, RequestError, "no images came"),
        (TRAIN.images, None, TRAIN.labels, RequestError, "no texts came"),
        (TRAIN.images[:0], TRAIN.texts[:0], TRAIN.labels[:0], DataError, r"images have shape \[0, 12\]"),
        (TRAIN.images, TRAIN.texts[:, :0], TRAIN.labels, DataError, r"texts have shape \[160, 0\]"),
        (TRAIN.images[:, 0], TRAIN.texts, TRAIN.labels, DataError, r"images have shape \[160\]"),
        (TRAIN.images[:9], TRAIN.texts, TRAIN.labels, DataError, "9 images and 160 texts came"),
        (TRAIN.images[:1], TRAIN.texts[:1], TRAIN.labels[:1], DataError, "1 pairs came"),
        (with_nan(TRAIN.images), TRAIN.texts, TRAIN.labels, DataError, "1 rows of images hold NaN or infinity, row 5"),
        (TRAIN.images, TRAIN.texts * np.inf, TRAIN.labels, DataError, "160 rows of texts hold NaN or infinity"),
        (TRAIN.images, np.zeros((160, 9)), TRAIN.labels, DataError, "all 160 rows of texts are the same"),
        ([["a"]], TRAIN.texts, TRAIN.labels, DataError, "images are no array of numbers"),
        (TRAIN.images, TRAIN.texts, None, RequestError, "no labels came, which scm-seq learns from"),
        (TRAIN.images, TRAIN.texts, TRAIN.labels[:9], DataError, r"labels have shape \[9, 4\]"),
        (TRAIN.images, TRAIN.texts, TRAIN.labels * 2, DataError, "values from 0 to 2; expected 0 or 1"),
        (TRAIN.images, TRAIN.texts, TRAIN.labels[:, 0], DataError, r"labels have shape \[160\]"),
        (TRAIN.images, TRAIN.texts, np.ones((160, 3)), DataError, "all 160 pairs have the same labels; scm-seq needs"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(
    images: object, texts: object, labels: object, error: type[Exception], told: str
) -> None:
    method = methods.named("scm-seq")(16)
    with pytest.raises(error, match=told):
        method.fit(images, texts, labels)
    assert not method.learnt


def test_seph_asks_for_labels_that_are_shared() -> None:
    with pytest.raises(DataError, match="no two of 160 pairs share a label"):
        methods.named("seph-km")(16).fit(TRAIN.images, TRAIN.texts, np.eye(160))


def test_methods_without_labels_need_none() -> None:
    method = methods.named("cca")(16).fit(TRAIN.images, TRAIN.texts)
    assert method.encode_texts(QUERY.texts).shape == (40, 2)


def test_encoding_asks_for_a_fit_and_for_its_features() -> None:
    method = methods.named("cca")(16)
    with pytest.raises(RequestError, match="cca has learnt nothing yet"):
        method.encode_images(TRAIN.images)
    method.fit(TRAIN.images, TRAIN.texts)
    with pytest.raises(DataError, match="texts have 12 features a row; the method was fitted on 9"):
        method.encode_texts(TRAIN.images)


def test_only_what_is_fitted_is_kept(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="fit it before it is saved"):
        keeping.save(methods.named("cca")(16), tmp_path)


@pytest.mark.parametrize(
    ("name", "before", "after", "told"),
    [
        (bundle.MODEL, b"method-1", b"method-9", "has schema 'method-9'; expected method-1"),
        (bundle.MODEL, b'"seed": 3', b'"seed": 4', "was changed after it was saved"),
        (bundle.MODEL, b"{", b"", "cannot be read as JSON"),
        (keeping.TENSORS, b"image_mean", b"image_meaN", "was changed after it was saved"),
    ],
)
def test_a_folder_that_was_changed_is_refused(
    name: str, before: bytes, after: bytes, told: str, tmp_path: Path
) -> None:
    keeping.save(fitted("cca", bits=16), tmp_path)
    path = tmp_path / name
    assert before in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(before, after, 1))
    with pytest.raises(BundleError, match=told):
        keeping.load(tmp_path)


def test_a_folder_of_a_method_that_is_no_more_is_refused(tmp_path: Path) -> None:
    keeping.save(fitted("cca", bits=16), tmp_path)
    path = tmp_path / bundle.MODEL
    document = {"schema": keeping.SCHEMA, "method": "lda", "parameters": {"bits": 16}}
    path.write_text(json.dumps(document | {"digest": bundle.digest(document, tmp_path)}), encoding="utf-8")
    with pytest.raises(BundleError, match="holds no method of this version: no method 'lda'"):
        keeping.load(tmp_path)
