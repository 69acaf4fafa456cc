"""Unmodified clients from the registries, each living the usual life of a catalogue directly and through the gateway.

Each is a small program that takes the URL and the name of an index, and prints what it saw, one line a step. What it
needs comes from its own registry into the user's cache; where a toolchain is missing it is skipped, and says so.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jgo.maven import MavenContext, PythonResolver
from rich.table import Table

from integration.engine import jars
from tests.transparency.engines import Place, gateway, node

HERE = Path(__file__).parent
JAVA = (
    "com.fasterxml.jackson.core:jackson-core:2.18.2",  # nearer than the older one that an import would bring
    "org.opensearch.client:opensearch-rest-high-level-client:2.19.3",
    "org.apache.logging.log4j:log4j-core:2.21.0",
)


class Missing(Exception):
    """What the client needs is not to be had here."""


@dataclass(frozen=True, slots=True)
class Client:
    """A client: `prepare` installs it into a folder and gives the command; `compat` is what the gateway then speaks."""

    name: str
    prepare: Callable[[Path], list[str]]
    compat: str | None = None


def _tool(name: str) -> str:
    found = shutil.which(name)
    if not found:
        raise Missing(f"no {name} on this machine")
    return found


def _ran(*command: str, cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise Missing(f"{Path(command[0]).name}: {(done.stderr or done.stdout).strip().splitlines()[-1:]}")


def _python(requirement: str, program: str) -> Callable[[Path], list[str]]:
    def prepare(folder: Path) -> list[str]:
        python = folder / "bin" / "python"
        if not (folder / ".done").exists():
            _ran(sys.executable, "-m", "venv", "--clear", str(folder))
            _ran(str(python), "-m", "pip", "install", "--quiet", *requirement.split())
            (folder / ".done").touch()
        return [str(python), "-W", "ignore", str(HERE / program)]

    return prepare


def _javascript(package: str) -> Callable[[Path], list[str]]:
    def prepare(folder: Path) -> list[str]:
        program, npm = _tool("node"), _tool("npm")
        if not (folder / ".done").exists():
            _ran(npm, "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(folder), package)
            (folder / ".done").touch()
        shutil.copy(HERE / "life.js", folder)  # what it requires is looked for beside it
        return [program, "--no-warnings", str(folder / "life.js"), *package.rsplit("@", 1)]

    return prepare


def _java(folder: Path) -> list[str]:
    java, javac = _tool("java"), _tool("javac")
    context = MavenContext(resolver=PythonResolver(), repo_cache=jars.cache() / "maven")
    inputs, transitive = context.resolver.resolve([context.create_dependency(name) for name in JAVA])
    needed = [one.artifact for one in (*inputs, *transitive) if one.scope in (None, "compile", "runtime")]
    paths = os.pathsep.join(str(artifact.resolve()) for artifact in needed)
    _ran(javac, "-cp", paths, "-d", str(folder), str(HERE / "Life.java"))
    return [java, "-cp", os.pathsep.join((paths, str(folder))), "Life"]


def _go(folder: Path) -> list[str]:
    go = _tool("go")
    for name in ("life.go", "go.mod", "go.sum"):
        shutil.copy(HERE / "go" / name, folder)
    _ran(go, "build", "-o", "life", ".", cwd=folder)
    return [str(folder / "life")]


def _perl(_folder: Path) -> list[str]:
    perl = _tool("perl")
    try:
        _ran(perl, "-MSearch::Elasticsearch", "-e1")
    except Missing:
        raise Missing("no Search::Elasticsearch; `apt-get install libsearch-elasticsearch-perl`, or CPAN") from None
    return [perl, str(HERE / "life.pl"), "8_0::Direct"]


CLIENTS = (
    Client("opensearch-py 3.2.0", _python("opensearch-py==3.2.0", "opensearch_life.py")),
    Client("opensearch-py 2.8.0", _python("opensearch-py==2.8.0", "opensearch_life.py")),
    Client("opensearch-js 3.9.0", _javascript("@opensearch-project/opensearch@3.9.0")),
    Client("java high-level 2.19.3 (SMILE, gzip)", _java),
    Client("opensearch-go 4.8.1", _go),
    Client("elasticsearch-py 7.13.4", _python("elasticsearch==7.13.4 urllib3<2", "elasticsearch_life.py")),
    Client("elasticsearch-py 7.17.12", _python("elasticsearch==7.17.12 urllib3<2", "elasticsearch_life.py"), "7"),
    Client("elasticsearch-py 8.19.3", _python("elasticsearch==8.19.3", "elasticsearch_life.py"), "8"),
    Client("elasticsearch-js 7.17.14", _javascript("@elastic/elasticsearch@7.17.14"), "7"),
    Client("elasticsearch-js 8.19.2", _javascript("@elastic/elasticsearch@8.19.2"), "8"),
    Client("perl Search::Elasticsearch 8.00", _perl, "8"),
)


def compare(names: Iterable[str], *, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Each client's life in both ways. Those that refuse OpenSearch have no direct run: theirs must end well."""
    wanted = [client for client in CLIENTS if not names or client.name.startswith(tuple(names))]
    rows = []
    with node() as place:
        for client in wanted:
            rows.append(_compared(client, place))
            say(f"{client.name}: {rows[-1]['result']}")
    return rows


def _compared(client: Client, place: Place) -> dict[str, Any]:
    row: dict[str, Any] = {"client": client.name, "same": None}
    folder = jars.cache() / "clients" / re.sub(r"[^\w.-]+", "-", client.name)
    folder.mkdir(parents=True, exist_ok=True)
    try:
        command = client.prepare(folder)
    except Missing as reason:
        return {**row, "result": f"skipped: {reason}"}
    direct = life(command, place.url)
    with gateway(place, *(("--compat", f"elasticsearch-{client.compat}") if client.compat else ())) as before:
        through = life(command, before.url)
    ended = through[0] == 0 and through[1][-1:] == ["done"]
    if client.compat:
        good, said = ended and direct[0] != 0, "refuses the cluster itself; lives through the gateway"
    else:
        good, said = ended and direct == through, "the same in both ways"
    if not good:
        said = f"direct: {direct[0]} {direct[1][-3:]}; through the gateway: {through[0]} {through[1][-3:]}"
    return {**row, "same": good, "steps": len(through[1]), "result": said}


def life(command: list[str], url: str) -> tuple[int, list[str]]:
    """The exit code and the lines of a client's life at `url`; where it ended badly, with its last error."""
    done = subprocess.run([*command, url, "life"], capture_output=True, text=True, timeout=180)
    said = done.stdout.splitlines()
    return done.returncode, said if done.returncode == 0 else said + done.stderr.strip().splitlines()[-1:]


def table(rows: list[dict[str, Any]]) -> Table:
    """One line a client."""
    shown = Table("client", "steps", "result")
    for row in rows:
        shown.add_row(row["client"], str(row.get("steps", "-")), row["result"])
    return shown
