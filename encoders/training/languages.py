"""Fit what lets the default encoder read other languages (`encoders.polyglot`): a bridge between towers, and a gate.

Most of the bridge is learnt from English: the names of ImageNet-21k's things, read by both towers. Names of one thing
in many languages teach it what the multilingual tower leaves between languages, and the gate what is English.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from encoders.data.cache import holds, kept
from encoders.methods.kernels import logistic
from encoders.polyglot import Languages
from encoders.towers import Floats, TextTower
from encoders.training.features import Collection
from encoders.training.fit import half
from encoders.training.ridge import ridge
from encoders.weights import Weights

ENGLISH = "en"
LEARNT = (ENGLISH, "de", "es", "fi", "fr", "hi", "it", "ja", "ko", "pl", "pt", "ru", "sv", "th", "uk", "vi", "zh")
PORTION = 2500  # texts that are cached as one: an extraction of minutes goes on where it stopped
Texts = Mapping[str, Mapping[str, str]]  # by language, by sample key


@dataclass(frozen=True, slots=True)
class Recipe:
    """The choices, each made by leaving sub-groups of OpenMoji out, never by Tux Paint."""

    words: int = 12500  # of the 21,240 names of ImageNet-21k's things
    penalty: float = 0.01  # of ridge, relative to the features' variance
    names: float = 0.1  # weight of a name in one of the languages, beside a word
    gate_penalty: float = 0.1
    sent: float = 0.08  # share of the English texts that the gate sends on as well: short ones, and names
    steps: int = 300  # of the gate's logistic regression
    seed: int = 0


RECIPE = Recipe()


@dataclass(frozen=True)
class Readers:
    """Both text towers, with the weights they were loaded from."""

    english: TextTower
    multilingual: TextTower
    weights: tuple[Weights, Weights]

    def read(self, texts: Sequence[str]) -> tuple[Floats, Floats]:
        """Features by the English tower and by the other, from the cache where nothing they hang on has changed."""
        parts = [self._portion(portion) for portion in _portions(texts)]
        english, multilingual = (np.concatenate([part[name] for part in parts]) for name in ("english", "multilingual"))
        return english, multilingual

    def remembers(self, texts: Sequence[str]) -> bool:
        """Whether the cache holds these texts, so that `read` takes seconds and not minutes."""
        return all(holds(self._key(portion)) for portion in _portions(texts))

    def _portion(self, texts: Sequence[str]) -> dict[str, Floats]:
        def extract(count: int) -> dict[str, Floats]:
            first = texts[:count]
            return {"english": self.english.features(first)[0], "multilingual": self.multilingual.features(first)[0]}

        return kept(self._key(texts), len(texts), extract)[0]

    def _key(self, texts: Sequence[str]) -> str:
        state = hashlib.sha256("".join(weights.sha256 for weights in self.weights).encode())
        for text in texts:
            state.update(f"\0{text}".encode("utf-8", "replace"))
        return state.hexdigest()


@dataclass(frozen=True)
class Named:
    """Features of what is learnt from: w words of English, and n names of the same things in each language."""

    words: tuple[Floats, Floats]  # English tower [w, m], multilingual tower [w, e]
    captions: Floats  # of pictures, English too, by its tower, [c, m]: the gate alone learns from them
    names: Mapping[str, tuple[Floats, Floats]]  # by language: [n, m] and [n, e]
    kind: NDArray[np.str_]  # [n], the sub-group of each thing

    def take(self, rows: NDArray[np.bool_]) -> "Named":
        """The names of these things, and all words."""
        names = {language: (english[rows], other[rows]) for language, (english, other) in self.names.items()}
        return replace(self, names=names, kind=self.kind[rows])


def words(recipe: Recipe) -> list[str]:
    """English names of things, in random order, so that few of them are a fair sample of all."""
    from timm.data.imagenet_info import ImageNetInfo  # its lists of class names; slow to import

    every = list(dict.fromkeys(ImageNetInfo("imagenet21k_goog").label_descriptions()))
    order = np.random.default_rng(recipe.seed).permutation(len(every))
    return [every[row] for row in order[: recipe.words]]


def named(things: Collection, texts: Texts) -> tuple[Collection, dict[str, list[str]]]:
    """The things that have a name in every language, and these names by language."""
    rows = [row for row, one in enumerate(things.samples) if all(one.key in texts[language] for language in LEARNT)]
    chosen = things.take(rows)
    return chosen, {language: [texts[language][one.key] for one in chosen.samples] for language in LEARNT}


def gathered(readers: Readers, things: Collection, texts: Texts, captions: Floats, recipe: Recipe = RECIPE) -> Named:
    """What is learnt from, read by both towers."""
    chosen, names = named(things, texts)
    read = {language: readers.read(own) for language, own in names.items()}
    return Named(readers.read(words(recipe)), captions, read, np.array([sample.label for sample in chosen.samples]))


def fit(given: Named, recipe: Recipe = RECIPE) -> Languages:
    """The bridge by ridge regression; the gate by logistic regression, both classes weighing the same."""
    meant = given.names[ENGLISH][0]
    read = np.concatenate([given.words[1], *(other for _, other in given.names.values())]).astype(np.float64)
    target = np.concatenate([given.words[0], *[meant] * len(given.names)]).astype(np.float64)
    weights = np.where(np.arange(len(read)) < len(given.words[0]), 1.0, recipe.names)
    return Languages(_gate(given, recipe), half(ridge(read, target, penalty=recipe.penalty, weights=weights)))


def _gate(given: Named, recipe: Recipe) -> Floats:
    """[m + 1], its threshold where `recipe.sent` of the English texts are above it."""
    english = np.concatenate([given.words[0], given.captions, given.names[ENGLISH][0]])
    foreign = np.concatenate([own for language, (own, _) in given.names.items() if language != ENGLISH])
    rows = np.concatenate([english, foreign]).astype(np.float64)
    found = logistic(
        rows, np.arange(len(rows))[:, None] >= len(english), penalty=recipe.gate_penalty, iterations=recipe.steps
    )
    gate = found[:, 0].astype(np.float32)
    gate[-1] = -np.quantile(english @ gate[:-1], 1 - recipe.sent)
    return gate


def left_out(given: Named, recipe: Recipe = RECIPE, *, folds: int = 3) -> dict[str, tuple[Floats, NDArray[np.bool_]]]:
    """By language, the names as features of the English tower, [n, m], and which were sent on, [n].

    Each thing is read by a fit that saw nothing of its sub-group.
    """
    kinds, which = np.unique(given.kind, return_inverse=True)
    fold = (np.random.default_rng(recipe.seed).permutation(len(kinds)) % folds)[which]
    result = {language: (own.copy(), np.zeros(len(own), dtype=bool)) for language, (own, _) in given.names.items()}
    for number in range(folds):
        here = fold == number
        fitted = fit(given.take(~here), recipe)
        for language, (own, other) in given.names.items():
            features, sent = result[language]
            features[here], sent[here] = routed(fitted, own[here], other[here])
    return result


def routed(languages: Languages, own: Floats, other: Floats) -> tuple[Floats, NDArray[np.bool_]]:
    """What `Polyglot` makes of texts by both towers' features, [n, m] and [n, e] -> [n, m]; and which it sends on."""
    sent = languages.foreign(own)
    return np.where(sent[:, None], languages.across(other), own), sent


def _portions(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    return (texts[start : start + PORTION] for start in range(0, len(texts), PORTION))
