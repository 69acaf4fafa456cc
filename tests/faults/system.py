"""The system under test: engine, broker, worker and command line as processes of their own, each to be killed alone.

Whoever runs these in earnest has systemd or compose start again what ended; here `look_after` does. The engine keeps
its data folder and its port over a restart, the broker its port alone: it keeps nothing on disk.
"""

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx
import redis

from integration import worker_process
from integration.engine import lifeline, redis_server
from integration.engine.host import Order
from integration.engine.services import Services
from integration.settings import Settings
from tests.faults.proxy import Proxy

INDEX = "biblios"
BATCH = 64  # records in a job
RESTART = 0.5  # seconds until something that ended is started again
PATIENCE = 300.0  # seconds until something that was started must answer
AGAIN_LATER = 75
STORE = f".crosshatch-codes-{hashlib.sha256(INDEX.encode()).hexdigest()[:16]}"


class Part:
    """A process that is started again whenever it has ended. `answers` tells whether it is up."""

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, env: Mapping[str, str], answers: Callable[[], bool]
    ) -> None:
        self.name, self.command, self.answers = name, list(command), answers
        self._folder, self._env = folder, {**os.environ, **env}
        self._starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._due = 0.0

    @property
    def pid(self) -> int:
        """The process that runs now, or ran last."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._process.pid

    @property
    def code(self) -> int | None:
        """The exit code; None while it runs."""
        return self._process.poll() if self._process else 0

    @property
    def log(self) -> Path:
        """What the last start has written."""
        return self._folder / f"{self.name}-{self._starts}.log"

    def start(self) -> None:
        """Start it; the kernel ends it with this thread."""
        self._starts += 1
        self._process = lifeline.child(self.command, log=self.log, env=self._env)

    def look_after(self) -> None:
        """Start it again, a moment after it has ended."""
        if self.code is None:
            self._due = 0.0
        elif not self._due:
            self._due = time.monotonic() + RESTART
        elif time.monotonic() >= self._due:
            self.start()

    def kill(self) -> None:
        """SIGKILL: no time to say anything."""
        os.kill(self.pid, signal.SIGKILL)
        self.wait()

    def wait(self, seconds: float = PATIENCE) -> int:
        """Wait for its end; its exit code."""
        if self._process is None:
            return 0
        return self._process.wait(seconds)

    def stop(self) -> None:
        """Ask it to end; SIGKILL where that does not help."""
        if self.code is None and self._process:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.wait(30)
                return
            self.kill()

    def children(self) -> list[int]:
        """The processes that it started itself."""
        told = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in told.read_text().split()] if told.exists() else []


class Command(Part):
    """A command of ours. 75 and whatever a signal ends is run again, as systemd does; any other failure is noted."""

    failures: list[str]
    again = False  # run it again after a success, too

    def __init__(self, name: str, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        super().__init__(name, command, folder, env, lambda: True)
        self.failures = []

    def look_after(self) -> None:
        """Start it again where it asks for it."""
        code = self.code
        if code is not None and code > 0 and code != AGAIN_LATER and not self._due:
            told = self.log.read_text("utf-8", errors="replace").strip().splitlines()
            self.failures.append(f"{self.name} ended with {code}: {' / '.join(told[-2:])[:500]}")
        if code != 0 or self.again:
            super().look_after()


class System:
    """Engine, broker and one worker. `services` that run already are used instead of an engine and broker of its own.

    `proxied`: the worker reaches the engine through `proxy`. `worker` is the module that runs as one, with arguments,
    `cli` the one that is the command line.
    """

    def __init__(
        self,
        folder: Path,
        *,
        services: Services | None = None,
        node_settings: Mapping[str, str] | None = None,
        proxied: bool = False,
        worker: Sequence[str] = ("workers",),
        cli: Sequence[str] = ("integration.cli",),
        settings: Settings | None = None,
    ) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.url = services.url if services else f"http://127.0.0.1:{redis_server.free_port()}"
        self.broker_url = services.broker_url if services else f"redis://127.0.0.1:{redis_server.free_port()}/0"
        data = Path(services.data) if services else folder
        self.settings = (settings or Settings()).model_copy(
            update={"opensearch_url": self.url, "redis_url": self.broker_url, "data": data, "device": "cpu"}
        )
        self.engine = Part("engine", self._host(node_settings or {}), folder, {}, self._engine_answers)
        self.broker = Part("broker", self._redis(), folder, {}, self._broker_answers)
        self.proxy = Proxy(self.url)
        self._services = Services(self.url, self.broker_url, None, str(data), None)
        self._proxied, self._cli = proxied, cli
        told = replace(self._services, url=self.proxy.url) if proxied else self._services
        env = worker_process.environment(self.settings, told)
        self.worker = Part("worker", [sys.executable, "-m", *worker], folder, env, self._worker_answers)
        self.own = () if services else (self.broker, self.engine)
        self.commands: list[Command] = []

    def __enter__(self) -> Self:
        if self._proxied:
            self.proxy.start()
        for part in (*self.own, self.worker):
            part.start()
        self.until(lambda: all(part.answers() for part in (*self.own, self.worker)), "engine, broker and worker")
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        for part in (*self.commands, self.worker, *reversed(self.own)):
            part.stop()

    def command(self, *words: str) -> Command:
        """Start a command of the command line."""
        env = {**worker_process.environment(self.settings, self._services), "CROSSHATCH_BATCH": str(BATCH)}
        command = Command(words[0], [sys.executable, "-m", *self._cli, *words], self.folder, env)
        command.start()
        self.commands.append(command)
        return command

    def done(self, *words: str) -> str:
        """Run a command until it succeeds; what it printed last, on either stream. Raises where it fails for good."""
        command = self.command(*words)
        self.until(lambda: command.code == 0 or bool(command.failures), f"crosshatch {' '.join(words)}")
        self.commands.remove(command)
        if command.failures:
            raise RuntimeError(command.failures[0])
        return command.log.read_text("utf-8", errors="replace")

    def look_after(self) -> None:
        """Start again what ended."""
        for part in (*self.own, self.worker, *self.commands):
            part.look_after()

    def until(self, met: Callable[[], bool], what: str, *, seconds: float = PATIENCE) -> None:
        """Look after everything until `met`. Raises TimeoutError naming `what`."""
        deadline = time.monotonic() + seconds
        while not met():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not in {seconds:.0f} s")
            self.look_after()
            time.sleep(0.1)

    def stored(self) -> int | None:
        """Number of contents in the code store; None where the engine does not tell."""
        try:
            httpx.post(f"{self.url}/{STORE}/_refresh", timeout=10)
            answer = httpx.get(f"{self.url}/{STORE}/_count", timeout=10).json()
            return int(answer["count"]) if answer["_shards"]["successful"] else None
        except (httpx.HTTPError, ValueError, LookupError):
            return None

    def _host(self, node_settings: Mapping[str, str]) -> list[str]:
        settings = {"http.port": self.url.rpartition(":")[2], **node_settings}
        order = Order(str(self.folder / "engine"), "embedded", self.broker_url, "1g", settings)
        return [sys.executable, "-m", "integration.engine.host", json.dumps(asdict(order))]

    def _redis(self) -> list[str]:
        port = self.broker_url.rpartition(":")[2].partition("/")[0]
        words = {"port": port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "dir": str(self.folder)}
        return [redis_server.program(), *(word for name, value in words.items() for word in (f"--{name}", value))]

    def _engine_answers(self) -> bool:
        try:
            health = httpx.get(f"{self.url}/_cluster/health", timeout=5).json()
            return health.get("status") in ("yellow", "green")
        except (httpx.HTTPError, ValueError):
            return False

    def _broker_answers(self) -> bool:
        try:
            with redis.Redis.from_url(self.broker_url, socket_timeout=2) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def _worker_answers(self) -> bool:
        return " ready." in self.worker.log.read_text("utf-8", errors="replace")
