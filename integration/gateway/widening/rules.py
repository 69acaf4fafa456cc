"""Which index is widened, and how: the administrator's rules. Pure.

`koha_biblios=rerank, folio_*=shadow`: the first rule whose pattern fits counts, and what none fits is off.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, Self, cast, get_args

Mode = Literal["off", "shadow", "rerank", "expand"]
ANSWERING = ("rerank", "expand")  # what a reader gets is not the cluster's own answer


@dataclass(frozen=True, slots=True)
class Rule:
    """`pattern` is the name of an index or of an alias; `*` stands for any letters."""

    pattern: str
    mode: Mode

    @classmethod
    def read(cls, text: str) -> Self:
        """Read `folio_*=shadow`. Raises ValueError."""
        pattern, _, mode = (part.strip() for part in text.partition("="))
        if not pattern or mode not in get_args(Mode):
            raise ValueError(
                f"{text!r} is no rule; expected INDEX=MODE, as koha_biblios=rerank; modes: {', '.join(get_args(Mode))}"
            )
        return cls(pattern, cast(Mode, mode))

    def __str__(self) -> str:
        return f"{self.pattern}={self.mode}"


def rule_for(rules: Sequence[Rule], asked: str | None, reached: Iterable[str]) -> Rule | None:
    """The rule of a search: `asked` is the index expression as it came, `reached` the indices behind it.

    A rule fits where it fits every name asked for, or every index reached. None: no rule, or not the same for all.
    """
    for names in ((asked or "").split(","), list(reached)):
        found = [_first(rules, name) for name in names]
        if found and found[0] is not None and all(one == found[0] for one in found):
            return found[0]
    return None


def _first(rules: Sequence[Rule], name: str) -> Rule | None:
    return next((rule for rule in rules if fnmatchcase(name, rule.pattern)), None)
