"""What a query string says, taken apart: words, phrases and limits such as `field:value`. Pure.

Both grammars are the engine's own, read strictly: what it might read otherwise than we do raises Unsure, and the string
is left alone. What is read here decides which words are encoded, and what `expand` takes for limits.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace


class Unsure(Exception):
    """Nobody can tell for certain what is meant, so the search passes as it came."""


@dataclass(frozen=True, slots=True)
class Atom:
    """The smallest part: a word or a phrase, in a field where one is named.

    `text` is None where it is no plain words: a range, a pattern, an expression. `negated`: it must not be found.
    In a `query_string` it stands from sign `start` to `end`, with its field where that is its own; `plain`: and nothing
    around it is negated, not even twice.
    """

    text: str | None
    field: str | None = None
    negated: bool = False
    plain: bool = False
    start: int = 0
    end: int = 0

    @property
    def limit(self) -> str:
        """As people write it; values of users are shown to nobody but who asks for them."""
        said = f"{self.field}:{self.text or '…'}" if self.field else self.text or "…"
        return f"-{said}" if self.negated else said


_BLANKS = " \t\n\r\u3000"
_PLAIN = rf"[^{_BLANKS}+\-!():^\[\]\"{{}}~*?\\/]|\\."
_LUCENE = re.compile(
    rf"""(?P<blank>[{_BLANKS}]+)
    | (?P<quoted>"(?:[^"\\]|\\.)*")
    | (?P<range>[\[{{][^\[\]{{}}]*[\]}}])
    | (?P<pattern>/(?:[^/\\]|\\.)*/)
    | (?P<fuzzy>~[0-9]*(?=[{_BLANKS})^]|\Z))
    | (?P<boost>\^[0-9]+(?:\.[0-9]+)?)
    | (?P<word>(?:{_PLAIN}|[*?])(?:{_PLAIN}|[-+*?])*)
    | (?P<sign>&&|\|\||[+\-!():])""",
    re.DOTALL | re.VERBOSE,
)
_JOINS = ("AND", "OR", "&&", "||")
_SIMPLE = re.compile(
    r"""(?P<blank>[ \t\n\r]+)
    | (?P<quoted>"(?:[^"\\]|\\.)*"(?:~[0-9]+(?=[ \t\n\r|+()]|\Z))?)
    | (?P<sign>[-+|()])
    | (?P<word>(?:[^ \t\n\r"|+()\\]|\\.)+)""",
    re.DOTALL | re.VERBOSE,
)
_DEPTH = 50  # parentheses in one another
Token = tuple[str, str]  # kind, text


def lucene(text: str) -> list[Atom]:
    """The atoms of a `query_string`. Raises Unsure."""
    reader = _Lucene(text)
    atoms = list(reader.query(None, negations=0, depth=0))
    if reader.kind:
        raise Unsure("a parenthesis closes that was not opened")
    return atoms


def simple(text: str) -> list[Atom]:
    """The atoms of a `simple_query_string` with all its operators. Raises Unsure."""
    atoms: list[Atom] = []
    around = [False]
    negated = False
    for kind, said in _tokens(_SIMPLE, text):
        if negated and (kind == "blank" or said in ("-", "+", "|", ")")):
            raise Unsure("a minus stands before nothing")
        if kind == "blank" or said in ("+", "|"):
            continue
        if said == "-":
            negated = True
            continue
        if said == ")":
            around.pop()
            if not around:
                raise Unsure("a parenthesis closes that was not opened")
            continue
        if said == "(":
            around.append(around[-1] != negated)
        else:
            atoms.append(Atom(_quoted(said) if kind == "quoted" else _simple_word(said), None, around[-1] != negated))
        negated = False
    if len(around) > 1 or negated:
        raise Unsure("a parenthesis is not closed, or a minus stands before nothing")
    return atoms


class _Lucene:
    """The classic grammar: clauses joined by AND, OR or nothing, each with + - NOT before it and a field."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(_LUCENE, text)
        self._at = -1
        self._start = 0  # of the token in hand, in signs
        self.kind, self.said = "", ""
        self._next()

    def query(self, field: str | None, *, negations: int, depth: int) -> Iterator[Atom]:
        """Clauses up to the end or a closing parenthesis, at least one."""
        if depth > _DEPTH:
            raise Unsure(f"more than {_DEPTH} parentheses stand in one another")
        while True:
            if self.kind == "blank":
                self._next()
            yield from self._clause(field, negations, depth)
            self._skip_blank()
            if not self.kind or self.said == ")":
                return
            if self.said in _JOINS and self.kind in ("word", "sign"):
                self._next()

    def _clause(self, field: str | None, negations: int, depth: int) -> Iterator[Atom]:
        bare = False
        if self.kind == "sign" and self.said in ("+", "-", "!"):
            negations += self.said != "+"
            self._next()
            bare = self.kind == "blank"  # `war - peace`: to the engine a word without letters
        elif self.kind == "word" and self.said == "NOT":
            negations += 1
            self._next()
            self._skip_blank()
        if bare:
            return
        start = self._start
        if self.kind == "word" and self.said not in (*_JOINS, "NOT") and self._peeked() == ":":
            if _word(self.said) is None or (self.said.endswith("*") and self.said != "*"):
                raise Unsure("a field is named by a pattern")
            field = _unescaped(self.said)
            self._next()
            self._next()
            self._skip_blank()
        if self.said == "(" and self.kind == "sign":
            self._next()
            yield from self.query(field, negations=negations, depth=depth + 1)
            if self.said != ")" or self.kind != "sign":
                raise Unsure("a parenthesis is not closed")
            self._next()
            self._skip_once("boost")
        else:
            plain = self.kind != "range"
            atom = self._atom(field, negated=negations % 2 == 1)
            self._skip_once("boost", *(("fuzzy",) if plain else ()))
            yield replace(atom, plain=negations == 0, start=start, end=self._start)

    def _atom(self, field: str | None, *, negated: bool) -> Atom:
        kind, said = self.kind, self.said
        if kind not in ("word", "quoted", "range", "pattern") or (kind == "word" and said in (*_JOINS, "NOT")):
            raise Unsure(f"a word was expected where {said!r} stands" if said else "the string ends too soon")
        self._next()
        if kind == "quoted":
            return Atom(_quoted(said), field, negated)
        if said == "*":
            return Atom("", field, negated)
        if field == "*":
            raise Unsure("a field is named by a pattern")
        text = _word(said) if kind == "word" else None
        if text is None and field is None:
            raise Unsure("a pattern or a range stands among the words")
        return Atom(text, field, negated)

    def _next(self) -> None:
        self._at += 1
        self._start += len(self.said)
        self.kind, self.said = self._tokens[self._at] if self._at < len(self._tokens) else ("", "")

    def _skip_once(self, *kinds: str) -> None:
        """What weakens or strengthens a clause: each kind once. A second is taken for a word, which it is not."""
        left = set(kinds)
        while self.kind in left:
            left.discard(self.kind)
            self._next()

    def _peeked(self) -> str:
        return self._tokens[self._at + 1][1] if self._at + 1 < len(self._tokens) else ""

    def _skip_blank(self) -> None:
        if self.kind == "blank":
            self._next()


def _tokens(grammar: re.Pattern[str], text: str) -> list[Token]:
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        match = grammar.match(text, at)
        if match is None:
            raise Unsure(f"sign {at + 1} of the string can be read in several ways")
        tokens.append((str(match.lastgroup), match[0]))
        at = match.end()
    return tokens


def _word(said: str) -> str | None:
    """The word that a term is; None for a pattern. A star at its end, which catalogues add, is left out."""
    if said.endswith("*") and not re.search(r"(?:^|[^\\])(?:\\\\)*\\\*$", said):
        said = said[:-1]
    if re.search(r"(?<!\\)(?:\\\\)*[*?]", said) or said[:1] in ("<", ">", "="):
        return None
    return _unescaped(said)


def _simple_word(said: str) -> str:
    word, tilde, distance = re.sub(r"\\.", "__", said, flags=re.DOTALL).partition("~")
    if tilde and (not word or distance.strip("0123456789")):
        raise Unsure("a tilde stands where it may mean two things")
    said = said[: len(word)]
    return _unescaped(said[:-1] if word.endswith("*") else said)


def _quoted(said: str) -> str:
    return _unescaped(said[1 : said.rindex('"')])


def _unescaped(said: str) -> str:
    if "\\u" in said:
        raise Unsure("a sign is written by its number")
    return re.sub(r"\\(.)", r"\1", said, flags=re.DOTALL)
