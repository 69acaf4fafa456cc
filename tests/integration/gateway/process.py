"""Starts and stops `crosshatch serve`."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from integration.engine import lifeline
from integration.engine.redis_server import free_port

SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Running:
    """A gateway: its URL, port and process, and the file of its log."""

    url: str
    port: int
    process: "subprocess.Popen[bytes]"
    log: Path

    def logged(self) -> str:
        """Everything that it wrote."""
        return self.log.read_text("utf-8")


@contextmanager
def gateway_before(
    cluster: str, broker: str = "redis://127.0.0.1:1/0", *words: str, log: Path, scheme: str = "http", **settings: str
) -> Iterator[Running]:
    """A gateway before `cluster` whose log is in the folder `log`; `settings` are CROSSHATCH_*, in lower case."""
    port = free_port()
    told = {"opensearch_url": cluster, "redis_url": broker, "data": str(log), **settings}
    env = {name: value for name, value in os.environ.items() if not name.startswith("CROSSHATCH_")}
    env |= {f"CROSSHATCH_{name.upper()}": value for name, value in told.items()}
    command = [sys.executable, "-m", "integration.cli", "serve", "--port", str(port), *words]
    file = log / f"gateway-{port}.log"
    process = lifeline.child(command, log=file, env=env)
    running = Running(f"{scheme}://127.0.0.1:{port}", port, process, file)
    try:
        _await(running)
        yield running
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(running: Running) -> None:
    """Wait until the port takes connections."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and running.process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", running.port), timeout=5).close()
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"the gateway does not answer; its log: {running.logged()}")
