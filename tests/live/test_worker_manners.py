"""A real worker with bad luck: a record that kills it, quiet hours, and logs that must not tell what they saw."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from encoders import catalogue
from integration import attach as attaching
from integration import jobs, state, status
from integration.cli import cli
from integration.engine.client import Cluster
from integration.engine.services import Services
from integration.settings import Settings
from integration.worker_process import worker
from integration.writer import Key
from tests.live.test_writing import put, source

PROFILE = "name: t\nversioning: internal\ntext: [title]\npictures: [{field: cover, kind: url}]\n"
CANARY = "xanthippe"  # in titles; passwords and queries hold it with a number
DOT = b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"><rect width="8" height="8"/></svg>'


class Pictures(ThreadingHTTPServer):
    """Pictures under /slow come when the test lets them; nothing else is there."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.asked = threading.Semaphore(0)
        self.times = 0
        self.free = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def url(self, path: str) -> str:
        """Of a picture, with a key that nobody may log."""
        return f"http://127.0.0.1:{self.server_address[1]}/{path}?key={CANARY}2"


class Answer(BaseHTTPRequestHandler):
    """One request."""

    server: Pictures

    def do_GET(self) -> None:
        """Answer it."""
        slow = self.path.startswith("/slow")
        if slow:
            self.server.times += 1
            self.server.asked.release()
            self.server.free.wait(60)
        self.send_response(200 if slow else 404)
        self.send_header("Content-Type", "image/svg+xml")
        self.end_headers()
        with contextlib.suppress(BrokenPipeError):  # whoever asked was killed
            self.wfile.write(DOT if slow else b"")

    def log_message(self, *_: Any) -> None:
        """Nothing."""


@pytest.fixture
def pictures() -> Iterator[Pictures]:
    server = Pictures()
    yield server
    server.free.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def known(cluster: Cluster, index: Callable[..., str], services: Services, tmp_path: Path) -> state.Attached:
    """An attached, empty index."""
    (tmp_path / "p.yaml").write_text(PROFILE)
    card = catalogue.find("default-64", data=Path(services.data))
    return attaching.attach(cluster, attaching.plan(cluster, index(), str(tmp_path / "p.yaml"), card))


def problems(services: Services, known: state.Attached, *options: str) -> dict[str, Any]:
    command = ["problems", known.index, *options, "--json"]
    answer: dict[str, Any] = json.loads(CliRunner().invoke(cli, command, env={"CROSSHATCH_DATA": services.data}).stdout)
    return answer


def reindexing(services: Services, known: state.Attached) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "integration.cli", "reindex", known.index, "--json"]
    environment = {**os.environ, "CROSSHATCH_DATA": services.data}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def kill_the_process_of(worker_process: "subprocess.Popen[bytes]") -> None:
    """SIGKILL the pool process, which holds the batch, as the kernel does where memory runs out."""
    me = worker_process.pid
    for child in Path(f"/proc/{me}/task/{me}/children").read_text().split():
        os.kill(int(child), signal.SIGKILL)


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def test_a_record_that_kills_processes_is_listed_and_nothing_is_told(
    cluster: Cluster, known: state.Attached, services: Services, pictures: Pictures, tmp_path: Path
) -> None:
    """Its picture hangs; whoever waits for it is killed twice. The others are encoded; later it is retried."""
    for number in range(6):
        cover = {0: pictures.url("slow"), 1: pictures.url("missing")}.get(number)
        body = {"title": f"{CANARY} number {number}"} | ({"cover": cover} if cover else {})
        put(cluster, known, str(number), json.dumps(body).encode())
    log = tmp_path / "worker.log"
    settings = Settings(data=Path(services.data), picture_hosts=("127.0.0.1",), picture_timeout=60.0, log="json")
    guarded = replace(services, url=services.url.replace("://", f"://reader:{CANARY}1@"))
    with worker(settings, guarded, log=log) as running:
        reindex = reindexing(services, known)
        for _ in range(2):
            assert pictures.asked.acquire(timeout=120)
            kill_the_process_of(running)
        counts = json.loads(reindex.communicate(timeout=120)[0])
        assert (counts["documents"], counts["failed"]) == (6, {"picture-unreadable": 1})
        assert counts["partial"] == {"picture-missing": 1}
        assert pictures.times == 2, "who knows the culprit does not ask for its picture"
        assert status.of_index(cluster, known)["encoded"]["text"] == 5
        listed = problems(services, known)
        found = {row["id"]: row["parts"] for row in listed["problems"]}
        assert found["0"] == {"record": ["picture-unreadable", "a worker process died of it"]}
        assert set(listed["explanations"]) == {"picture-unreadable", "picture-missing"}
        pictures.free.set()
        counts = problems(services, known, "--retry", "--reason", "picture-unreadable")
        assert (counts["documents"], counts["encoded"]) == (1, 1)
    assert b"crosshatch" in source(cluster, known, "0")
    told = lines(log)
    bare = {line for line in log.read_text().splitlines() if not line.startswith("{")}
    assert bare <= {"", "worker: Warm shutdown (MainProcess)"}, "Celery prints that much itself"
    done = [line for line in told if line["event"] == "batch done"]
    assert {line["index"] for line in done} == {known.index}
    assert done[-1]["counts"]["encoded"] == 1
    assert all({"time", "level", "logger", "event"} <= set(line) for line in told)
    assert CANARY not in log.read_text(), "neither titles nor the password nor the key of a picture"


def test_in_quiet_hours_a_job_goes_back_and_holds_no_process(
    cluster: Cluster, known: state.Attached, services: Services, tmp_path: Path
) -> None:
    put(cluster, known, "1", b'{"title":"one"}')
    settings = Settings(data=Path(services.data), quiet_hours="00:00-12:00,12:00-00:00", log="json")  # type: ignore[arg-type]
    app = jobs.queue_app(services.broker_url)
    log = tmp_path / "worker.log"
    with worker(settings, services, log=log):
        task = jobs.send(app, jobs.Job("q", known.index, known.uuid, known.space, (Key("1"),)))
        deadline = time.monotonic() + 60
        while not [line for line in lines(log) if line["event"].startswith("batch put back")]:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        while task not in jobs.running(app, 1):
            assert time.monotonic() < deadline
        active = app.control.inspect(timeout=5.0, limit=1).active()
        assert [job for held in active.values() for job in held] == []
        assert jobs.answers(app, [task]) == {}, "whoever waits for it goes on waiting"
    assert b"crosshatch" not in source(cluster, known, "1")
    app.control.purge()
