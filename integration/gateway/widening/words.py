"""Where the words of a search stand in its query, and which they are. Pure.

Only what ranks is looked at: `must` and `should` of bool queries, and the alternatives of `dis_max`. Words are what is
searched for in the fields that the index's profile searches; all else is a limit, which stays as it is.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from integration.gateway.positions import Path
from integration.gateway.widening.strings import Atom, Unsure, lucene, simple
from integration.search.request import MAX_TEXT

MAX_STRING = 4 * MAX_TEXT  # with its operators; a longer one is not taken apart


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a query, each text once; `path` leads to the smallest query that holds them and can be ranked anew.

    `limits` are what was not taken for words, for whoever asks.
    """

    path: Path
    texts: tuple[str, ...]
    limits: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """What is encoded."""
        return " ".join(self.texts)


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields whose words count, as patterns; none: any that is searched together with others."""

    patterns: tuple[str, ...] = ()

    @classmethod
    def of(cls, *lists: Sequence[str]) -> "Fields":
        """From fields as a profile names them, with boosts as `title^2`."""
        return cls(tuple(dict.fromkeys(name.partition("^")[0] for names in lists for name in names)))

    def takes(self, name: str) -> bool:
        """Whether `name`, or a part of it such as `title.phrase`, is one of them."""
        bare = name.partition("^")[0]
        return any(
            fnmatchcase(bare, pattern) or fnmatchcase(f"{bare}.", pattern) or bare.startswith(f"{pattern}.")
            for pattern in self.patterns
        )

    def takes_any(self, names: Sequence[str]) -> bool:
        """Whether words searched for in all of `names` count; no names are the index's default fields."""
        return not names or not self.patterns or any("*" in name or self.takes(name) for name in names)


def find(query: Any, fields: Fields) -> Words | None:
    """The words of a search's query; None where none of them rank. Raises Unsure."""
    return _read(query, ("query",), fields)


def _read(query: Any, path: Path, fields: Fields) -> Words | None:
    if not isinstance(query, dict) or len(query) != 1:
        raise Unsure("a query object holds one query")
    [(name, body)] = query.items()
    if not isinstance(body, dict):
        raise Unsure(f"{name} is no object")
    if body.get("boost") == 0:
        return None
    if name == "bool":
        return _of_bool(body, path, fields)
    if name == "dis_max":
        found = [_read(one, (*path, name, *at), fields) for at, one in _each(body.get("queries"), "queries")]
        return _together(path, [one for one in found if one])
    leaf = _LEAVES.get(name)
    return leaf(body, path, fields) if leaf else None


def _of_bool(body: dict[str, Any], path: Path, fields: Fields) -> Words | None:
    """Words where they stand alone in what ranks; the whole bool where others rank beside them.

    Scores of others have another scale than those with a code: beside the words they would drown them.
    """
    ranking = [(member, at, one) for member in ("must", "should") for at, one in _each(body.get(member), member)]
    read = [(member, one, _read(one, (*path, "bool", *at), fields)) for member, at, one in ranking]
    found = [words for _, _, words in read if words]
    if not found:
        return None
    restricting = [one for member in ("filter", "must_not") for _, one in _each(body.get(member), member)]
    others = [one for _, one, words in read if words is None]
    limits = tuple(map(_written, [*others, *restricting]))
    required = body.get("must") or body.get("filter")
    optional = bool(required) and not body.get("minimum_should_match") and any(m == "should" for m, _, w in read if w)
    if len(found) == 1 and not others and not optional:
        return Words(found[0].path, found[0].texts, (*found[0].limits, *limits))
    together = _together(path, found)
    return together and Words(path, together.texts, (*together.limits, *limits))


def _together(path: Path, found: Sequence[Words]) -> Words | None:
    texts = {text.casefold(): text for one in reversed(found) for text in reversed(one.texts)}
    limits = tuple(limit for one in found for limit in one.limits)
    return Words(path, tuple(reversed(texts.values())), limits) if found else None


def _match(body: dict[str, Any], path: Path, fields: Fields) -> Words | None:
    if len(body) != 1:
        raise Unsure("match names one field")
    [(field, said)] = body.items()
    if isinstance(said, dict):
        if said.get("boost") == 0:
            return None
        said = said.get("query")
    return _of_text(said, path) if fields.takes(field) else None


def _several(body: dict[str, Any], path: Path, fields: Fields) -> Words | None:
    return _of_text(body.get("query"), path) if fields.takes_any(names_of(body)) else None


def _query_string(body: dict[str, Any], path: Path, fields: Fields) -> Words | None:
    return _of_atoms(lucene(string_of(body)), path, fields, fields.takes_any(names_of(body)))


def _simple_query_string(body: dict[str, Any], path: Path, fields: Fields) -> Words | None:
    if body.get("flags", "ALL") not in ("ALL", -1):
        raise Unsure("only some operators of simple_query_string count here")
    return _of_atoms(simple(string_of(body)), path, fields, fields.takes_any(names_of(body)))


_LEAVES = {
    "match": _match,
    "multi_match": _several,
    "combined_fields": _several,
    "query_string": _query_string,
    "simple_query_string": _simple_query_string,
}


def _of_text(said: Any, path: Path) -> Words | None:
    """A number or a truth value is no word."""
    return Words(path, (said.strip(),)) if isinstance(said, str) and said.strip() else None


def _of_atoms(atoms: Sequence[Atom], path: Path, fields: Fields, free: bool) -> Words | None:
    """`free`: words without a field count."""
    words: list[str] = []
    limits: list[str] = []
    for one in atoms:
        if one.text and counts(one, fields, free):
            words.append(one.text)
        elif one.text != "":
            limits.append(one.limit)
    return Words(path, (" ".join(words),), tuple(limits)) if words else None


def counts(one: Atom, fields: Fields, free: bool) -> bool:
    """Whether it is a word that is encoded, and no limit. `free`: words without a field are."""
    return bool(one.text) and not one.negated and (fields.takes(one.field) if one.field else free)


def string_of(body: dict[str, Any]) -> str:
    """The string of a query string. Raises Unsure."""
    said = body.get("query")
    if not isinstance(said, str):
        raise Unsure("the query string is no string")
    if len(said) > MAX_STRING:
        raise Unsure(f"the query string has more than {MAX_STRING} letters")
    return said


def names_of(body: dict[str, Any]) -> list[str]:
    """The fields that a query names for all its words. Raises Unsure."""
    named = body.get("fields", body.get("default_field", []))
    names = [named] if isinstance(named, str) else named
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise Unsure("fields are no list of names")
    return names


def _each(node: Any, member: str) -> Iterator[tuple[Path, Any]]:
    """The queries of a member that holds one or a list of them, with the way to each."""
    if isinstance(node, list):
        for at, one in enumerate(node):
            yield (member, at), one
    elif node is not None:
        yield (member,), node


def _written(query: Any) -> str:
    return json.dumps(query, ensure_ascii=False, default=str)
