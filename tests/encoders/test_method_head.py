"""A method as a bundle's head: its codes are the method's, in whatever order; what does not fit is refused."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from encoders import bundle, catalogue, methods
from encoders.bundle import Bundle
from encoders.lite0 import POOLED
from encoders.loading import bundle_head
from encoders.method_head import MethodHead, prepared
from mappings.code import pack_signs
from mappings.errors import BundleError
from tests.encoders.methods.sets import separable

MADE = separable(60, 1)


def written(folder: Path, *, learnt: dict[str, np.ndarray] | None = None, **changes: object) -> Bundle:
    method = methods.named("cca-itq")(16).fit(MADE.images, MADE.texts)
    model = msgspec.structs.replace(
        bundle.read(catalogue.SHIPPED / "default-64").model,
        method="cca-itq",
        bits=16,
        calibration={},
        multilingual=msgspec.UNSET,
        **{"head": {"parameters": method.parameters, "preparation": "none"}, **changes},
    )
    return bundle.write(folder / "own", model, method.learnt if learnt is None else learnt)


def test_codes_are_those_of_the_method(tmp_path: Path) -> None:
    head = bundle_head(written(tmp_path))
    method = methods.named("cca-itq")(16).fit(MADE.images, MADE.texts)
    images, texts = (side.astype(np.float32) for side in (MADE.images, MADE.texts))
    assert (head.bits, head.image_width, head.text_width) == (16, 12, 9)
    assert (pack_signs(head.relax_image(head.image(images))) == method.encode_images(images)).mean() > 0.99
    assert (pack_signs(head.relax_text(head.text(texts))) == method.encode_texts(texts)).mean() > 0.99
    assert np.linalg.norm(head.text(texts), axis=1) == pytest.approx(1)
    assert head.image(images[:0]).shape == (0, 16)
    both = head.relax_record(head.text(texts), head.image(images))
    assert both == pytest.approx(head.text(texts) + head.image(images))


def test_bits_in_another_order(tmp_path: Path) -> None:
    order = list(range(15, -1, -1))
    plain = bundle_head(written(tmp_path))
    turned = bundle_head(written(tmp_path, permutation=order))
    texts = MADE.texts.astype(np.float32)
    expected = plain.relax_text(plain.text(texts))[:, order]
    assert turned.relax_text(turned.text(texts)) == pytest.approx(expected, rel=1e-5)  # lengths are summed in turn


def test_prepared_pictures_have_two_halves_of_length_one() -> None:
    features = np.random.default_rng(0).normal(0, 3, (4, POOLED + 5)).astype(np.float32)
    features[0, :POOLED] = 0
    found = prepared(features, "root")
    assert np.linalg.norm(found[:, POOLED:], axis=1) == pytest.approx(1)
    assert np.linalg.norm(found[:, :POOLED], axis=1) == pytest.approx([0, 1, 1, 1])
    odds = np.exp(features[1, POOLED:].astype(np.float64))
    assert found[1, POOLED:] ** 2 == pytest.approx(odds / odds.sum(), rel=1e-4)
    assert prepared(features, "none") is features


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    parameters = {"bits": 16, "seed": 0}

    def told(**changes: object) -> str:
        made = written(tmp_path, **changes)  # type: ignore[arg-type]
        with pytest.raises(BundleError) as caught:
            bundle_head(made)
        return str(caught.value)

    assert "prepares pictures by 'wash'; known here: none, root" in told(
        head={"parameters": parameters, "preparation": "wash"}
    )
    assert "holds no method of this version: " in told(head={"parameters": {"bit": 16}, "preparation": "none"})
    assert "image_mean is not among its tensors" in told(learnt={"text_mean": np.zeros(9)})
    assert "says 16 bits, its head has 32" in told(head={"parameters": {"bits": 32}, "preparation": "none"})


def test_a_method_head_is_made_of_a_bundle_alone(tmp_path: Path) -> None:
    made = written(tmp_path)
    assert isinstance(bundle_head(made), MethodHead)
    assert isinstance(bundle_head(bundle.read(made.folder)), MethodHead)
