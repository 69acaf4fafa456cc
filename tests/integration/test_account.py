"""Accounts that security limits, from recorded answers: the security plugin is in no registry, so nothing here is a
live run. The texts and codes are those of its source (DlsFlsValveImpl, SecurityFilter) and of Elasticsearch's
UpdateRequestInterceptor; what an engine without security answers is tested live.
"""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from integration import account, checks
from integration.engine.client import Cluster
from integration.writer import Current, GuardedIndex, Key
from mappings.errors import EngineUnavailable, WriteRefused


def security(status: int, reason: str) -> tuple[int, dict[str, Any]]:
    cause = {"type": "security_exception", "reason": reason}
    return status, {"error": {"root_cause": [cause], **cause}, "status": status}


OPENSEARCH_LIMITED = security(500, "Update is not supported when FLS or DLS or Fieldmasking is activated")
OPENSEARCH_FORBIDDEN = security(
    403, "no permissions for [indices:data/write/update] and User [name=clerk, backend_roles=[], requestedTenant=null]"
)
ELASTICSEARCH_LIMITED = security(400, "Can't execute an update request if field or document level security is enabled")
ELASTICSEARCH_FORBIDDEN = security(
    403,
    "action [indices:data/write/update] is unauthorized for user [clerk] with effective roles [reader] on indices "
    "[biblios], this action is granted by the index privileges [create_doc,create,index,write,all]",
)


def missing(kind: str) -> tuple[int, dict[str, Any]]:
    cause = {"type": kind, "reason": "no such thing"}
    return 404, {"error": {"root_cause": [cause], **cause}, "status": 404}


class Recorded(BaseHTTPRequestHandler):
    """Answers every request as it was told, and keeps what was asked."""

    answer: ClassVar[tuple[int, dict[str, Any]]]
    asked: ClassVar[list[str]]

    def do_POST(self) -> None:
        """Any request of these tests."""
        self.asked.append(self.path)
        self.rfile.read(int(self.headers["content-length"]))
        status, body = self.answer
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json; charset=UTF-8")
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


Engine = Callable[[tuple[int, dict[str, Any]]], Cluster]


@pytest.fixture
def engine() -> Iterator[Engine]:
    """A cluster that gives one recorded answer."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Recorded)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    clusters: list[Cluster] = []

    def answering(answer: tuple[int, dict[str, Any]]) -> Cluster:
        Recorded.answer, Recorded.asked = answer, []
        clusters.append(Cluster(f"http://127.0.0.1:{server.server_port}"))
        return clusters[-1]

    yield answering
    for cluster in clusters:
        cluster.close()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("answer", [OPENSEARCH_LIMITED, ELASTICSEARCH_LIMITED], ids=["opensearch", "elasticsearch"])
def test_an_account_that_sees_less_writes_nothing(engine: Engine, answer: tuple[int, dict[str, Any]]) -> None:
    cluster = engine(answer)
    why = account.limits(cluster, "biblios")
    assert why == f"the account does not see whole documents ({answer[1]['error']['reason']})"
    put = (Current(Key("1"), b"{}", 1, 1, 1), b'{"crosshatch":{}}')
    with pytest.raises(WriteRefused, match="nothing was written: the account does not see whole documents"):
        GuardedIndex(cluster, "crosshatch-w-1", "internal").write([put])
    assert {path.partition("?")[0].rpartition("/")[0] for path in Recorded.asked} == {
        "/biblios/_update",
        "/crosshatch-w-1/_update",
    }
    assert all("require_alias=true" in path for path in Recorded.asked)


PROXY_FORBIDDEN = (403, {"Message": "User: anonymous is not authorized to perform: es:ESHttpPost"})


@pytest.mark.parametrize(
    "answer",
    [OPENSEARCH_FORBIDDEN, ELASTICSEARCH_FORBIDDEN, PROXY_FORBIDDEN],
    ids=["opensearch", "elasticsearch", "proxy"],
)
def test_an_account_that_may_not_even_ask_is_refused(engine: Engine, answer: tuple[int, dict[str, Any]]) -> None:
    check = checks._whole_documents(engine(answer), "biblios")
    assert not check.ok
    assert check.why.startswith("the account may not use _update, so it cannot be known what it sees (")
    assert "`crosshatch roles` prints one" in check.do


@pytest.mark.parametrize("kind", ["index_not_found_exception", "document_missing_exception"])
def test_an_account_without_limits_passes_and_is_asked_once_a_minute(
    engine: Engine, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = engine(missing(kind))
    assert account.limits(cluster, "biblios") is None
    for _ in range(3):
        account.demand_whole(cluster, "crosshatch-w-1")
    assert len(Recorded.asked) == 2
    Recorded.answer = OPENSEARCH_LIMITED  # the role is changed
    account.demand_whole(cluster, "crosshatch-w-1")
    now = account.time.monotonic()
    monkeypatch.setattr(account.time, "monotonic", lambda: now + 61)
    with pytest.raises(WriteRefused):
        account.demand_whole(cluster, "crosshatch-w-1")


def test_an_engine_that_is_busy_proves_nothing(engine: Engine) -> None:
    cluster = engine((503, {"error": "busy", "status": 503}))
    with pytest.raises(EngineUnavailable):
        account.demand_whole(cluster, "crosshatch-w-1")
