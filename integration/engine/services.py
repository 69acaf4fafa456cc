"""Engine and broker for development, demo and tests: found by URL, in Docker, or started here without either."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal

from integration.engine import state
from integration.engine.host import TAKEN, Order, version
from integration.engine.state import Services
from integration.settings import Settings
from mappings.errors import BrokerUnavailable, EngineUnavailable, SettingsError, Unavailable

__all__ = ["Engine", "Services", "found", "running", "start", "status", "stop"]

Engine = Literal["auto", "embedded", "docker", "url"]

START_SECONDS = 300.0
STOP_SECONDS = 30.0
_ROOT = Path(__file__).parents[2]
_hosts: dict[int, "subprocess.Popen[bytes]"] = {}  # children of this process, which `stop` has to collect


def start(
    settings: Settings,
    *,
    engine: Engine = "auto",
    detach: bool = False,
    heap: str = "1g",
    node_settings: Mapping[str, str] | None = None,
) -> Services:
    """Return the engine and broker that run, starting those that do not; returns once they answer.

    `auto` takes CROSSHATCH_OPENSEARCH_URL and CROSSHATCH_REDIS_URL where set, else Docker where it answers, else the
    embedded ones; `embedded` and `docker` ignore both URLs. What is started ends with this process, or with `stop`
    where `detach`. `heap` (`1g`) and `node_settings` (`{"path.repo": ...}`) are for an engine that is started.
    Raises EngineUnavailable, BrokerUnavailable; SettingsError where `url` is asked for and none is set.
    """
    folder = state.folder_of(settings.data)
    with state.starting(folder):
        if services := _present(settings, engine):
            return services
        kind, broker = _kinds(settings, engine)
        follow = None if detach else os.getpid()
        return _hosted(Order(str(folder), kind, broker, heap, dict(node_settings or {}), follow), folder)


def _present(settings: Settings, engine: Engine) -> Services | None:
    """What need not be started. Raises EngineUnavailable where the settings' URL is asked for and does not answer."""
    if engine in ("embedded", "docker"):
        return state.published(state.folder_of(settings.data))
    if engine == "url" and not settings.opensearch_url:
        raise SettingsError("--engine url needs CROSSHATCH_OPENSEARCH_URL; set it, or use --engine embedded")
    try:
        services = found(settings)
    except Unavailable:
        return None
    return replace(services, version=version(services.url))


def _kinds(settings: Settings, engine: Engine) -> tuple[str, str]:
    """For engine and broker: `embedded`, `docker`, or a URL."""
    if engine == "embedded":
        return "embedded", "embedded"
    if engine == "docker":
        if reason := _no_docker():
            raise EngineUnavailable(f"{reason}; start Docker, or use --engine embedded")
        return "docker", "docker"
    fallback = "embedded" if _no_docker() else "docker"
    return settings.opensearch_url or fallback, settings.redis_url or fallback


def _no_docker() -> str | None:
    from integration.engine import docker

    return docker.unavailable()


def _hosted(order: Order, folder: Path) -> Services:
    """Start the host process and wait until it has published what it holds."""
    if order.engine == "embedded":
        from integration.engine import jars

        jars.classpath()  # here and not in the host: its progress is for whoever waits
    log = folder / "host.log"
    search = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
    with log.open("wb") as output:
        host = subprocess.Popen(  # noqa: S603 - this Python, a module of ours
            [sys.executable, "-m", "integration.engine.host", json.dumps(asdict(order))],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # a Ctrl-C in the terminal is for the parent, which then ends the host
            env={**os.environ, "PYTHONPATH": search},
        )
    try:
        return _awaited(host, folder, log)
    except BaseException:
        host.kill()
        host.wait()
        raise


def _awaited(host: "subprocess.Popen[bytes]", folder: Path, log: Path) -> Services:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        code = host.poll()
        services = state.published(folder)
        if services and (services.pid == host.pid or code == TAKEN):
            _hosts[host.pid] = host
            return services
        if code is not None and code != TAKEN:
            raise _failed(code, log)
        time.sleep(0.1)
    raise EngineUnavailable(f"the engine did not answer within {START_SECONDS:.0f} s; its log: {log}")


def _failed(code: int, log: Path) -> Unavailable:
    """What the log of a host that ended says: its last line where that is an error of ours, else the last few."""
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    for kind in (EngineUnavailable, BrokerUnavailable):
        if lines and lines[-1].startswith(f"{kind.__name__}: "):
            return kind(lines[-1].removeprefix(f"{kind.__name__}: "))
    said = " / ".join(lines[-3:]) or "nothing"
    return EngineUnavailable(f"the engine ended with {code} before it answered; its log {log} ends: {said}")


@contextmanager
def running(
    settings: Settings,
    *,
    engine: Engine = "embedded",
    heap: str = "1g",
    node_settings: Mapping[str, str] | None = None,
) -> Iterator[Services]:
    """Engine and broker for the length of a `with` block. One that ran in the data folder before is used and left."""
    before = state.published(state.folder_of(settings.data))
    services = start(settings, engine=engine, heap=heap, node_settings=node_settings)
    try:
        yield services
    finally:
        if before is None and services.pid is not None:
            stop(settings)


def stop(settings: Settings) -> bool:
    """End what runs in the data folder, with SIGKILL where asking does not help. Returns whether anything ran."""
    folder = state.folder_of(settings.data)
    pid = state.holder(folder)
    if pid is not None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            if _ended(folder, pid):
                break
    state.withdraw(folder)
    return pid is not None


def _ended(folder: Path, pid: int) -> bool:
    """Wait until the host `pid` is gone."""
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        if state.holder(folder) != pid:
            if host := _hosts.pop(pid, None):
                host.wait()
            return True
        time.sleep(0.05)
    return False


def status(settings: Settings) -> Services | None:
    """What commands would use, with the engine's version; None where nothing is set or runs, or it does not answer."""
    try:
        services = found(settings)
        return replace(services, version=version(services.url))
    except Unavailable:
        return None


def found(settings: Settings) -> Services:
    """Engine and broker for a command: by the settings' URLs, else those that run in the data folder; asks neither.

    Raises EngineUnavailable or BrokerUnavailable.
    """
    here = state.published(state.folder_of(settings.data))
    url = settings.opensearch_url or (here and here.url)
    broker_url = settings.redis_url or (here and here.broker_url)
    if not url:
        raise EngineUnavailable("no OpenSearch runs; run `crosshatch engine start` or set CROSSHATCH_OPENSEARCH_URL")
    if not broker_url:
        raise BrokerUnavailable("no Redis runs; run `crosshatch engine start` or set CROSSHATCH_REDIS_URL")
    known = here.version if here and here.url == url else None
    return Services(url, broker_url, known, str(settings.data.absolute()), here.pid if here else None)
