"""A library system at work, a real worker with the default encoder, and `update --follow` between them."""

import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from encoders import catalogue
from encoders.loading import load
from integration import attach as attaching
from integration import scan, state
from integration.engine.client import Cluster
from integration.engine.services import Services
from integration.settings import Settings
from integration.worker_process import worker
from mappings.errors import NotAttachedError
from tests.live.test_real_writers import wait_for, written
from tests.writers import library
from tests.writers.codes import wrong_codes
from tests.writers.koha import KohaWriter

RECORDS = 80


@pytest.fixture
def name(cluster: Cluster) -> Iterator[str]:
    """A name of its own; its index is deleted afterwards."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    yield name
    cluster.request("DELETE", f"/{name}", params={"ignore_unavailable": "true"})


def test_koha_is_followed_while_it_writes(cluster: Cluster, services: Services, name: str, tmp_path: Path) -> None:
    """From an index without a code to one where all are right, under writes that never pause, and a rebuild."""
    settings = Settings(data=Path(services.data))
    writer = KohaWriter(services.url, name, library.records(RECORDS)).build()
    card = catalogue.find("default-64", data=settings.data)
    attaching.attach(cluster, attaching.plan(cluster, name, "koha", card))
    command = [sys.executable, "-m", "integration.cli", "update", name, "--follow"]
    environment = {**os.environ, "CROSSHATCH_DATA": services.data, "CROSSHATCH_BATCH": "16"}
    with (
        worker(settings, services, log=tmp_path / "worker.log"),
        (tmp_path / "follow.log").open("w") as log,
        subprocess.Popen(command, env=environment, stderr=log) as following,
    ):
        try:
            writer.start(rate=30)
            wait_for(written(writer, 2 * RECORDS))
            writer.rebuild()
            wait_for(written(writer, RECORDS))
            truth = writer.stop()
            wait_for(lambda: following.poll() is not None or is_done(cluster, name))
        finally:
            following.send_signal(signal.SIGTERM)
    print(dict(truth.counts), (tmp_path / "follow.log").read_text()[-2000:])
    assert following.returncode == 0
    assert not truth.check(cluster), truth.check(cluster)
    assert (truth.counts["missed"], truth.counts["found"]) == (0, 0)
    encoder = load("default-64", data=settings.data, max_pixels=settings.picture_max_pixels)
    assert wrong_codes(cluster, state.attached(cluster, name), encoder) == []


def is_done(cluster: Cluster, name: str) -> bool:
    """Whether the index is attached, and no record of it is yet to be encoded."""
    try:
        known = state.attached(cluster, name)
    except NotAttachedError:  # the rebuilt one is not found yet
        return False
    return all(one.verdict != "stale" for one in scan.judged(cluster, known))
