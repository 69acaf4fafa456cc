"""What a cluster says of itself, and what that comes to. `tests/live/knn` asks a real one with the plugins."""

from collections.abc import Mapping
from typing import Any, cast

import pytest

from integration import permissions
from integration.engine.client import Cluster
from integration.search import abilities
from integration.search.abilities import Abilities
from mappings.errors import EngineRefused, EngineUnavailable, UnknownIndexError

KNN = {"name": "opensearch-knn", "version": "3.6.0.0"}
NEURAL = {"name": "opensearch-neural-search", "version": "3.6.0.0"}
DATA = {"roles": ["data", "ingest"], "plugins": [KNN, NEURAL]}
BARE = {"roles": ["data"], "plugins": []}
COORDINATING = {"roles": [], "plugins": []}
BUILT = {"load_success_count": 0, "graph_stats": {"refresh": {"total": 3}, "merge": {"total": 0}}}
LOADED = {"load_success_count": 2, "graph_stats": {"refresh": {"total": 0}}}
UNUSED = {"load_success_count": 0, "graph_stats": {"refresh": {"total": 0}}}
OFF = {"persistent": {"knn.plugin.enabled": "false"}}


class Answers:
    """A cluster that gives these answers, and notes what it was asked; an exception among them is raised."""

    def __init__(self, **given: Any) -> None:
        self.given = {
            "/": {"version": {"distribution": "opensearch", "number": "3.6.0"}},
            "/_nodes/plugins": {"nodes": given.get("nodes", {"a": DATA})},
            "/_cluster/settings": given.get("settings", {}),
            abilities.USED: {"nodes": given.get("used", {"a": BUILT})},
        } | given.get("answers", {})
        self.asked: list[tuple[str, str]] = []

    url = "http://answers"

    def request(self, method: str, path: str, *, params: Mapping[str, Any] | None = None) -> Any:
        self.asked.append((method, path))
        answer = self.given[path]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def read(self) -> Abilities:
        return abilities.read(cast(Cluster, self))


def test_a_process_asks_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(abilities, "_found", {})
    now, answers = [5.0], Answers()

    def recent() -> Abilities:
        return abilities.recent(cast(Cluster, answers), lambda: now[0])

    first = recent()
    assert first == answers.read()
    answers.given["/_nodes/plugins"] = {"nodes": {"a": BARE}}
    now[0] += abilities.LIFETIME - 1
    assert (recent(), len(answers.asked)) == (first, 8)
    now[0] += 1
    assert recent().knn is None


def test_an_account_that_may_not_read_the_plugins_is_told() -> None:
    assert Answers(answers={"/_nodes/plugins": refusal(403)}).read().knn_why.startswith("the account may not read")


def refusal(status: int) -> EngineRefused:
    return EngineRefused(status, "security_exception", "no permissions", "GET /")


def test_a_cluster_that_can_do_everything() -> None:
    answers = Answers()
    assert answers.read() == Abilities(version=(3, 6, 0), knn="3.6.0.0", neural=True, faiss=True)
    assert answers.read().knn_engines == ("faiss", "lucene")
    assert answers.read().knn_score
    assert len(answers.asked) == 12  # three times four requests
    assert permissions.missing("attach", answers.asked) == set()


@pytest.mark.parametrize(
    ("nodes", "settings", "why"),
    [
        ({"a": BARE}, {}, "the plugin is not installed"),
        ({"a": DATA, "b": BARE}, {}, "1 of 2 nodes with data lack the plugin"),
        ({"a": DATA}, OFF, "knn.plugin.enabled is false"),
        ({}, {}, "the plugin is not installed"),
    ],
)
def test_without_the_plugin_nothing_more_is_asked(nodes: Any, settings: Any, why: str) -> None:
    answers = Answers(nodes=nodes, settings=settings)
    found = answers.read()
    assert (found.knn, found.knn_why, found.knn_engines, found.knn_score) == (None, why, (), False)
    assert (("GET", abilities.USED)) not in answers.asked
    assert next(found.found())[:3] == ("k-NN", True, f"not used: {why} (none is needed)")


def test_a_node_without_data_needs_no_plugin() -> None:
    assert Answers(nodes={"a": DATA, "b": COORDINATING}).read().knn == "3.6.0.0"


def test_a_graph_that_was_loaded_proves_the_library_too() -> None:
    assert Answers(used={"a": BUILT, "b": LOADED}).read().faiss


@pytest.mark.parametrize("used", [{"a": UNUSED}, {"a": BUILT, "b": UNUSED}, {"a": {}}, {}])
def test_a_native_library_that_is_not_proven_is_not_used(used: Any) -> None:
    found = Answers(used=used).read()
    assert (found.faiss, found.knn_engines) == (False, ("lucene",))
    lines = {name: said for name, _, said, _ in found.found()}
    assert lines["k-NN"] == "3.6.0.0; HNSW by engine lucene"
    assert "nothing of ours is written for engine faiss" in lines["faiss"]


@pytest.mark.parametrize(
    ("number", "engines"),
    [("2.15.0", ()), ("2.16.0", ("faiss",)), ("2.18.1", ("faiss",)), ("2.19.0", ("faiss", "lucene"))],
)
def test_versions_that_take_binary_vectors(number: str, engines: tuple[str, ...]) -> None:
    about = {"version": {"distribution": "opensearch", "number": number}}
    assert Answers(answers={"/": about}).read().knn_engines == engines


@pytest.mark.parametrize(
    ("settings", "why", "knn_score"),
    [
        ({}, "", True),
        ({"script.allowed_types": ["both"]}, "", True),
        ({"script.allowed_types": ["inline", "stored"], "script.allowed_contexts": []}, "", True),
        ({"script.allowed_types": ["stored"]}, "", False),
        ({"script.allowed_types": "inline"}, "script.allowed_types is inline", True),
        ({"script.allowed_types": ["none"]}, "script.allowed_types is none", False),
        ({"script.allowed_contexts": ["score", "field"]}, "", True),
        ({"script.allowed_contexts": ["score"]}, "script.allowed_contexts is score", True),
        ({"script.allowed_contexts": ["none"]}, "script.allowed_contexts is none", False),
        ({"search.allow_expensive_queries": "false"}, "search.allow_expensive_queries is false", False),
    ],
)
def test_scripts(settings: Any, why: str, knn_score: bool) -> None:
    found = Answers(settings={"defaults": settings}).read()
    assert (found.no_scripts, found.knn_score) == (why, knn_score)


def test_what_the_account_may_not_read_counts_as_not_there() -> None:
    refused = {"/_nodes/plugins": refusal(403), "/_cluster/settings": refusal(403)}
    found = Answers(answers=refused).read()
    assert found.unread == ("plugins", "settings")
    assert (found.knn, found.no_scripts) == (None, "")
    found = Answers(answers={abilities.USED: UnknownIndexError("no such index [_plugins]")}).read()
    assert (found.unread, found.knn_engines) == (("native library",), ("lucene",))


def test_a_cluster_that_does_not_answer_is_an_error() -> None:
    with pytest.raises(EngineUnavailable):
        Answers(answers={"/_nodes/plugins": EngineUnavailable("gone")}).read()
