"""The main job from start to end, on defaults: engine, catalogue, attach, worker, encode, three searches."""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from encoders import catalogue as bundles
from integration import attach as attaching
from integration import reindex, state
from integration.counts import Counts
from integration.demo import catalogue
from integration.demo.drawings import FOLDER
from integration.engine.client import Cluster
from integration.engine.services import Engine, running
from integration.parcels import Mode
from integration.search.request import SearchRequest
from integration.search.run import Searcher
from integration.settings import Settings
from integration.worker_process import worker
from mappings.errors import AlreadyAttachedError

INDEX = "crosshatch-demo"
WORDS = "a story about a voyage at sea"
FUSED_WORDS = "children"
HITS = 5


@dataclass
class Demo:
    """What the demo did: counts, seconds by stage, and its searches with their hits."""

    counts: Counts
    seconds: dict[str, float] = field(default_factory=dict)
    searches: list[dict[str, Any]] = field(default_factory=list)

    def message(self) -> dict[str, Any]:
        """As `crosshatch demo --once --json` prints it."""
        return {"counts": self.counts.message(), "seconds": self.seconds, "searches": self.searches}


def query_picture() -> bytes:
    """The picture that is searched for: a house, drawn for this and in no training."""
    return (FOLDER / "query.svg").read_bytes()


@contextmanager
def demo(settings: Settings, engine: Engine, progress: reindex.Progress, tell: Callable[[str], None]) -> Iterator[Demo]:
    """Run everything; engine, broker and worker live as long as the `with` block."""
    done = Demo(Counts())
    pictures = settings.data.absolute() / "demo"
    with contextlib.ExitStack() as stack:
        with _stage(done, "engine", "starting OpenSearch and Redis", tell):
            services = stack.enter_context(running(settings, engine=engine))
        cluster = Cluster(services.url)
        stack.callback(cluster.close)
        with _stage(done, "worker", "starting a worker", tell):
            own = settings.model_copy(update={"picture_roots": (pictures,)})
            stack.enter_context(worker(own, services, log=settings.data.absolute() / "demo-worker.log"))
        with _stage(done, "catalogue", "loading the sample catalogue as an ILS would have left it", tell):
            catalogue.load_demo(cluster, INDEX, pictures)
        with _stage(done, "attach", f"attaching to {INDEX}", tell):
            known = _attached(cluster, settings)
        with _stage(done, "encode", "encoding text and covers", tell):
            mode = Mode(retry=True)
            done.counts = reindex.run(cluster, known, services.broker_url, settings, mode, progress)
        with _stage(done, "search", "searching", tell):
            done.searches = _searches(Searcher(cluster, settings, services.broker_url))
        yield done


@contextmanager
def _stage(done: Demo, name: str, said: str, tell: Callable[[str], None]) -> Iterator[None]:
    tell(f"{said} ...")
    begun = time.monotonic()
    yield
    done.seconds[name] = round(time.monotonic() - begun, 2)


def _attached(cluster: Cluster, settings: Settings) -> state.Attached:
    """Attach with the settings' encoder; a demo that ran before with another one starts anew."""
    card = bundles.find(settings.encoder, data=settings.data)
    try:
        wanted = attaching.plan(cluster, INDEX, catalogue.PROFILE, card)
    except AlreadyAttachedError:
        attaching.detach(cluster, state.attached(cluster, INDEX), drop_codes=True)
        wanted = attaching.plan(cluster, INDEX, catalogue.PROFILE, card)
    return attaching.attach(cluster, wanted)


def _searches(searcher: Searcher) -> list[dict[str, Any]]:
    picture = query_picture()
    asked = {
        "text": (WORDS, SearchRequest(text=WORDS, size=HITS)),
        "image": ("a drawing of a house", SearchRequest(image=picture, size=HITS)),
        "fused": (
            f"{FUSED_WORDS} + a drawing of a house",
            SearchRequest(text=FUSED_WORDS, image=picture, size=HITS),
        ),
    }
    return [_listed(kind, query, searcher, request) for kind, (query, request) in asked.items()]


def _listed(kind: str, query: str, searcher: Searcher, request: SearchRequest) -> dict[str, Any]:
    result = searcher.search(INDEX, request)
    listed = result.listed()
    return {"kind": kind, "query": query, "plan": listed["plan"], "total": listed["total"], "hits": listed["hits"]}
