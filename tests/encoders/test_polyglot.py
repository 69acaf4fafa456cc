"""Which tower reads a text, and what comes of it, on towers small enough to work out by hand."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from encoders.polyglot import Languages, Polyglot
from encoders.towers import Floats
from mappings.errors import BundleError

# the English tower's first feature is 1 for capitals; the gate sends these on
LANGUAGES = Languages(
    gate=np.array([2, 0, -1], dtype=np.float32),
    bridge=np.array([[1, 0], [0, 10], [3, 4]], dtype=np.float32),
)


class Tower:
    """Features: whether the text is in capitals, and its length. Notes what it reads."""

    width = 2

    def __init__(self) -> None:
        self.read: list[str] = []

    def features(self, texts: Sequence[str]) -> tuple[Floats, NDArray[np.bool_]]:
        self.read += texts
        rows = [(text.isupper(), len(text)) for text in texts]
        return np.array(rows, dtype=np.float32).reshape(-1, 2), np.array([bool(text) for text in texts], dtype=bool)


def test_each_text_is_read_by_its_tower() -> None:
    english, other = Tower(), Tower()
    features, spoken = Polyglot(english, lambda: other, LANGUAGES).features(["abc", "ABCDE", "", "XY"])
    assert features.tolist() == [[0, 3], [1 + 3, 50 + 4], [0, 0], [1 + 3, 20 + 4]]
    assert spoken.tolist() == [True, True, False, True]
    assert (english.read, other.read) == (["abc", "ABCDE", "", "XY"], ["ABCDE", "XY"])


def test_the_other_tower_is_made_once_and_only_when_needed() -> None:
    made: list[Tower] = []

    def make() -> Tower:
        made.append(Tower())
        return made[-1]

    tower = Polyglot(Tower(), make, LANGUAGES)
    tower.features(["abc", ""])
    assert made == []
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(tower.features, [["ABC"]] * 32))
    assert [one.read for one in made] == [["ABC"] * 32]


def test_no_texts() -> None:
    features, spoken = Polyglot(Tower(), Tower, LANGUAGES).features([])
    assert (features.shape, spoken.shape) == ((0, 2), (0,))


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"gate": np.zeros(3)},
        {"gate": np.zeros(3), "bridge": np.zeros((3, 2)), "more": np.zeros(1)},
        {"gate": np.zeros(2), "bridge": np.zeros((3, 2))},
        {"gate": np.zeros(3), "bridge": np.zeros(3)},
    ],
)
def test_tensors_that_do_not_fit_are_refused(tensors: dict[str, Floats]) -> None:
    with pytest.raises(BundleError, match="the tensors for other languages do not fit Languages"):
        Languages.of(tensors)
