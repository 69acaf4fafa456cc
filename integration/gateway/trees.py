"""What a body holds once it is decoded, whatever its form was, and what is refused on the way."""

from decimal import Decimal
from typing import Any

DEPTH = 200  # objects and lists in one another; the engine takes 1000, and no search comes near
MEMBERS = 250_000  # values of a body: what is packed in ten kilobytes could keep the process busy for seconds
Scalar = bool | int | float | Decimal | str | bytes | None


class Unreadable(ValueError):
    """A body that we cannot decode, or would not encode again as it was: it passes through untouched."""


class Written(float):
    """A number of a JSON body that keeps the text in which it came: 813.50, 1E2, thirty digits."""

    __slots__ = ("text",)

    def __new__(cls, text: str) -> "Written":
        number = super().__new__(cls, text)
        number.text = text
        return number

    text: str


class Single(float):
    """A number that came in 32 bits, and goes out so."""

    __slots__ = ()


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object that these members make. Raises Unreadable where a name comes twice."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise Unreadable("an object has a name twice")
    return made


def check_depth(tree: Any) -> None:
    """Raises Unreadable where more than `DEPTH` objects and lists stand in one another."""
    level = [tree]
    for _ in range(DEPTH + 1):
        level = [
            held
            for one in level
            if isinstance(one, dict | list)
            for held in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return
    raise Unreadable(f"a body has more than {DEPTH} levels")
