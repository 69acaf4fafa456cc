"""A worker that is killed in the middle of a reindex: another one ends the work, and every record is encoded once."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from integration import attach as attaching
from integration import status
from integration.engine.client import Cluster, part
from integration.engine.services import Services
from integration.settings import Settings
from integration.worker_process import worker
from mappings.fields import OBJECT

RECORDS = 240
PROFILE = "name: test\nversioning: internal\ntext: [title]\n"
WORDS = ("whale", "harbour", "engraving", "atlas", "orchard", "letters", "lighthouse", "grammar")


def test_a_killed_worker_loses_nothing(
    cluster: Cluster, index: Callable[..., str], services: Services, tmp_path: Path
) -> None:
    """SIGKILL while batches are under way; the same `reindex` goes on with the next worker."""
    from encoders import catalogue

    settings = Settings(data=Path(services.data))
    name = index()
    bodies = {str(n): f'{{"title":"{WORDS[n % 8]} number {n}", "shelf": {n}.50}}' for n in range(RECORDS)}
    lines = "".join(f'{{"index":{{"_id":"{record}"}}}}\n{body}\n' for record, body in bodies.items())
    cluster.bulk(f"/{name}", lines.encode(), params={"refresh": "true"})
    (tmp_path / "p.yaml").write_text(PROFILE)
    card = catalogue.find("default-64", data=settings.data)
    known = attaching.attach(cluster, attaching.plan(cluster, name, str(tmp_path / "p.yaml"), card))
    environment = {**os.environ, "CROSSHATCH_DATA": services.data, "CROSSHATCH_BATCH": "8"}
    command = [sys.executable, "-m", "integration.cli", "reindex", name, "--json"]
    with worker(settings, services, log=tmp_path / "first.log") as first:
        running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        _wait_for(lambda: _written(cluster, known.store) >= 16)
        first.send_signal(signal.SIGKILL)
        first.wait()
        before = _written(cluster, known.store)
    assert 16 <= before < RECORDS
    with worker(settings, services, log=tmp_path / "second.log"):
        answer, _ = running.communicate(timeout=240)
    counts = json.loads(answer)
    assert counts["documents"] == RECORDS
    assert counts["failed"] == {}
    assert counts["encoded"] + counts["restored"] + counts["unchanged"] == RECORDS
    stands = status.of_index(cluster, known)
    assert (stands["stale"], stands["encoded"]["text"]) == (0, RECORDS)
    assert _written(cluster, known.store) == RECORDS
    for record, body in bodies.items():
        raw = cluster.raw("GET", f"/{name}/_source/{record}").decode()
        assert raw.startswith(f'{body[:-1]},"{OBJECT}":')


def _written(cluster: Cluster, store: str) -> int:
    cluster.request("POST", f"/{part(store)}/_refresh")
    return int(cluster.request("GET", f"/{part(store)}/_count")["count"])


def _wait_for(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 180
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.02)
