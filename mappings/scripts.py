"""The two stored Painless scripts and their parameters. What each parameter means stands in docs/scripts.md too.

A change of a script's meaning gets a new number, so that plain REST clients of the old one keep what they rely on.
"""

import importlib.resources
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mappings.code import HashCode
from mappings.errors import CodeLengthError
from mappings.fields import field_name
from mappings.weighted import WeightedCode

SCORE = "crosshatch-score-1"
DISTANCE = "crosshatch-distance-1"
SMALLEST = 1e-20  # with `min_similarity` every document that stays scores at least this: the query's `min_score`
_FOLDER = importlib.resources.files("mappings") / "painless"


@dataclass(frozen=True, slots=True)
class Script:
    """A stored script: its id, the context it is compiled for, and its Painless source."""

    id: str
    context: str
    source: str

    def body(self) -> dict[str, Any]:
        """Body for `PUT _scripts/<id>/<context>`."""
        return {"script": {"lang": "painless", "source": self.source}}


def scripts() -> tuple[Script, Script]:
    """Both scripts. They begin with the same functions, so that they cannot disagree on a distance."""
    nearest = _source("nearest-1")
    return (
        Script(SCORE, "score", nearest + _source("score-1")),
        Script(DISTANCE, "field", nearest + _source("distance-1")),
    )


def _source(name: str) -> str:
    return (_FOLDER / f"{name}.painless").read_text("utf-8")


@dataclass(frozen=True, slots=True)
class Pair:
    """One query code and the stored part it is compared with; a code with weights is compared by them.

    `table[d]` is the similarity in [0, 1] at distance d: bits + 1 values. Raises CodeLengthError for another number.
    """

    space: str
    part: str
    code: HashCode
    table: Sequence[float]

    def __post_init__(self) -> None:
        if len(self.table) != self.code.bits + 1:
            raise CodeLengthError(
                f"a calibration of {len(self.table)} values came for codes of {self.code.bits} bits; "
                f"expected {self.code.bits + 1}"
            )

    def param(self) -> dict[str, Any]:
        """As the scripts read it: byte values, and whole groups of eight bytes as integers, which they read faster."""
        packed = self.code.packed
        whole = [packed[at : at + 8] for at in range(0, len(packed) - 7, 8)]
        return {
            "field": field_name(self.space, self.part),
            "part": self.part,
            "picture": self.part == "image",
            "code": list(packed),
            **({"words": [int.from_bytes(word, signed=True) for word in whole]} if whole else {}),
            "table": list(self.table),
            **({"bit_weights": self.code.param()} if isinstance(self.code, WeightedCode) else {}),
        }

    def most_similar(self, distance: float) -> float:
        """The highest similarity of codes at least so far apart: `distance` from 0 to bits, weighted or not."""
        below = int(distance)
        beyond = self.table[below + 1 :]
        here = self.table[below]
        return max(here + (distance - below) * (beyond[0] - here), *beyond) if beyond else here


def score_script(
    pairs: Sequence[Pair], *, weight: float, saturation: float, min_similarity: float | None = None
) -> dict[str, Any]:
    """The `script` member of a `script_score` query: (1 - w) * s / (s + c) + w * similarity.

    With `min_similarity`, a document that the words do not match and that is less similar, or has no comparable code,
    scores 0 and every other at least SMALLEST.
    """
    params: dict[str, Any] = {"pairs": [pair.param() for pair in pairs], "weight": weight, "saturation": saturation}
    if min_similarity is not None:
        params["min_similarity"] = min_similarity
    return {"id": SCORE, "params": params}


def distance_script(pairs: Sequence[Pair]) -> dict[str, Any]:
    """The `script` member of a script field that gives `{distance, part, picture, similarity}` or nothing."""
    return {"id": DISTANCE, "params": {"pairs": [pair.param() for pair in pairs]}}
