"""`python -m workers` with several devices: one process each, and none of them ends unheard."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


def test_a_worker_that_dies_beside_others_is_told_of(tmp_path: Path) -> None:
    log = tmp_path / "log"
    env = {**os.environ, "CROSSHATCH_REDIS_URL": "redis://localhost:1/0", "CROSSHATCH_DATA": str(tmp_path)}
    with log.open("wb") as out:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "workers", "--device", "cpu,cuda:7"], stdout=out, stderr=out, env=env
        )
        try:
            first, second = _children(supervisor.pid)
            os.kill(second, signal.SIGKILL)
            _until(lambda: "ended with code" in log.read_text())
            assert "crosshatch: the worker of cuda:7 ended with code 9; those of cpu go on" in log.read_text()
            assert Path(f"/proc/{first}").exists()
            supervisor.terminate()
            supervisor.wait(30)
            assert log.read_text().count("ended with code") == 1  # the other one was told to
        finally:
            supervisor.kill()


def _children(parent: int) -> list[int]:
    """Both, in the order of their devices."""
    place = Path(f"/proc/{parent}/task/{parent}/children")
    _until(lambda: len(place.read_text().split()) == 2)
    return sorted(map(int, place.read_text().split()))


def _until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.05)
