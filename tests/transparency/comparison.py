"""Two runs of the suite side by side: every test must end the same, and every answer have the same form."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.transparency.requests import Connection
from tests.transparency.steps import Play, Result
from tests.transparency.suite import RestTest
from tests.transparency.wiping import wipe


def play(
    tests: Sequence[RestTest], apis: dict[str, dict[str, Any]], *, node: str, url: str, version: str
) -> list[Result]:
    """Carry the tests out at `url`; between two of them everything is deleted at `node`."""
    number = tuple(int(part) for part in version.split("."))
    direct, connection = Connection(node), Connection(url)
    results = []
    for test in tests:
        wipe(direct)
        results.append(Play(connection, apis, number).run(test))
    direct.close()
    connection.close()
    return results


def differences(direct: Sequence[Result], through: Sequence[Result], way: str = "gateway") -> list[dict[str, Any]]:
    """What ended in another way, or at another step, or got an answer with another status, type or set of headers."""
    found = []
    for one, other in zip(direct, through, strict=True):
        forms = [number for number, pair in enumerate(zip(one.forms, other.forms, strict=False)) if pair[0] != pair[1]]
        if (one.end, one.where) == (other.end, other.where) and not forms:
            continue
        ends = {"direct": _end(one), way: _end(other)}
        pair = (one.forms[forms[0]], other.forms[forms[0]]) if forms else None
        found.append({"test": one.name, **ends, "answers": pair})
    return found


def summary(direct: Sequence[Result], through: Sequence[Result], way: str) -> dict[str, Any]:
    """Counts of both runs, the second being `way`, the differences, and what the node itself does not pass."""
    return {
        "tests": len(direct),
        "requests": sum(len(one.forms) for one in direct),
        "direct": _counts(direct),
        way: _counts(through),
        "different": differences(direct, through, way),
        "failing_alike": [
            {"test": one.name, "where": one.where, "why": one.why}
            for one, other in zip(direct, through, strict=True)
            if one.end == other.end == "fail" and one.where == other.where
        ],
    }


def _counts(results: Sequence[Result]) -> dict[str, int]:
    counted = Counter(result.end for result in results)
    return {end: counted[end] for end in ("pass", "fail", "skip")}


def _end(result: Result) -> str:
    return " ".join(filter(None, (result.end, result.where, result.why)))
