"""How a test or a benchmark starts the node in a process of its own and waits for it."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from integration.engine import lifeline
from mappings.errors import EngineUnavailable
from tests.knn_node import layout

START_SECONDS = 180.0
STOP_SECONDS = 60.0  # the first run writes an archive of the classes at its end
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Order:
    """What to start: `folder` gets data, logs and the file `url`, which appears once the node answers."""

    folder: str
    heap: str
    settings: dict[str, str] = field(default_factory=dict)


@contextmanager
def knn_node(
    folder: Path | None = None, *, heap: str = "1g", settings: Mapping[str, str] | None = None
) -> Iterator[str]:
    """A node with both plugins for the length of a `with` block; gives its URL.

    Its data lie in `folder`, else in a temporary one. `heap` is Java's (`1g`), `settings` are further node settings.
    Raises EngineUnavailable where it cannot be downloaded or does not start.
    """
    layout.laid_out()  # here and not in the child: its progress is for whoever waits
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(folder or scratch).absolute()
        place.mkdir(parents=True, exist_ok=True)
        (place / "url").unlink(missing_ok=True)
        host = _started(Order(str(place), heap, dict(settings or {})))
        try:
            yield _awaited(host, place)
        finally:
            host.terminate()
            try:
                host.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                host.kill()
                host.wait()


def _started(order: Order) -> "subprocess.Popen[bytes]":
    search = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    command = [sys.executable, "-m", "tests.knn_node.host", json.dumps(asdict(order))]
    return lifeline.child(command, log=Path(order.folder) / "host.log", env={**os.environ, "PYTHONPATH": search})


def _awaited(host: "subprocess.Popen[bytes]", folder: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while host.poll() is None and time.monotonic() < deadline:
        if (folder / "url").exists():
            return (folder / "url").read_text(encoding="utf-8")
        time.sleep(0.1)
    said = (folder / "host.log").read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
    state = f"ended with {host.returncode}" if host.returncode is not None else f"no answer in {START_SECONDS:.0f} s"
    raise EngineUnavailable(f"the node with plugins did not start ({state}): {' / '.join(said) or 'it said nothing'}")
