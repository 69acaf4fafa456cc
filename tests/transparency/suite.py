"""OpenSearch's own REST tests: the suite `org.opensearch:rest-api-spec`, its API descriptions and its YAML tests.

The jar comes from Maven Central through jgo, once a user, as the engine's libraries do. Nothing of it is kept here.
"""

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from jgo.maven import MavenContext, PythonResolver

from integration.engine import jars

COORDINATE = "org.opensearch:rest-api-spec:3.1.0"
_TESTS, _API = "rest-api-spec/test/", "rest-api-spec/api/"
Steps = tuple[dict[str, Any], ...]


class _AsJackson(yaml.CSafeLoader):  # type: ignore[misc]  # the C loader has no types
    """YAML as OpenSearch's runner reads it: no dates, and only `true` and `false` are booleans."""


_AsJackson.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in rules if not tag.endswith((":timestamp", ":bool"))]
    for first, rules in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}
_AsJackson.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), "tTfF")


@dataclass(frozen=True, slots=True)
class RestTest:
    """One test: `name` is `<file>/<its title>`; setup and teardown are those of its file."""

    name: str
    setup: Steps
    steps: Steps
    teardown: Steps


def jar(coordinate: str = COORDINATE) -> Path:
    """The suite in the user's cache, downloaded where it is not there yet."""
    context = MavenContext(resolver=PythonResolver(), repo_cache=jars.cache() / "maven")
    return Path(context.create_dependency(coordinate).artifact.resolve())


def tests(path: Path) -> Iterator[RestTest]:
    """Every test of the suite, by file and then as it stands there."""
    with zipfile.ZipFile(path) as archive:
        for file in sorted(archive.namelist()):
            if not (file.startswith(_TESTS) and file.endswith(".yml")):
                continue
            parts: dict[str, Any] = {}
            for document in yaml.load_all(archive.read(file), Loader=_AsJackson):
                parts.update(document or {})
            ends = [tuple(parts.pop(name, None) or ()) for name in ("setup", "teardown")]
            place = file.removeprefix(_TESTS).removesuffix(".yml")
            for title, steps in parts.items():
                yield RestTest(f"{place}/{title}", ends[0], tuple(steps), ends[1])


def apis(path: Path) -> dict[str, dict[str, Any]]:
    """The description of every API by its name; the parameters that all of them take are among each one's."""
    with zipfile.ZipFile(path) as archive:
        files = [name for name in archive.namelist() if name.startswith(_API) and name.endswith(".json")]
        found: dict[str, dict[str, Any]] = {}
        for file in files:
            found.update(json.loads(archive.read(file)))
        common = json.loads(archive.read(f"{_API}_common.json"))["params"]
    found.pop("params", None)
    found.pop("documentation", None)
    return {name: {**api, "params": {**common, **api.get("params", {})}} for name, api in found.items()}


def sampled(everything: list[RestTest], share: float) -> list[RestTest]:
    """So much of the suite, evenly over it: the same tests each time."""
    count = max(1, round(len(everything) * share))
    return [everything[number * len(everything) // count] for number in range(count)]
