"""The process that holds the node: `python -m tests.knn_node.host '<order as JSON>'`, until SIGTERM comes.

A process can hold one, as it has one Java machine; it dies with its parent (`integration.engine.lifeline.child`).
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jpype

from integration.engine import java
from integration.engine.archive import ClassArchive
from integration.engine.node import ROLES, SETTINGS, first_cause, http_port, start_java
from mappings.errors import EngineUnavailable
from tests.knn_node import layout
from tests.knn_node.node import Order


def hold(order: Order) -> None:
    """Start the node in this process, publish its URL, and close it when SIGTERM comes."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    folder = Path(order.folder)
    home, libraries = layout.laid_out()
    found = java.find()
    archive = ClassArchive.of(found, libraries)
    start_java(found, libraries, heap=order.heap, scratch=folder / "tmp", options=archive.options())
    node = _node(home, folder, order.settings)
    part = folder / "url.part"
    part.write_text(f"http://127.0.0.1:{http_port(node)}", encoding="utf-8")
    part.rename(folder / "url")
    stop.wait()
    node.close()
    archive.keep(end=jpype.shutdownJVM)


def _node(home: Path, folder: Path, settings: Mapping[str, str]) -> Any:
    """A node as OpenSearch's own start makes it, but inside this process and as any user."""
    (folder / "config").mkdir(exist_ok=True)
    builder = jpype.JClass("org.opensearch.common.settings.Settings").builder()
    own = {
        "path.home": str(home),
        "path.data": str(folder / "data"),
        "path.logs": str(folder / "logs"),
        "cluster.name": "crosshatch-knn",
        "node.name": "knn",
        "discovery.type": "single-node",
    }
    for name, value in {**SETTINGS, **own, **settings}.items():
        builder.put(name, value)
    builder.putList("node.roles", list(ROLES))
    config = jpype.java.nio.file.Path.of(str(folder / "config"))
    environment = jpype.JClass("org.opensearch.env.Environment")(builder.build(), config)
    try:
        node = jpype.JClass("org.opensearch.node.Node")(environment)
        return node.start()
    except jpype.JException as error:
        raise EngineUnavailable(f"the node with plugins did not start: {first_cause(error)}") from error


if __name__ == "__main__":
    hold(Order(**json.loads(sys.argv[1])))
    sys.stderr.flush()
    os._exit(0)  # Python's own exit would wait for threads of Java
