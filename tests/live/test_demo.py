"""The main job as `make demo` runs it: real engine, broker, worker, encoder; then its index as others use it."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from integration import state, status
from integration.counts import Counts
from integration.demo.catalogue import documents
from integration.demo.run import INDEX, Demo, demo
from integration.engine.client import Cluster
from integration.engine.services import Services
from integration.search.request import SearchRequest
from integration.search.run import Searcher
from integration.settings import Settings
from mappings.fields import OBJECT


class Quiet:
    """Progress nobody looks at."""

    def scanned(self, documents: int) -> None:
        """Nothing to show."""

    def started(self, total: int, settled: int = 0) -> None:
        """Nothing to show."""

    def advanced(self, counts: Counts) -> None:
        """Nothing to show."""

    def waiting(self, message: str) -> None:
        """Told by pytest where a test fails."""
        print(message)


@pytest.fixture(scope="module")
def own(services: Services) -> Settings:
    """Settings whose data folder is that of the session's engine: the demo finds it there and leaves it."""
    return Settings(data=Path(services.data))


@pytest.fixture(scope="module")
def ran(own: Settings) -> Iterator[Demo]:
    """The demo, its worker still running."""
    with demo(own, "embedded", Quiet(), print) as done:
        yield done


@pytest.fixture
def searcher(ran: Demo, own: Settings, cluster: Cluster, services: Services) -> Searcher:
    """Searches of the demo's index, their queries encoded by its worker."""
    return Searcher(cluster, own, services.broker_url)


def test_every_record_is_encoded_and_three_searches_answer(ran: Demo) -> None:
    """The object of `--json`, as the design has it."""
    message = json.loads(json.dumps(ran.message()))
    assert message["counts"]["documents"] == message["counts"]["encoded"] == 554
    assert [search["kind"] for search in message["searches"]] == ["text", "image", "fused"]
    for search in message["searches"]:
        assert set(search) == {"kind", "query", "plan", "total", "hits"}
        assert len(search["hits"]) == 5
        assert set(search["hits"][0]) == {"id", "score", "bm25", "distance", "part", "picture", "title"}
    text, image, fused = message["searches"]
    assert all(hit["bm25"] is None for hit in image["hits"])
    assert any(hit["bm25"] for hit in text["hits"])
    assert fused["total"] > image["total"] >= 5


def test_a_picture_finds_what_it_shows(ran: Demo, cluster: Cluster) -> None:
    """The demo's query, a house drawn by hand that no training saw, finds buildings; chance would find one in 12."""
    image = ran.searches[1]
    found = [cluster.request("GET", f"/{INDEX}/_source/{hit['id']}") for hit in image["hits"]]
    assert sum("buildings" in " ".join(source["subjects"]).lower() for source in found) >= 2


def test_pictures_seen_through_other_eyes_find_their_records(ran: Demo, own: Settings, searcher: Searcher) -> None:
    """Mirrored, turned, grey and small versions of drawings, which the encoder never saw, find the drawing again."""
    records = [document for document in documents(own.data / "demo") if document["material"] == "picture"][::25]
    found = 0
    for document in records:
        picture = Image.open(own.data / "demo" / document["cover_file"]).convert("RGB")
        changed = ImageOps.mirror(picture).convert("L").rotate(10, fillcolor=255).resize((160, 160))
        data = io.BytesIO()
        changed.save(data, "JPEG", quality=70)
        result = searcher.search(INDEX, SearchRequest(image=data.getvalue(), on=("image",), size=10))
        found += document["control_number"] in [hit.id for hit in result.hits]
    assert result.encoded_by == "worker"
    assert found >= 0.6 * len(records), f"{found} of {len(records)}"  # by chance: 10 of 554


def test_words_find_pictures(searcher: Searcher) -> None:
    """Names of things, compared with pictures alone, find a drawing of that kind."""
    kinds = {
        "a dog": "Animals",
        "a car": "Vehicles",
        "a fruit to eat": "Food",
        "a bird": "Birds",
        "a train": "Vehicles",
    }
    right = 0
    for words, heading in kinds.items():
        request = SearchRequest(text=words, on=("image",), weight=1.0, size=5)
        hits = searcher.search(INDEX, request).hits
        subjects = [searcher.cluster.request("GET", f"/{INDEX}/_source/{hit.id}")["subjects"] for hit in hits]
        right += any(heading.lower() in " ".join(names).lower() for names in subjects)
    assert right >= 4


def test_a_second_run_finds_everything_unchanged(ran: Demo, own: Settings, cluster: Cluster) -> None:
    """Nothing is encoded anew, and every other field of every document is byte for byte what it was."""
    with demo(own, "embedded", Quiet(), print) as again:
        assert again.counts.unchanged == again.counts.documents == 554
    known = state.attached(cluster, INDEX)
    stands = status.of_index(cluster, known)
    assert (stands["stale"], stands["failed"], stands["encoded"]["record"]) == (0, {}, 554)
    raw = cluster.raw("GET", f"/{INDEX}/_source/book-the-railway-children")
    assert raw.index(b'"dewey":823.') < raw.index(OBJECT.encode())


def test_the_command_prints_one_object(ran: Demo, services: Services, tmp_path: Path) -> None:
    """`crosshatch demo --once --json` on the running engine: JSON on standard output, the rest on standard error."""
    environment = {**os.environ, "CROSSHATCH_DATA": services.data}
    command = [sys.executable, "-m", "integration.cli", "demo", "--once", "--json"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=True)
    message = json.loads(ended.stdout)
    assert set(message) == {"counts", "seconds", "searches"}
    assert message["counts"]["unchanged"] == 554
    assert "encoding" in ended.stderr
