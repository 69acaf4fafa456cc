"""What a test looks at and remembers: paths into an answer, the stash of its variables, and how values are compared."""

import re
from collections.abc import Mapping
from typing import Any

MISSING = object()
_VARIABLE = re.compile(r"\$\{(\w+)\}")


def at(content: Any, path: str, stash: Mapping[str, Any]) -> Any:
    """The value at `a.0.b\\.c` of `content`; MISSING where there is none. A part may be a variable of the stash."""
    if path in ("", "$body"):
        return content
    for raw in re.split(r"(?<!\\)\.", path):
        part = raw.replace("\\.", ".")
        part = str(stash[part[1:]]) if part.startswith("$") and part[1:] in stash else part
        part = _VARIABLE.sub(lambda found: str(stash[found[1]]), part)
        if part == "$body":
            continue
        if part == "_arbitrary_key_" and isinstance(content, dict) and content:
            return next(iter(content)) if path.endswith("_arbitrary_key_") else at(content, _rest(path, content), stash)
        try:
            content = content[int(part)] if isinstance(content, list) else content[part]
        except (KeyError, IndexError, ValueError, TypeError):
            return MISSING
    return content


def _rest(path: str, content: Mapping[str, Any]) -> str:
    """The path behind `_arbitrary_key_`, led through the first key there is."""
    key = next(iter(content)).replace(".", "\\.")
    return f"{key}.{path.split('_arbitrary_key_.', 1)[1]}"


def filled(value: Any, stash: Mapping[str, Any]) -> Any:
    """`value` with `$name` and `${name}` replaced, in keys too; a text that is one variable takes its type."""
    if isinstance(value, dict):
        return {filled(key, stash): filled(one, stash) for key, one in value.items()}
    if isinstance(value, list):
        return [filled(one, stash) for one in value]
    if not isinstance(value, str):
        return value
    if value.startswith("$") and value[1:] in stash:
        return stash[value[1:]]
    return _VARIABLE.sub(lambda found: str(stash.get(found[1], found[0])), value)


def same(expected: Any, actual: Any) -> bool:
    """Whether `actual` is what a `match` expects: `/…/` is a pattern, whole numbers equal floating ones."""
    if isinstance(expected, str) and len(expected.strip()) > 1 and expected.strip()[0] == expected.strip()[-1] == "/":
        return re.search(expected.strip()[1:-1].replace("\\/", "/"), str(actual), re.VERBOSE) is not None
    if isinstance(expected, dict) and isinstance(actual, dict):
        return expected.keys() == actual.keys() and all(same(one, actual[key]) for key, one in expected.items())
    if isinstance(expected, list) and isinstance(actual, list):
        return len(expected) == len(actual) and all(map(same, expected, actual))
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, float) != isinstance(actual, float) and isinstance(actual, int | float):
        return isinstance(expected, int | float) and float(expected) == float(actual)
    return bool(expected == actual)


def truth(value: Any) -> bool:
    """What `is_true` asks for: there, and none of the empty text, false and zero."""
    return value is not MISSING and value is not None and str(value).lower() not in ("", "false", "0")
