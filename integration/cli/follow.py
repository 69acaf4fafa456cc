"""`crosshatch update INDEX --follow`: the part that runs until it is told to stop."""

import logging
import signal
import threading
from collections.abc import Callable

from integration import logs
from integration.cli.door import broker_url, cluster, errors
from integration.follow import Follower
from integration.metrics import Metrics


def follow(index: str, *, retry: bool) -> None:
    """Follow `index` until SIGTERM or Ctrl-C; one line on standard error for each sweep that did something."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with cluster() as (settings, connection):
        metrics = Metrics(index)
        if settings.metrics_port:
            metrics.serve(settings.metrics_host, settings.metrics_port)
        tell = _logged(index) if settings.log == "json" else _tell
        follower = Follower(connection, index, broker_url(settings), settings, tell, retry=retry, show=metrics.show)
        follower.run(stop)


def _logged(index: str) -> Callable[[str], None]:
    """The same lines, as objects among the log of everything else."""
    logs.configure("json", logging.INFO)
    return lambda message: logging.getLogger(__name__).info("%s", message, extra={"index": index})


def _tell(message: str) -> None:
    errors.print(message, markup=False, highlight=False, soft_wrap=True)
