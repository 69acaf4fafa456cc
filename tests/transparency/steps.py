"""One test carried out: its steps against a node, up to the first that does not hold."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.transparency.requests import Answer, BadParameter, Connection, Request, build
from tests.transparency.suite import RestTest, Steps
from tests.transparency.values import MISSING, at, filled, same, truth

FEATURES = {
    "allowed_warnings",
    "arbitrary_key",
    "contains",
    "default_shards",
    "headers",
    "node_selector",
    "stash_in_path",
    "warnings",
    "yaml",
}
_CAUGHT: Mapping[str, Callable[[int], bool]] = {
    "bad_request": lambda status: status == 400,
    "unauthorized": lambda status: status == 401,
    "forbidden": lambda status: status == 403,
    "missing": lambda status: status == 404,
    "request_timeout": lambda status: status == 408,
    "conflict": lambda status: status == 409,
    "unavailable": lambda status: status == 503,
    "request": lambda status: status >= 400 and status not in (400, 401, 403, 404, 408, 409, 503),
}


class Skipped(Exception):
    """The test is not for this version, or needs what this runner or node lacks."""


class Broken(Exception):
    """A step does not hold."""


@dataclass(slots=True)
class Result:
    """How a test ended: `end` is pass, fail or skip; `where` the step that fails; `forms` those of its answers."""

    name: str
    end: str
    where: str = ""
    why: str = ""
    forms: list[tuple[Any, ...]] = field(default_factory=list)


@dataclass(slots=True)
class Play:
    """A test in hand: what it remembers and the last answer."""

    connection: Connection
    apis: Mapping[str, Mapping[str, Any]]
    version: tuple[int, ...]
    stash: dict[str, Any] = field(default_factory=dict)
    forms: list[tuple[Any, ...]] = field(default_factory=list)
    answer: Answer | None = None
    content: Any = None

    def run(self, test: RestTest) -> Result:
        """Setup, steps, and in any case the teardown."""
        result = Result(test.name, "pass", forms=self.forms)
        where = ""
        try:
            for part, steps in (("setup", test.setup), ("test", test.steps), ("teardown", test.teardown)):
                for number, step in enumerate(steps):
                    where = f"{part} {number}"
                    self._step(step)
        except Skipped as reason:
            result.end, result.why = "skip", str(reason)
        except (Broken, BadParameter, ValueError, OSError) as error:
            [action] = step
            result.end, result.where = "fail", f"{where} {action}"
            result.why = f"{type(error).__name__}: {error}"[:500]
        if result.end != "pass" and not where.startswith("teardown"):
            self._cleared(test.teardown)
        return result

    def _cleared(self, teardown: Steps) -> None:
        for step in teardown:
            try:
                self._step(step)
            except (Skipped, Broken, BadParameter, ValueError, OSError):
                return

    def _step(self, step: Mapping[str, Any]) -> None:
        [(action, said)] = step.items()
        if action == "do":
            self._do(dict(said))
        elif action == "skip":
            _skip(said, self.version)
        elif action == "set":
            for path, name in said.items():
                value = at(self.content, path, self.stash)
                if value is MISSING:
                    raise Broken(f"nothing at {path}")
                self.stash[name] = value
        elif action in ("is_true", "is_false"):
            value = at(self.content, str(said), self.stash)
            if truth(value) != (action == "is_true"):
                raise Broken(f"{said} is {_short(value)}")
        else:
            for path, expected in said.items():
                self._holds(action, str(path), filled(expected, self.stash))

    def _holds(self, action: str, path: str, expected: Any) -> None:
        actual = self.stash.get(path[1:], MISSING) if path.startswith("$") and path != "$body" else MISSING
        if actual is MISSING:
            actual = at(self.content, path, self.stash)
        checks: Mapping[str, Callable[[], bool]] = {
            "match": lambda: same(expected, None if actual is MISSING else actual),
            "length": lambda: len(actual) == int(expected),
            "contains": lambda: any(_contained(expected, one) for one in actual),
            "gt": lambda: actual > expected,
            "gte": lambda: actual >= expected,
            "lt": lambda: actual < expected,
            "lte": lambda: actual <= expected,
        }
        if action not in checks:
            raise Skipped(f"this runner has no {action}")
        try:
            held = checks[action]()
        except (TypeError, re.error) as error:
            raise Broken(f"{action} {path}: {error}; it is {_short(actual)}") from error
        if not held:
            raise Broken(f"{action} {path}: expected {_short(expected)}, it is {_short(actual)}")

    def _do(self, said: dict[str, Any]) -> None:
        caught = said.pop("catch", None)
        headers = filled(said.pop("headers", {}), self.stash)
        wanted, allowed = said.pop("warnings", []), said.pop("allowed_warnings", [])
        said.pop("node_selector", None)  # there is one node
        for name, arguments in said.items():
            self._call(name, filled(arguments or {}, self.stash), caught, headers)
        given = set(self.answer.warnings if self.answer else ())
        if given - set(wanted) - set(allowed) or not set(wanted) <= given:
            raise Broken(f"warnings: {_short(sorted(given))}")

    def _call(self, name: str, arguments: Mapping[str, Any], caught: str | None, headers: Mapping[str, str]) -> None:
        if name not in self.apis:
            raise Skipped(f"the suite describes no API {name}")
        try:
            request = build(self.apis[name], name, arguments, headers)
        except BadParameter:
            if caught == "param":
                return
            raise
        self._ask(request, caught, {int(one) for one in _listed(arguments.get("ignore"))})

    def _ask(self, request: Request, caught: str | None, ignored: set[int]) -> None:
        answer = self.answer = self.connection.send(request)
        self.forms.append(answer.form)
        self.content = answer.content
        said = f"{request.method} {request.target}: {answer.status} {_short(self.content)}"
        failed = answer.status >= 400 and answer.status not in ignored
        if caught is None:
            if failed and not (request.method == "HEAD" and answer.status == 404):
                raise Broken(said)
        elif caught.startswith("/"):
            text = self.content if isinstance(self.content, str) else json.dumps(self.content, ensure_ascii=False)
            texts = (text, text.replace('\\"', '"').replace("\\\\", "\\"))
            pattern = caught.strip().strip("/")
            if answer.status < 400 or not any(re.search(pattern, one) for one in texts):
                raise Broken(f"not the error that was wanted, {caught}: {said}")
        elif caught == "param" or not _CAUGHT[caught](answer.status):
            raise Broken(f"not the error that was wanted, {caught}: {said}")


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _contained(expected: Any, actual: Any) -> bool:
    """Whether a list's member is the one wanted: all that is named of a map, else the same value."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        return all(key in actual and same(one, actual[key]) for key, one in expected.items())
    return same(expected, actual)


def _skip(said: Mapping[str, Any], version: tuple[int, ...]) -> None:
    """Raises Skipped."""
    features = said.get("features", [])
    names = {part.strip() for one in _listed(features) for part in str(one).split(",")}
    if lacking := names - FEATURES:
        raise Skipped(f"this runner lacks {', '.join(sorted(lacking))}")
    for span in filter(None, (part.strip() for part in str(said.get("version", "")).split(","))):
        low, _, high = span.partition("-")
        if span == "all" or _number(low, 0) <= version <= _number(high, 10**6):
            raise Skipped(str(said.get("reason", span)))


def _number(text: str, otherwise: int) -> tuple[int, ...]:
    """A version as it sorts: those of Elasticsearch, 5 to 7, came before OpenSearch's first."""
    first, *others = map(int, text.strip().split(".")) if text.strip() else (otherwise,)
    return (first - 10 if first in (5, 6, 7) else first, *others)


def _short(value: Any) -> str:
    return "nothing" if value is MISSING else json.dumps(value, default=str, ensure_ascii=False)[:300]
