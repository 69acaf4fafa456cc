"""What is known of good answers, read from JSON lines: judgments of people, or clicks. The form: docs/tuning.md.

Nothing of a reader has a place in a line, and nothing of a line is kept.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from integration.search.request import MAX_TEXT
from mappings.errors import RequestError

TOLD = 5  # wrong lines that an error names
HIGHEST = 10  # grade; nDCG gains 2^grade - 1
_STRICT = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)
_Id = Annotated[str, Field(min_length=1, max_length=512)]


class Query(BaseModel):
    """What is asked: words, the path or URL of a picture, the id of a record that hits are like; one or several."""

    model_config = _STRICT
    text: str | None = Field(None, max_length=MAX_TEXT)
    image: str | None = Field(None, min_length=1)
    like: _Id | None = None

    @model_validator(mode="after")
    def _asks(self) -> "Query":
        if self.image is None and self.like is None and not (self.text or "").strip():
            raise ValueError("the query has no words, no picture and no record that hits are like; give one of them")
        if self.text is not None and not self.text.strip():
            raise ValueError("text is empty; give at least one word, or leave it out")
        return self

    def __str__(self) -> str:
        return ", ".join(f"{name} {value!r}" for name, value in self if value is not None)


_Asked = Annotated[Query, BeforeValidator(lambda asked: {"text": asked} if isinstance(asked, str) else asked)]


class Judgment(BaseModel):
    """How well one record answers a query: 0 not at all, up to 10."""

    model_config = _STRICT
    query: _Asked
    record: _Id
    grade: float = Field(ge=0, le=HIGHEST, allow_inf_nan=False, strict=True)

    @model_validator(mode="after")
    def _another(self) -> "Judgment":
        if self.record == self.query.like:
            raise ValueError(f"record {self.record!r} is the one that hits are like, and so no hit; judge another")
        return self


class Clicks(BaseModel):
    """What was shown for a query, in that order, and which of it was clicked."""

    model_config = _STRICT
    query: _Asked
    shown: tuple[_Id, ...] = Field(min_length=1)
    clicked: tuple[_Id, ...]

    @model_validator(mode="after")
    def _sound(self) -> "Clicks":
        if len(set(self.shown)) < len(self.shown):
            raise ValueError("shown names a record twice; give each its one place")
        if strangers := sorted(set(self.clicked) - set(self.shown)):
            raise ValueError(f"clicked has {strangers[0]!r}, which is not in shown; expected records that were shown")
        return self

    def preferences(self) -> list[tuple[str, str]]:
        """(better, worse): each clicked record with each that stood above it and was not clicked.

        A reader goes from top to bottom, so what stands above a click was seen and passed over; of what stands below it
        nothing is known, and a first hit may be clicked because it is the first ("click > skip above": Joachims,
        Optimizing search engines using clickthrough data, KDD 2002, Algorithm 1).
        """
        clicked = set(self.clicked)
        passed: list[str] = []
        found = []
        for record in self.shown:
            if record in clicked:
                found += [(record, worse) for worse in passed]
            else:
                passed.append(record)
        return found


@dataclass(frozen=True, slots=True)
class Topic:
    """A query and the grades of records, above 0 for the relevant ones. `line` is the first that names it.

    `clicked`: the grades come from clicks, 1 and 0, and tell of no other record; then only these are ranked. `lines`
    tells where each record was first named.
    """

    query: Query
    line: int
    grades: Mapping[str, float]
    clicked: bool = False
    lines: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Judged:
    """What a file says. `silent`: queries whose clicks prefer nothing to anything."""

    topics: tuple[Topic, ...]
    silent: int = 0


def read(path: Path) -> Judged:
    """The topics of a file. Raises RequestError naming every wrong line, or a query without a relevant record."""
    try:
        with path.open("rb") as file:
            return judged(file, path.name)
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror or error}") from error


def judged(lines: Iterable[bytes], name: str) -> Judged:
    """The same for the lines of a file called `name`."""
    judgments: dict[Query, dict[str, Judgment]] = defaultdict(dict)
    clicks: dict[Query, list[Clicks]] = defaultdict(list)
    first: dict[tuple[bool, Query], int] = {}
    named: dict[tuple[bool, Query], dict[str, int]] = defaultdict(dict)
    wrong: list[str] = []
    for number, one in _parsed(lines, wrong):
        key = (isinstance(one, Clicks), one.query)
        first.setdefault(key, number)
        for record in one.shown if isinstance(one, Clicks) else (one.record,):
            named[key].setdefault(record, number)
        if isinstance(one, Clicks):
            clicks[one.query].append(one)
        elif judgments[one.query].setdefault(one.record, one).grade != one.grade:
            before = judgments[one.query][one.record].grade
            wrong.append(
                f"line {number}: record {one.record!r} has grade {one.grade:g}, and {before:g} in line "
                f"{named[key][one.record]}; give it one"
            )
    for query, of_query in judgments.items():
        if not any(one.grade for one in of_query.values()):
            wrong.append(f"line {first[False, query]}: no record is relevant (grade above 0) to {query}")
    if wrong:
        more = f"; and {len(wrong) - TOLD} more" if len(wrong) > TOLD else ""
        raise RequestError(f"{name}: {'; '.join(wrong[:TOLD])}{more}")
    known = [
        Topic(query, first[False, query], {r: one.grade for r, one in of_query.items()}, lines=named[False, query])
        for query, of_query in judgments.items()
    ]
    preferred = [
        Topic(query, first[True, query], grades_of(of_query), clicked=True, lines=named[True, query])
        for query, of_query in clicks.items()
    ]
    telling = [topic for topic in preferred if says_something(topic.grades)]
    return Judged((*known, *telling), len(preferred) - len(telling))


def grades_of(clicks: Sequence[Clicks]) -> dict[str, float]:
    """Records of a query that some preference is about: 1 for those preferred more often than not, else 0."""
    votes: Counter[str] = Counter()
    for one in clicks:
        for better, worse in one.preferences():
            votes[better] += 1
            votes[worse] -= 1
    return {record: float(balance > 0) for record, balance in votes.items()}


def says_something(grades: Mapping[str, float]) -> bool:
    """Whether one record should stand above another."""
    return len(set(grades.values())) > 1


def _parsed(lines: Iterable[bytes], wrong: list[str]) -> Iterator[tuple[int, Judgment | Clicks]]:
    """Line numbers and what the lines say; empty ones are passed over, and what is `wrong` is added there."""
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield number, _one(json.loads(line))
        except ValidationError as error:
            told = [_told(one) for one in error.errors(include_url=False, include_input=False)]
            wrong.append(f"line {number}: {', '.join(told)}")
        except (ValueError, RecursionError) as error:  # UnicodeDecodeError and JSONDecodeError are among them
            wrong.append(f"line {number}: {error}")


def _one(tree: Any) -> Judgment | Clicks:
    if not isinstance(tree, dict):
        raise ValueError("no JSON object; expected query, record and grade, or query, shown and clicked")
    kind: Callable[[Any], Judgment | Clicks]
    kind = Clicks.model_validate if {"shown", "clicked"} & tree.keys() else Judgment.model_validate
    return kind(tree)


def _told(error: Any) -> str:
    where = ".".join(str(part) for part in error["loc"])
    said = str(error["msg"]).removeprefix("Value error, ")
    return f"{where}: {said}" if where else said
