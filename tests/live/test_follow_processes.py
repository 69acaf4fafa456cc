"""`update --follow` as it is run: its process is killed, and then its broker, which comes back empty."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from integration import attach as attaching
from integration import lease, state
from integration.engine import redis_server
from integration.engine.client import Cluster
from integration.engine.services import Services
from integration.settings import Settings
from integration.worker_process import worker

RECORDS = 160
PROFILE = "name: test\nversioning: internal\ntext: [title]\n"
WORDS = ("whale", "harbour", "engraving", "atlas", "orchard", "letters", "lighthouse", "grammar")


@contextmanager
def broker(port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A Redis that keeps nothing, at a port that it comes back to."""
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    process = subprocess.Popen([redis_server.program(), *options], stdout=subprocess.DEVNULL)
    try:
        wait_for(lambda: _listens(port))
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def follower(name: str, environment: dict[str, str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """`crosshatch update NAME --follow`."""
    command = [sys.executable, "-m", "integration.cli", "update", name, "--follow"]
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=environment, stderr=output)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_killed_processes_and_a_broker_that_forgets_lose_nothing(
    cluster: Cluster, index: Callable[..., str], services: Services, tmp_path: Path
) -> None:
    """SIGKILL of the follow process with jobs in flight, then of the broker; in the end SIGTERM, and exit 0."""
    from encoders import catalogue

    port, metrics, log = redis_server.free_port(), redis_server.free_port(), tmp_path / "follow.log"
    services = replace(services, broker_url=f"redis://127.0.0.1:{port}/0")
    settings = Settings(data=Path(services.data))
    (tmp_path / "p.yaml").write_text(PROFILE)
    name = index()
    card = catalogue.find("default-64", data=settings.data)
    known = attaching.attach(cluster, attaching.plan(cluster, name, str(tmp_path / "p.yaml"), card))
    environment = {**os.environ, "CROSSHATCH_DATA": services.data, "CROSSHATCH_REDIS_URL": services.broker_url}
    environment |= {"CROSSHATCH_BATCH": "4", "CROSSHATCH_METRICS_PORT": str(metrics)}
    with broker(port) as first, worker(settings, services, log=tmp_path / "worker.log"):
        rewrite(cluster, name, "one")
        with follower(name, environment, log) as killed:
            wait_for(lambda: done(cluster, known, "one") >= 8)
            killed.send_signal(signal.SIGKILL)
            killed.wait()
        rewrite(cluster, name, "two")
        with follower(name, environment, log) as follow:
            wait_for(lambda: done(cluster, known, "two") >= 40)  # more than jobs of the killed one may have done
            first.send_signal(signal.SIGKILL)
            first.wait()
            with broker(port):
                wait_for(lambda: done(cluster, known, "two") == RECORDS)
                wait_for(lambda: "stale" in kept(cluster, name) and kept(cluster, name)["stale"] == 0)
                shown = urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=10).read().decode()
                follow.send_signal(signal.SIGTERM)
                assert follow.wait(60) == 0, log.read_text()
    assert f'crosshatch_follow_stale{{index="{name}"}} 0.0' in shown
    assert f'crosshatch_follow_found_total{{index="{name}"}}' in shown
    assert WORDS[0] not in shown
    assert kept(cluster, name)["owner"] is None
    assert "records were lost on their way; sending them again" in log.read_text()


def rewrite(cluster: Cluster, name: str, word: str) -> None:
    """Replace every document by another, as a catalogue does."""
    bodies = [(str(n), {"title": f"{WORDS[n % 8]} {word} {n}"}) for n in range(RECORDS)]
    lines = [line for record, body in bodies for line in ({"index": {"_id": record}}, body)]
    cluster.bulk(f"/{name}", "".join(json.dumps(line) + "\n" for line in lines).encode())


def done(cluster: Cluster, known: state.Attached, word: str) -> int:
    """How many records of that writing hold a code."""
    body = {"ids": [str(n) for n in range(RECORDS)]}
    documents = [entry["_source"] for entry in cluster.request("POST", f"/{known.index}/_mget", body=body)["docs"]]
    return sum(f" {word} " in d["title"] and known.space in d.get("crosshatch", {}) for d in documents)


def kept(cluster: Cluster, name: str) -> dict[str, Any]:
    """What the follower wrote last."""
    return lease.stored(cluster, name) or {}


def wait_for(ready: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + 180
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
