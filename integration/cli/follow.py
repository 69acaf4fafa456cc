"""`crosshatch update INDEX --follow`: the part that runs until it is told to stop."""

import logging
import signal
import threading
from collections.abc import Callable

from integration import logs, reattach, state
from integration.cli.door import broker_url, cluster, errors
from integration.engine.client import Cluster
from integration.follow import AGAIN, Follower
from integration.metrics import Metrics
from mappings.errors import UnknownIndexError


def follow(index: str, *, retry: bool) -> None:
    """Follow `index` until SIGTERM or Ctrl-C; one line on standard error for each sweep that did something."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with cluster() as (settings, connection):
        tell = _logged(index) if settings.log == "json" else _tell
        if not awaited(connection, index, stop, tell):
            return
        metrics = Metrics(index)
        if settings.metrics_port:
            metrics.serve(settings.metrics_host, settings.metrics_port)
        follower = Follower(connection, index, broker_url(settings), settings, tell, retry=retry, show=metrics.show)
        follower.run(stop)


def awaited(connection: Cluster, index: str, stop: threading.Event, tell: Callable[[str], None]) -> bool:
    """Wait for an index that was attached and is not there, as in a rebuild; whether it came before `stop`.

    Raises UnknownIndexError for one that never was, and as `reattach.current`.
    """
    told = False
    while reattach.current(connection, index) is None:
        missing = f"there is no index {index}, or its owner is still making it"
        if not any(index in (known.index, known.called) for known in state.every(connection)):
            raise UnknownIndexError(missing)
        if not told:
            tell(f"{missing}; waiting")
        told = True
        if stop.wait(AGAIN):
            return False
    return True


def _logged(index: str) -> Callable[[str], None]:
    """The same lines, as objects among the log of everything else."""
    logs.configure("json", logging.INFO)
    return lambda message: logging.getLogger(__name__).info("%s", message, extra={"index": index})


def _tell(message: str) -> None:
    errors.print(message, markup=False, highlight=False, soft_wrap=True)
