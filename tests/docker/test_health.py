"""The health check of the images, run as a container runs it."""

import os
import subprocess
import sys

import pytest

from tests.sources import PROJECT


@pytest.mark.parametrize(
    ("broker", "said"),
    [("redis://127.0.0.1:1/0", "no health: OperationalError"), (None, "no health: KeyError: 'CROSSHATCH_REDIS_URL'")],
)
def test_a_dead_or_unnamed_broker_is_one_line_and_exit_1(broker: str | None, said: str) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "CROSSHATCH_REDIS_URL"}
    environment |= {"CROSSHATCH_REDIS_URL": broker} if broker else {}
    command = [sys.executable, str(PROJECT / "docker" / "health.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith(said)
