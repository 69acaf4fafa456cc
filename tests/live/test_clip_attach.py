"""`attach --encoder clip:<folder>`: the head is fitted on the catalogue's own records, and searches use it."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from integration import state
from integration.engine.client import Cluster
from integration.engine.services import Services
from integration.settings import Settings
from integration.worker_process import worker
from tests.encoders.conftest import drawings
from tests.encoders.test_clip import items, tiny

__all__ = ["drawings", "items", "tiny"]  # fixtures
PROFILE = "name: test\nversioning: internal\ntext: [title]\npictures: [{field: cover, kind: base64}]\n"


def crosshatch(environment: dict[str, str], *arguments: str) -> Any:
    """Run a command; its JSON."""
    command = [sys.executable, "-m", "integration.cli", *arguments, "--json"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)


def test_a_head_is_fitted_on_the_catalogue(
    cluster: Cluster, index: Callable[..., str], services: Services, tiny: Path, items: list[Any], tmp_path: Path
) -> None:
    """Attach fits and saves the bundle; the worker and the search load it by the same name."""
    name = index()
    lines = []
    for number, item in enumerate(items[:240]):
        cover = base64.b64encode(item.pictures[0]).decode()
        lines += [{"index": {"_id": str(number)}}, {"title": item.text, "cover": cover}]
    body = "".join(json.dumps(line) + "\n" for line in lines)
    cluster.bulk(f"/{name}", body.encode(), params={"refresh": "true"})
    (tmp_path / "p.yaml").write_text(PROFILE)
    environment = {**os.environ, "CROSSHATCH_DATA": services.data}
    encoder = f"clip:{tiny}"
    made = crosshatch(environment, "attach", name, "--target", str(tmp_path / "p.yaml"), "--encoder", encoder)
    assert made["ok"]
    known = state.attached(cluster, name)
    assert known.bundle.reference == encoder
    with worker(Settings(data=Path(services.data)), services, log=tmp_path / "worker.log"):
        counts = crosshatch(environment, "reindex", name)
        assert (counts["documents"], counts["encoded"]) == (240, 240)
        asked = ("--text", items[0].text, "--on", "text", "--weight", "1", "--size", "3")
        found = crosshatch(environment, "search", name, *asked)
    assert found["hits"][0]["distance"] <= 1  # the record's own words; random weights give others the same code
