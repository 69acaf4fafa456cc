"""A worker started here, for the length of a `with` block: what demo and tests use beside an engine of their own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from integration import jobs
from integration.engine import lifeline
from integration.engine.services import Services
from integration.settings import Settings
from mappings.errors import WorkerUnavailable

PATIENCE = 120.0  # seconds until it must answer; torch is loaded later, with the first batch


@contextmanager
def worker(settings: Settings, services: Services, *, log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """Start a worker and wait until it answers; it dies with this process, whatever kills that.

    Raises WorkerUnavailable with the last lines of `log`.
    """
    env = {**os.environ, **environment(settings, services)}
    process = lifeline.child([sys.executable, "-m", "workers"], log=log, env=env)
    try:
        _await_answer(services, process, log)
        yield process
    finally:
        process.terminate()
        process.wait()


def environment(settings: Settings, services: Services) -> dict[str, str]:
    """The variables that a worker reads its settings from."""
    return {
        "CROSSHATCH_OPENSEARCH_URL": services.url,
        "CROSSHATCH_REDIS_URL": services.broker_url,
        "CROSSHATCH_DATA": str(settings.data.absolute()),
        "CROSSHATCH_PICTURE_ROOTS": os.pathsep.join(map(str, settings.picture_roots)),
        "CROSSHATCH_PICTURE_HOSTS": ",".join(settings.picture_hosts),
        "CROSSHATCH_PICTURE_MAX_BYTES": str(settings.picture_max_bytes),
        "CROSSHATCH_PICTURE_MAX_PIXELS": str(settings.picture_max_pixels),
        "CROSSHATCH_PICTURE_TIMEOUT": str(settings.picture_timeout),
        "CROSSHATCH_DEVICE": settings.device,
        "CROSSHATCH_LOG": settings.log,
        "CROSSHATCH_WRITE_RATE": "" if settings.write_rate is None else str(settings.write_rate),
        "CROSSHATCH_QUIET_HOURS": ",".join(map(str, settings.quiet_hours)),
        "CROSSHATCH_HEAP_LIMIT": str(settings.heap_limit),
        "CROSSHATCH_DISK_LIMIT": "" if settings.disk_limit is None else str(settings.disk_limit),
    }


def _await_answer(services: Services, process: "subprocess.Popen[bytes]", log: Path) -> None:
    app = jobs.queue_app(services.broker_url)
    deadline = time.monotonic() + PATIENCE
    while not any(f"-{process.pid}@" in name for name in jobs.live_workers(app, timeout=0.5)):
        if process.poll() is not None or time.monotonic() > deadline:
            lines = log.read_text("utf-8", errors="replace").splitlines()
            raise WorkerUnavailable(f"the worker does not answer; its log {log} ends: {' / '.join(lines[-3:])}")
