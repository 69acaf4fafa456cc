"""Which field is what: the name, the type, the share of documents that have it, and what its values look like."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from integration.suggest import names, shapes
from integration.suggest.fields import Field

LEAST = 0.35  # of the score; below it a field is left out
WORDS = ("title", "creators", "subjects", "summary")
MOST = {"title": 2, "creators": 2, "subjects": 2, "summary": 1, "language": 1, "identifiers": 4, "pictures": 2}
_LANGUAGES = names.words(
    "src ara chi cze dan dut eng fin fre ger heb hun ita jpn kor pol por rus spa swe tur",
    "en de fr es it pt nl pl cs ru sv fi hu tr ja zh ko ar he da",
)
_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Choice:
    """A field in a role, with its evidence. `kind` is that of pictures; `search` is what the BM25 side names."""

    role: str
    path: str
    type: str | None
    share: float
    name: float
    score: float
    samples: tuple[str, ...]
    kind: str | None = None
    html: bool = False
    search: str | None = None

    @property
    def evidence(self) -> str:
        """One line for the administrator."""
        kept = f"{self.share:.0%} of the sample" if self.samples or self.share else "not in the sample"
        said = f"{self.role}: {self.type or 'not in the mapping'}, {kept}, name {self.name:.1f}"
        return said + (f", e.g. {' | '.join(self.samples)}" if self.samples else "")


def choose(fields: Mapping[str, Field], sampled: int) -> dict[str, list[Choice]]:
    """The best fields of each role, best first; one that says no other words than a better one is left out."""
    chosen: dict[str, list[Choice]] = {}
    for role in MOST:
        found = [choice for field in fields.values() if (choice := _judged(field, role, fields, sampled))]
        best: list[Choice] = []
        for choice in sorted(found, key=lambda one: (-one.score, len(one.path), one.path)):
            if len(best) < MOST[role] and not any(_again(choice, one, fields) for one in best):
                best.append(choice)
        if sampled and role in WORDS and best:
            best = [one for one in best if one.score >= best[0].score - 0.35]
        chosen[role] = best
    return chosen


def _judged(field: Field, role: str, fields: Mapping[str, Field], sampled: int) -> Choice | None:
    """The field in this role; None where it does not fit."""
    name, texts, share = names.match(field.path, role), field.texts(), field.share(sampled)
    if names.is_secret(field.path) or (sampled and not share) or not _fits(field, role, texts):
        return None
    kind = shapes.picture_kind(texts) if role == "pictures" else None
    if role == "pictures":
        kind = kind or ("url" if name and shapes.links(texts) else None)
        if kind is None or (kind != "base64" and not name):
            return None
        name = name or 0.5
    if not name or (role in WORDS and names.tokens(field.path)[-1] in ("id", "ids")):
        return None
    score = 0.6 * name + (0.4 * share if sampled else 0.2)
    score -= 0.05 * (field.path.rpartition(".")[2] in _LANGUAGES)  # where all languages stand in one field: that one
    if name < 0.5 or score < LEAST:
        return None
    choice = Choice(role, field.path, field.type, share, name, round(score, 3), samples(texts), kind)
    return replace(choice, html=shapes.has_html(texts), search=_searched(field, fields))


def _fits(field: Field, role: str, texts: Sequence[str]) -> bool:
    if field.type not in (None, "text", "keyword", "wildcard", "match_only_text", "binary", "search_as_you_type"):
        return role == "identifiers" and field.type in ("long", "integer")
    if role in WORDS and texts and (shapes.picture_kind(texts) or shapes.links(texts)):
        return False
    return not (role in ("title", "creators", "subjects", "language") and any(len(text) > 5000 for text in texts))


def _searched(field: Field, fields: Mapping[str, Field]) -> str | None:
    """What the BM25 side names: the field itself where it is of words, its object by language, or `x` for `plain_x`."""
    if field.unsearchable or field.type is None or field.type == "binary":
        return None
    head, _, last = field.path.rpartition(".")
    if last in _LANGUAGES and head:
        return f"{head}.*"
    if last.startswith("plain_"):
        twin = f"{head}.{last[6:]}" if head else last[6:]
        if any(path.startswith(f"{twin}.") and path[len(twin) + 1 :] in _LANGUAGES for path in fields):
            return f"{twin}.*"
        return twin if twin in fields else field.path
    return field.path


def _again(choice: Choice, better: Choice, fields: Mapping[str, Field]) -> bool:
    """Whether a field says the same as a better one in nearly every document that has it, or is searched as it is."""
    if choice.search is not None and choice.search == better.search:
        return True
    one, other = fields[choice.path], fields[better.path]
    equal = sum(_plain(values) <= _plain(other.values.get(number, [])) for number, values in one.values.items())
    return bool(one.values) and equal >= 0.8 * len(one.values)


def _plain(values: Sequence[Any]) -> set[str]:
    return {" ".join(str(value).lower().split()) for value in values}


def samples(texts: Sequence[str]) -> tuple[str, ...]:
    """Two short values to recognise a field by: without control signs, and addresses without user and query."""
    shown = []
    for text in dict.fromkeys(texts):
        bare = text.partition("?")[0] if "://" in text else text
        scheme, mark, rest = bare.partition("://")
        bare = f"{scheme}://{rest.rpartition('@')[2]}" if mark else bare
        clean = " ".join("".join(sign if sign.isprintable() else " " for sign in bare[:300]).split())
        shown.append(clean[:_SHOWN] + "…" * (len(clean) > _SHOWN))
        if len(shown) == 2:
            break
    return tuple(shown)
