"""What attach, worker and search really send, held against the roles that `crosshatch roles` prints."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from integration import attach as attaching
from integration import permissions, scan, state, status
from integration.encoding import BatchEncoding
from integration.engine.client import Cluster
from integration.engine.services import Services
from integration.jobs import Job
from integration.queries import QueryCodes
from integration.search import run
from integration.search.request import SearchRequest
from integration.settings import Settings
from tests.live.fakes import CARD, FakeEncoder, code_of
from tests.live.test_writing import PROFILE, STRICT, NoWatch, put


class Recorded(Cluster):
    """A cluster that writes down what was sent."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.sent: list[tuple[str, str]] = []

    def _send(self, method: str, path: str, params: Mapping[str, Any] | None, body: Any) -> Any:
        self.sent.append((method, path))
        return super()._send(method, path, params, body)


@pytest.fixture
def recorded(services: Services) -> Iterator[Recorded]:
    """A recording cluster."""
    recorded = Recorded(services.url)
    yield recorded
    recorded.close()


def test_every_part_sends_only_what_its_role_allows(
    recorded: Recorded, cluster: Cluster, index: Callable[..., str], settings: Settings, tmp_path: Any
) -> None:
    """Attach, encode, update, search and detach, each with the requests of its own role."""
    file = tmp_path / "external.yaml"
    file.write_text(PROFILE.format(versioning="external"))
    sent: dict[str, list[tuple[str, str]]] = {}

    def as_role(role: str) -> None:
        sent.setdefault(role, []).extend(recorded.sent)
        recorded.sent.clear()

    known = attaching.attach(recorded, attaching.plan(recorded, index(STRICT), str(file), CARD))
    as_role("attach")
    put(cluster, known, "plain", b'{"title":"one"}')
    put(cluster, known, "pretty", b'{"title":\n"two"}')
    known = state.attached(recorded, known.index)
    keys = tuple(one.key for one in scan.judged(recorded, known))
    job = Job("job", known.index, known.uuid, known.space, keys)
    assert BatchEncoding(job, known, recorded, FakeEncoder, settings).run(NoWatch()).encoded == 2
    status.of_index(recorded, known)
    as_role("worker")
    codes = QueryCodes({"text": code_of(b"one")}, "process")
    searcher = run.Searcher(recorded, settings, None, lambda *_, **__: CARD, lambda *_: codes)
    filtered = SearchRequest(text="one", filters=(("call", "x"),))
    assert searcher.search(known.index, filtered).total == 0
    assert searcher.search(known.index, SearchRequest(like="plain")).total > 0
    as_role("reader")
    attaching.detach(recorded, known, drop_codes=True)
    as_role("attach")
    assert {role: permissions.missing(role, requests) for role, requests in sent.items()} == {
        "attach": set(),
        "worker": set(),
        "reader": set(),
    }
    unused = {
        role.name: set(role.requests) - {permissions.shape(*one) for one in sent[role.name]}
        for role in permissions.ROLES
        if role.name in sent
    }
    of_bands = {"POST /{index}/_msearch", "POST /{index}/_count"}
    of_plugin = {"GET /", "GET /_nodes/plugins", "GET /_cluster/settings", "GET /_plugins/_knn/*/stats/*"}
    assert unused["reader"] <= {"POST /{ours}/_mget", *of_bands, *of_plugin}, unused
    assert unused["worker"] <= {"DELETE /{index}/_doc/*", "POST /{ours}/_bulk"}, (
        unused
    )  # deletes in our window, problems
