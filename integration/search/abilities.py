"""What a cluster can do for a search, read with a few requests that change nothing, as one value to be kept.

The k-NN plugin is two things. Its Java part always works: `knn_score`, and HNSW by engine `lucene`. Its native library,
which engine `faiss` needs, may be missing, and nothing tells so (the statistic `faiss_initialized` is true as soon as
one mapping names the engine). A node finds out when it first builds a graph, where OpenSearch catches no such error:
the request in hand is never answered. A probe would be just such a request. So `faiss` counts only where every node
with data has built or loaded a graph with it since its start; elsewhere nothing of ours is written for it.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from integration.engine.client import Cluster
from mappings.errors import EngineRefused, UnknownIndexError

LUCENE_BINARY = (2, 19)  # binary vectors by engine lucene
FAISS_BINARY = (2, 16)
KNN = "opensearch-knn"
NEURAL = ("opensearch-neural-search", "neural-search")
USED = "/_plugins/_knn/data:true/stats/load_success_count,graph_stats"
KNN_SWITCH = "knn.plugin.enabled"
LIFETIME = 300.0  # seconds for which a process believes what it found
_found: dict[str, tuple[float, "Abilities"]] = {}  # by the cluster's URL: when it was read


@dataclass(frozen=True, slots=True)
class Abilities:
    """What was found. `unread` names what the account may not read: that counts as default settings and no plugin.

    `knn` is the version of the k-NN plugin where every node with data has it and it is switched on, else None, and
    `knn_why` then tells the reason. `script_types` and `script_contexts` are what `script.allowed_types` and
    `script.allowed_contexts` come to (no context named: all of them).
    """

    distribution: str = "opensearch"
    version: tuple[int, ...] = (0,)
    knn: str | None = None
    knn_why: str = "the plugin is not installed"
    neural: bool = False
    faiss: bool = False
    script_types: tuple[str, ...] = ("inline", "stored")
    script_contexts: tuple[str, ...] = ()
    expensive_queries: bool = True
    unread: tuple[str, ...] = ()

    @property
    def no_scripts(self) -> str:
        """Why our stored scripts may not run, as a score or as a field of a hit; empty where they may."""
        if not self.expensive_queries:
            return "search.allow_expensive_queries is false"
        if "stored" not in self.script_types:
            return f"script.allowed_types is {', '.join(self.script_types) or 'none'}"
        if not (self._allows("stored", "score") and self._allows("stored", "field")):
            return f"script.allowed_contexts is {', '.join(self.script_contexts)}"
        return ""

    @property
    def no_knn_score(self) -> str:
        """Why `knn_score` may not run, to the cluster an inline script; empty where it may."""
        if self.knn is None:
            return self.knn_why
        if not self.expensive_queries:
            return "search.allow_expensive_queries is false"
        return "" if self._allows("inline", "score") else "the cluster's settings allow no inline scripts that score"

    @property
    def knn_score(self) -> bool:
        """Whether `knn_score` may run."""
        return not self.no_knn_score

    @property
    def knn_engines(self) -> tuple[str, ...]:
        """The engines that can hold our codes as binary vectors; the first is the one to take."""
        if self.knn is None:
            return ()
        able = [("faiss", self.faiss and self.version >= FAISS_BINARY), ("lucene", self.version >= LUCENE_BINARY)]
        return tuple(engine for engine, can in able if can)

    def _allows(self, kind: str, context: str) -> bool:
        return kind in self.script_types and (not self.script_contexts or context in self.script_contexts)

    def found(self) -> Iterator[tuple[str, bool, str, str]]:
        """Name, whether it is well, what was found and what to do: the lines that `crosshatch doctor` prints."""
        yield "k-NN", True, self._knn_found(), ""
        if self.knn is not None and "native library" not in self.unread:
            yield "faiss", True, self._faiss_found(), ""

    def _knn_found(self) -> str:
        if self.knn is None:
            return f"not used: {self.knn_why} (none is needed)"
        engines = " or ".join(self.knn_engines) or f"none: binary vectors need {'.'.join(map(str, LUCENE_BINARY))}"
        return f"{self.knn}; HNSW by engine {engines}" + ("" if self.knn_score else "; knn_score is not allowed")

    def _faiss_found(self) -> str:
        if self.faiss:
            return "every node with data has used its native library"
        return (
            "its native library is missing, or some node has not used it since its start: no request can tell; "
            "nothing of ours is written for engine faiss"
        )


def read(cluster: Cluster) -> Abilities:
    """Ask the cluster: four requests at most. Raises EngineUnavailable; a refusal of one is told in `unread`."""
    unread: list[str] = []
    about = _asked(lambda: cluster.request("GET", "/"), "version", "version", unread)
    known: dict[str, Any] = {
        "distribution": str(about.get("distribution", "elasticsearch")),
        "version": _version(str(about.get("number", "0"))),
    }
    nodes = _asked(lambda: cluster.request("GET", "/_nodes/plugins"), "nodes", "plugins", unread)
    settings = settings_of(cluster)
    if settings is None:
        unread.append("settings")
    known |= scripts_in(settings or {}) | _plugins(nodes, settings or {})
    if known["knn"] is not None:
        told = _asked(lambda: cluster.request("GET", USED), "nodes", "native library", unread)
        known["faiss"] = _proven(told)
    if "plugins" in unread:
        known["knn_why"] = "the account may not read which plugins the nodes have (`crosshatch roles`)"
    return Abilities(**known, unread=tuple(unread))


def recent(cluster: Cluster, clock: Callable[[], float] = time.monotonic) -> Abilities:
    """What `read` found in this process less than `LIFETIME` seconds ago, so that a search need not ask.

    All clients of a URL share it. Raises EngineUnavailable where it must be read.
    """
    at, able = _found.get(cluster.url, (-LIFETIME, None))
    if able is None or clock() - at >= LIFETIME:
        able = read(cluster)
        _found[cluster.url] = (clock(), able)
    return able


def settings_of(cluster: Cluster) -> Mapping[str, Any] | None:
    """The cluster's settings by full name, defaults included; None where the account may not read them."""
    everything = {"include_defaults": "true", "flat_settings": "true"}
    try:
        answer = cluster.request("GET", "/_cluster/settings", params=everything)
    except (EngineRefused, UnknownIndexError):
        return None
    return {**answer.get("defaults", {}), **answer.get("persistent", {}), **answer.get("transient", {})}


def _asked(ask: Callable[[], Any], member: str, what: str, unread: list[str]) -> Mapping[str, Any]:
    """A member of an answer. What the account may not ask, or this is no engine that knows it, is noted as unread."""
    try:
        found = ask()[member]
        if isinstance(found, Mapping):
            return found
    except (EngineRefused, UnknownIndexError, LookupError, TypeError):
        pass  # as with an answer of another form
    unread.append(what)
    return {}


def _version(number: str) -> tuple[int, ...]:
    """`3.6.0-SNAPSHOT` -> (3, 6, 0)."""
    return tuple(int(part) for part in number.partition("-")[0].split(".") if part.isdecimal())


def _plugins(nodes: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the plugins of the nodes with data come to: one of them alone could not search the others' shards."""
    holding = [node for node in nodes.values() if "data" in node.get("roles", ("data",))]
    have = [{one["name"]: one["version"] for one in node.get("plugins", ())} for node in holding]
    versions = {plugins.get(KNN) for plugins in have}
    neural = bool(have) and all(any(name in plugins for name in NEURAL) for plugins in have)
    if not versions - {None}:
        return {"knn": None, "neural": neural}
    if str(settings.get(KNN_SWITCH, "true")).lower() == "false":
        return {"knn": None, "knn_why": f"{KNN_SWITCH} is false", "neural": neural}
    if None in versions:
        without = sum(KNN not in plugins for plugins in have)
        return {"knn": None, "knn_why": f"{without} of {len(have)} nodes with data lack the plugin", "neural": neural}
    return {"knn": min(version for version in versions if version), "neural": neural}


def scripts_in(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What the settings say of scripts, as members of Abilities. each is a word or a list."""
    contexts = tuple(_words(settings.get("script.allowed_contexts")))
    types = _words(settings.get("script.allowed_types")) or ["both"]
    return {
        "script_types": tuple(kind for kind in ("inline", "stored") if kind in types or "both" in types),
        "script_contexts": contexts,
        "expensive_queries": str(settings.get("search.allow_expensive_queries", "true")).lower() != "false",
    }


def _words(setting: object) -> list[str]:
    return [str(one) for one in setting] if isinstance(setting, list) else [str(setting)] if setting else []


def _proven(nodes: Mapping[str, Any]) -> bool:
    """Whether every node that was asked has built or loaded a graph with the native library."""
    return bool(nodes) and all(
        node.get("load_success_count", 0) > 0 or node.get("graph_stats", {}).get("refresh", {}).get("total", 0) > 0
        for node in nodes.values()
    )
