"""The fitting and the measuring, on cases small enough to work out by hand."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoders.heads import RidgeConseHead, unit
from encoders.training import reporting
from encoders.training.calibration import farther, tables
from encoders.training.duplicates import difference_hash, groups
from encoders.training.evaluation import ASYMMETRIC, Task, apart_weighted, hits, measure
from encoders.training.features import Collection
from encoders.training.fit import Pairs, Recipe, hashed
from encoders.training.itq import itq, principal, random_rotation
from encoders.training.ridge import ridge
from encoders.training.sources import Sample, plain
from mappings.weighted import WeightedCode


def test_ridge_by_hand() -> None:
    # x = -1, 0, 1 and y = 2 x + 5: variance of x is 2/3; a penalty of 1 halves the slope, the intercept stays the mean
    x, y = np.array([[-1.0], [0.0], [1.0]]), np.array([[3.0], [5.0], [7.0]])
    even = np.ones(3)
    np.testing.assert_allclose(ridge(x, y, penalty=0, weights=even), [[2], [5]], atol=1e-12)
    np.testing.assert_allclose(ridge(x, y, penalty=1, weights=even), [[1], [5]], atol=1e-12)


def test_ridge_weights_are_repetitions() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((6, 3)), rng.standard_normal((6, 2))
    times = np.array([1, 2, 3, 1, 1, 2])
    weighted = ridge(x, y, penalty=0.5, weights=times.astype(float))
    repeated = ridge(
        np.repeat(x, times, axis=0), np.repeat(y, times, axis=0), penalty=0.5, weights=np.ones(times.sum())
    )
    np.testing.assert_allclose(weighted, repeated, atol=1e-12)


def test_itq_never_gets_worse_and_rotates() -> None:
    rng = np.random.default_rng(0)
    rotation, losses = itq(rng.standard_normal((200, 8)), iterations=30, rng=rng)
    assert all(before >= after - 1e-9 for before, after in pairwise(losses))
    assert losses[-1] < losses[0]
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(8), atol=1e-10)


def test_itq_finds_the_corners_of_a_turned_square() -> None:
    corners = np.array([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    angle = np.deg2rad(30)
    turned = corners @ np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    _, losses = itq(turned, iterations=50, rng=np.random.default_rng(1))
    assert losses[-1] == pytest.approx(0, abs=1e-9)


def test_principal_directions_by_hand() -> None:
    rows = np.array([[0.0, 3, 0], [0, -3, 0], [1, 0, 0], [-1, 0, 0]])
    np.testing.assert_allclose(principal(rows, 2), [[0, 1], [1, 0], [0, 0]], atol=1e-12)
    with pytest.raises(ValueError, match="4 bits were asked of 3 dimensions"):
        principal(rows, 4)


def test_a_random_rotation_rotates() -> None:
    rotation = random_rotation(5, np.random.default_rng(0))
    np.testing.assert_allclose(rotation.T @ rotation, np.eye(5), atol=1e-12)


def test_whitening_makes_the_directions_even_and_none_leaves_them() -> None:
    rng = np.random.default_rng(0)
    zero = np.zeros(6, dtype=np.float32)
    stretched = (rng.standard_normal((300, 6)) * [8, 5, 3, 2, 1, 1]).astype(np.float32)
    none = np.zeros(0, dtype=np.float32)
    aligned = RidgeConseHead(
        text_mean=zero,
        image_mean=zero,
        projection=np.zeros((6, 0), dtype=np.float32),
        text_threshold=none,
        image_threshold=none,
        ridge=rng.standard_normal((4, 6)).astype(np.float32),
        classes=np.zeros((2, 6), dtype=np.float32),
        temperature=np.ones(1, dtype=np.float32),
    )
    pairs = Pairs(rng.random((300, 5), dtype=np.float32), stretched, np.full(300, "one"))
    rows = np.vstack([aligned.text(stretched), aligned.image(pairs.picture)])
    plain, white = (
        hashed(aligned, pairs, bits=4, recipe=Recipe(whitening=share)).projection.astype(np.float64)
        for share in (0.0, 1.0)
    )
    np.testing.assert_allclose(plain.T @ plain, np.eye(4), atol=2e-3)  # float16 keeps three digits
    spread = (rows @ white).T @ (rows @ white)
    np.testing.assert_allclose(spread / spread[0, 0], np.eye(4), atol=1e-2)


def test_the_report_tells_what_codes_keep_and_where_the_baseline_is_ahead(tmp_path: Path) -> None:
    everyone = np.arange(2)
    task = Task("tuxpaint_stamps", "caption", "image", np.eye(2, dtype=bool), "pair", everyone, everyone, False)
    floats = np.array([1.0, 1.0])
    forms = [f"{bits}{kind}" for kind in ("", ASYMMETRIC) for bits in (64, 128, 256)]
    figures = [
        measure(task, floats, method="ours", form="float"),
        *(measure(task, floats / 2, method="ours", form=form, floats=floats) for form in forms),
        measure(task, floats / 4, method="baseline", form="float"),
        *(measure(task, floats * 0.75, method="baseline", form=form, floats=floats) for form in forms[:3]),
    ]
    reporting.write(tmp_path / "report.md", reporting.Report(figures, [], [], [], [], []))
    lines = (tmp_path / "report.md").read_text(encoding="utf-8").splitlines()
    assert f"| tuxpaint_stamps | text→image | {' | '.join(['50% (50%–50%)'] * 6)} |" in lines
    assert "| tuxpaint_stamps | text→image | 128 | 0.500 | 0.750 |" in lines
    assert not any("| float | 1.000 | 0.250 |" in line for line in lines)


def test_near_duplicates_hang_together() -> None:
    hashes = np.zeros((4, 8), dtype=np.uint8)
    hashes[1, 0], hashes[2, 0], hashes[3] = 0b11, 0b1111, 255  # 0-1 and 1-2 differ in two bits, 0-2 in four
    assert groups(hashes).tolist() == [0, 0, 0, 3]


def test_what_is_held_out_takes_its_twins_and_namesakes_along() -> None:
    names = ["Cat", "cat", "tiger", "dog", "hound", "Dog"]
    samples = tuple(Sample("s", f"k{n}", Path("x"), name, "", "") for n, name in enumerate(names))
    rows = np.arange(6, dtype=np.float32)[:, None]
    collection = Collection(samples, rows, rows, rows, rows, np.array([0, 1, 0, 3, 3, 5]))
    kept = [[s.key for s in collection.distinct(without=frozenset(w)).samples] for w in ([], ["k0"], ["k5"])]
    assert kept == [["k0", "k3"], ["k3"], ["k0", "k4"]]  # k4 is neither twin nor namesake of k5


def test_difference_hash_by_hand() -> None:
    ramp = Image.fromarray(np.tile(np.arange(0, 252, 28, dtype=np.uint8), (8, 1)))  # 9 x 8, each brighter than its left
    assert difference_hash(ramp).tolist() == [255] * 8
    assert difference_hash(ramp.transpose(Image.Transpose.FLIP_LEFT_RIGHT)).tolist() == [0] * 8


def test_calibration_by_hand() -> None:
    apart = np.array([[9, 1, 3], [2, 9, 3], [1, 2, 9]], dtype=np.uint16)  # the diagonal is no pair: 1 1 2 2 3 3
    assert farther(apart, 4) == [1.0, 0.6667, 0.3333, 0.0, 0.0]


def test_calibration_tables_never_rise() -> None:
    rng = np.random.default_rng(0)
    parts = {part: rng.integers(0, 256, (40, 2), dtype=np.uint8) for part in ("text", "image")}
    made = tables(parts, parts, 16)
    assert sorted(made) == ["image-image", "image-text", "text-image", "text-text"]
    for table in made.values():
        assert len(table) == 17
        assert all(before >= after for before, after in pairwise(table))
        assert table[-1] == 0


def test_weighted_distances_are_those_of_the_code_that_searches_get() -> None:
    """A head that leaves vectors of length 1 as they are; own captions are no hits."""
    rng = np.random.default_rng(0)
    captions = unit(rng.standard_normal((5, 16)).astype(np.float32))
    none, zero = np.zeros(16, dtype=np.float32), np.zeros((0, 0), dtype=np.float32)
    made = RidgeConseHead(none, none, np.eye(16, dtype=np.float32), none, none, zero, zero, np.ones(1, np.float32))
    samples = tuple(Sample("s", str(n), Path(), "", "", "") for n in range(5))
    collection = Collection(samples, zero, captions, captions, captions, np.arange(5))
    asking = np.array([3, 1])
    task = Task("s", "caption", "caption", np.eye(5, dtype=bool)[asking], "pair", asking, np.arange(5), True)
    for row, query in zip(apart_weighted(task, made, collection), asking, strict=True):
        code = WeightedCode.from_floats(captions[query].tolist())
        assert isinstance(code, WeightedCode)
        for other, found in enumerate(row):
            differ = [
                w for w, a, b in zip(code.weights, captions[query], captions[other], strict=True) if (a > 0) != (b > 0)
            ]
            expected = np.inf if other == query else code.floor + code.unit * sum(differ)
            assert found == pytest.approx(expected)


def test_hits_share_out_ties() -> None:
    relevant = np.zeros((4, 20), dtype=bool)
    relevant[:, 0] = True
    relevant[3, 1] = True
    apart = np.array([[0.0] + [1] * 19, [5] + [1] * 19, [1] * 20, [1] * 20])
    # first; behind ten; one of 20 that tie for 10 places; two of 20: 1 - (10 · 9) / (20 · 19)
    np.testing.assert_allclose(hits(apart, relevant), [1, 0, 0.5, 1 - 90 / 380])


@pytest.mark.parametrize(
    ("title", "typed"),
    [("BlueMan#206", "BlueMan"), ("Viet_nam", "Viet nam"), ("<p>A  cat &amp; dog</p>", "A cat & dog")],
)
def test_titles_as_a_person_types_them(title: str, typed: str) -> None:
    assert plain(title) == typed
