"""The process that holds engine and broker: `python -m integration.engine.host '<order as JSON>'`.

It ends on SIGTERM, when its parent is gone (if told to follow it), or when the broker ends.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from integration.engine import lifeline, state
from mappings.errors import CrosshatchError, EngineUnavailable

TAKEN = 3  # exit code: another host lives in the folder


@dataclass(frozen=True, slots=True)
class Order:
    """What to start in `folder`: `engine` and `broker` are `embedded`, `docker`, or the URL of one that runs.

    `follow` is the process whose end ends this one; None: live until told.
    """

    folder: str
    engine: str
    broker: str
    heap: str = "1g"
    node_settings: dict[str, str] = field(default_factory=dict)
    follow: int | None = None


def run(order: Order, stop: threading.Event) -> int:
    """Start what is ordered, publish it, and hold it until `stop`. Returns the exit code."""
    folder = Path(order.folder)
    with ExitStack() as stack:
        if not stack.enter_context(state.held(folder)):
            return TAKEN
        stack.callback(state.withdraw, folder)
        broker_url, alive = stack.enter_context(_broker(order, folder))
        url = stack.enter_context(_engine(order, folder))
        _recovered(url)
        state.publish(folder, state.Services(url, broker_url, version(url), str(folder.parent), os.getpid()))
        while not stop.wait(0.5):
            if not alive():
                print("the broker ended by itself", file=sys.stderr)
                return 1
        state.withdraw(folder)  # first, so that nobody is sent to an engine that is closing
    return 0


def version(url: str) -> str:
    """The version that the engine at `url` tells. Raises EngineUnavailable."""
    host = url.rsplit("@", 1)[-1]
    try:
        return str(httpx.get(url, timeout=10).raise_for_status().json()["version"]["number"])
    except (httpx.HTTPError, httpx.InvalidURL, ValueError, LookupError, TypeError) as error:
        raise EngineUnavailable(f"no OpenSearch answers at {host}: {type(error).__name__}") from error


def _recovered(url: str) -> None:
    """Wait, up to a minute, until the indices of an earlier run can be read."""
    with contextlib.suppress(httpx.HTTPError):  # an index that is damaged for good must not keep the rest from starting
        httpx.get(f"{url}/_cluster/health", params={"wait_for_status": "yellow", "timeout": "60s"}, timeout=70)


@contextmanager
def _broker(order: Order, folder: Path) -> Iterator[tuple[str, Callable[[], bool]]]:
    """The broker's URL, and a function that tells whether it lives."""
    if order.broker == "embedded":
        from integration.engine import redis_server

        with redis_server.embedded(folder / "redis") as (url, process):
            yield url, lambda: _lives(process)
    elif order.broker == "docker":
        from integration.engine import docker

        with docker.redis() as url:
            yield url, lambda: True
    else:
        yield order.broker, lambda: True


def _lives(process: "subprocess.Popen[bytes]") -> bool:
    return process.poll() is None


@contextmanager
def _engine(order: Order, folder: Path) -> Iterator[str]:
    """The engine's URL."""
    if order.engine == "embedded":
        from integration.engine import jars, java, node

        found, libraries = java.find(), jars.classpath()
        settings, place = order.node_settings, folder / "node"
        with node.embedded(place, java=found, classpath=libraries, heap=order.heap, settings=settings) as url:
            yield url
    elif order.engine == "docker":
        from integration.engine import docker

        with docker.opensearch(folder, heap=order.heap) as url:
            yield url
    else:
        yield order.engine


def main() -> int:
    """Read the order from the command line and carry it out."""
    order = Order(**json.loads(sys.argv[1]))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if order.follow is not None:
        lifeline.follow(order.follow, stop.set)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which then ends us
    try:
        return run(order, stop)
    except CrosshatchError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)  # `services` reads it in the log's last line
        return error.exit_code


if __name__ == "__main__":
    code = main()
    sys.stderr.flush()
    os._exit(code)  # Python's own exit would wait for threads of Java, which a start that failed leaves behind
