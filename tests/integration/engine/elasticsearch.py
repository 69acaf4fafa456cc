"""A catalogue on Elasticsearch 7.10: attach, write codes, search, detach, through our own client; and a recording.

`python -m tests.integration.engine.elasticsearch URL` records anew, at a node of that version that holds nothing else
(`org.codelibs:elasticsearch-cluster-runner:7.10.2.0` of Maven Central makes one, on Java 11 to 17).
"""

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from opensearchpy.exceptions import TransportError

from encoders.api import BundleCard
from integration import attach as attaching
from integration import splice
from integration.engine.client import Cluster
from integration.queries import QueryCodes
from integration.search.request import SearchRequest
from integration.search.run import Searcher
from integration.settings import Settings
from integration.writer import GuardedIndex, Key
from mappings.code import HashCode
from mappings.fields import StoredCodes

RECORDING = Path(__file__).with_name("elasticsearch-7.10.json")
INDEX = "catalogue-710"
CARD = BundleCard("fake-128", 128, "fa4e" * 16, ("text",), {}, "fake-128")
CODE = HashCode(128, bytes(range(16)))
TEXTS = {"type": "text"}
MAPPING = {"properties": {"title": TEXTS, "creators": {"properties": {"name": TEXTS}}, "subjects": TEXTS}}
RECORD = {"title": "A lighthouse by the sea", "subjects": ["Lighthouses"]}


def life(cluster: Cluster) -> dict[str, Any]:
    """The results of the steps; the index is there, with one record."""
    wanted = attaching.plan(cluster, INDEX, "catalogue", CARD)
    known = attaching.attach(cluster, wanted)
    guarded = GuardedIndex(cluster, known.alias, known.profile.versioning)
    [read] = guarded.read([Key("1")])
    assert read
    members = StoredCodes(text=CODE).members() | {"source": "digest"}
    [written] = guarded.write([(read, splice.put(read.source, known.space, members))])
    cluster.request("POST", f"/{INDEX}/_refresh")
    searcher = Searcher(
        cluster, Settings(), find=lambda *_, **__: CARD, encode=lambda *_: QueryCodes({"text": CODE}, "process")
    )
    found = searcher.search(INDEX, SearchRequest(text="lighthouse"))
    attaching.detach(cluster, known, drop_codes=True)
    return {
        "refused": [check.name for check in wanted.checks if not check.ok],
        "written": written,
        "hits": [(hit.id, hit.bm25, hit.distance, hit.part, hit.title) for hit in found.hits],
        "left": json.loads(cluster.raw("GET", f"/{INDEX}/_source/1")),
    }


class _Recorder:
    """Notes every answer, and every refusal."""

    def __init__(self, cluster: Cluster) -> None:
        self.lines: list[list[Any]] = []
        self._real = cluster._client.transport.perform_request
        cluster._client.transport.perform_request = self._ask

    def _ask(self, method: str, path: str, **words: Any) -> Any:
        try:
            answer = self._real(method, path, **words)
        except TransportError as error:
            self.lines.append([method, path, {"refused": list(error.args)}])
            raise
        self.lines.append([method, path, answer])
        return answer


class Recorded:
    """Answers as Elasticsearch 7.10.2 did: to the same method and path the same, one after the other."""

    def __init__(self, cluster: Cluster) -> None:
        self.waiting: dict[tuple[str, str], list[Any]] = defaultdict(list)
        for method, path, answer in json.loads(RECORDING.read_text("utf-8")):
            self.waiting[method, path].append(answer)
        cluster._client.transport.perform_request = self._ask

    def _ask(self, method: str, path: str, **_: Any) -> Any:
        answer = self.waiting[method, path].pop(0)
        if isinstance(answer, dict):
            raise TransportError(*answer["refused"])
        return answer


def record(url: str) -> None:
    """Write the recording. Of the node's settings only those are kept that name no place of its machine."""
    cluster = Cluster(url)
    cluster.request("PUT", f"/{INDEX}", body={"mappings": MAPPING})
    cluster.request("PUT", f"/{INDEX}/_doc/1", params={"refresh": "true"}, body=RECORD)
    recorder = _Recorder(cluster)
    print(life(cluster))
    for line in recorder.lines:
        if line[1] == "/_cluster/settings":
            told = json.loads(line[2])
            told["defaults"] = {name: value for name, value in told["defaults"].items() if name.startswith("script.")}
            line[2] = json.dumps(told)
    RECORDING.write_text(json.dumps(recorder.lines, indent=1, ensure_ascii=False) + "\n", "utf-8")


if __name__ == "__main__":
    record(sys.argv[1])
