"""The least that each part must be allowed: every request that the code sends, and the actions that it needs.

A role is the sum of its requests, so it grants nothing that no request needs. `{index}` is the catalogue's index or our
alias on it, `{ours}` an index of ours. Actions are those that OpenSearch's security plugin judges by: a bulk request or
an mget needs one of the cluster and more of each index.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from integration.state import STATE

OURS = (STATE, ".crosshatch-codes-*")
_ALIASES = "POST /_aliases"  # names its index in the body
_BULK = "indices:data/write/bulk"
_SCROLL = ("indices:data/read/scroll", "indices:data/read/scroll/clear")
_WRITE = ("indices:data/write/bulk[s]", "indices:data/write/index")
_DELETE = ("indices:data/write/bulk[s]", "indices:data/write/delete")

# what a request needs: of the cluster, of its index
_NEEDS: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "GET /": (["cluster:monitor/main"], []),
    "GET /_cat/plugins": (["cluster:monitor/state", "cluster:monitor/nodes/info"], []),
    "GET /_cluster/health": (["cluster:monitor/health"], []),
    "GET /_cluster/health/*": (["cluster:monitor/health"], []),
    "GET /_cluster/settings": (["cluster:monitor/state"], []),
    "GET /_nodes/plugins": (["cluster:monitor/nodes/info"], []),
    "GET /_plugins/_knn/*/stats/*": (["cluster:admin/knn_stats_action"], []),
    "GET /_nodes/stats/*": (["cluster:monitor/nodes/stats"], []),
    "GET /_tasks/*": (["cluster:monitor/task/get"], []),
    "GET /_template": (["indices:admin/template/get"], []),
    "POST /_index_template/_simulate_index/*": (["indices:admin/index_template/simulate_index"], []),
    "GET /_scripts/*": (["cluster:admin/script/get"], []),
    "PUT /_scripts/*/*": (["cluster:admin/script/put"], []),
    "POST /_search/scroll": (_SCROLL, []),
    "DELETE /_search/scroll": (_SCROLL, []),
    _ALIASES: ([], ["indices:admin/aliases"]),
    "HEAD /*": ([], ["indices:admin/get"]),
    "GET /*": ([], ["indices:admin/get"]),
    "PUT /*": ([], ["indices:admin/create"]),
    "DELETE /*": ([], ["indices:admin/delete"]),
    "GET /*/_settings": ([], ["indices:monitor/settings/get"]),
    "PUT /*/_settings": ([], ["indices:admin/settings/update"]),
    "GET /*/_alias": ([], ["indices:admin/aliases/get"]),
    "GET /*/_mapping": ([], ["indices:admin/mappings/get"]),
    "PUT /*/_mapping": ([], ["indices:admin/mapping/put"]),
    "GET /*/_stats/*": ([], ["indices:monitor/stats"]),
    "POST /*/_refresh": ([], ["indices:admin/refresh", "indices:admin/refresh[s]"]),
    "GET /*/_doc/*": ([], ["indices:data/read/get"]),
    "PUT /*/_doc/*": ([_BULK], _WRITE),
    "DELETE /*/_doc/*": ([_BULK], _DELETE),
    "POST /*/_update/*": ([], ["indices:data/write/update"]),
    "POST /{ours}/_update/*": ([_BULK], [*_WRITE, "indices:data/write/update"]),
    "POST /*/_bulk": ([_BULK], _WRITE),
    "POST /{ours}/_bulk": ([_BULK], [*_WRITE, "indices:data/write/delete"]),  # solved problems are deleted
    "POST /*/_mget": (["indices:data/read/mget"], ["indices:data/read/mget[shard]"]),
    "POST /*/_search": ([], ["indices:data/read/search"]),
    "POST /*/_msearch": (["indices:data/read/msearch"], ["indices:data/read/search"]),
    "GET /*/_count": ([], ["indices:data/read/search"]),
    "POST /*/_count": ([], ["indices:data/read/search"]),
    "POST /*/_delete_by_query": (
        [_BULK, *_SCROLL],
        ["indices:data/write/delete/byquery", "indices:data/read/search", *_DELETE],
    ),
}
_SCAN = ["POST /{index}/_refresh", "POST /{index}/_search", "POST /_search/scroll", "DELETE /_search/scroll"]
_GUARDED = [
    *["POST /{index}/_mget", "POST /{index}/_bulk", "PUT /{index}/_doc/*", "DELETE /{index}/_doc/*"],
    *["POST /{index}/_update/*", "GET /{index}/_stats/*", "POST /{index}/_refresh", "POST /{index}/_search"],
]
_STATE = ["GET /{index}/_settings", "GET /{ours}/_doc/*", "POST /{ours}/_mget"]
_KEPT = ["HEAD /{ours}", "PUT /{ours}", "PUT /{ours}/_doc/*", "DELETE /{ours}/_doc/*"]
_PROBLEMS = ["POST /{ours}/_refresh", "POST /{ours}/_search"]
_PRESSURE = ["GET /_nodes/stats/*", "GET /_cluster/settings"]
_ABILITIES = ["GET /", "GET /_nodes/plugins", "GET /_cluster/settings", "GET /_plugins/_knn/*/stats/*"]
_DOCTOR = [*_ABILITIES, "GET /_cat/plugins", "GET /_cluster/health"]


@dataclass(frozen=True, slots=True)
class Role:
    """What one part does, as requests."""

    name: str
    about: str
    requests: Sequence[str]

    def definition(self, pattern: str) -> dict[str, Any]:
        """The role as OpenSearch's security plugin takes it, for the indices that `pattern` names."""
        catalogue, ours = self._of_index("{index}"), self._of_index("{ours}")
        granted = [([pattern, f"{pattern}-beside-*"], catalogue), (list(OURS), ours)]
        return {
            "description": self.about,
            "cluster_permissions": sorted({action for request in self.requests for action in needs(request)[0]}),
            "index_permissions": [
                {"index_patterns": patterns, "allowed_actions": actions} for patterns, actions in granted if actions
            ],
        }

    def _of_index(self, where: str) -> list[str]:
        requests = [name for name in self.requests if where in name or (name == _ALIASES and where == "{index}")]
        return sorted({action for request in requests for action in needs(request)[1]})


ROLES = (
    Role(
        "attach",
        "Crosshatch, administration: attach, detach, spaces, plans, weights, tune-weights, codes, off, on, doctor, "
        "update --follow",
        [
            *[*_STATE, *_KEPT, *_SCAN, *_GUARDED, *_PROBLEMS, *_DOCTOR, *_PRESSURE, _ALIASES],
            *["HEAD /{index}", "GET /{index}", "GET /{index}/_alias", "GET /{index}/_count", "POST /{index}/_count"],
            *["GET /{index}/_mapping", "PUT /{index}/_mapping", "GET /_scripts/*", "PUT /_scripts/*/*"],
            *["POST /{ours}/_bulk", "POST /{ours}/_delete_by_query", "DELETE /{ours}", "GET /{ours}/_stats/*"],
            "POST /{ours}/_count",
        ],
    ),
    Role(
        "worker",
        "Crosshatch, encoding: worker, reindex, update, status, problems",
        [
            *[*_STATE, *_SCAN, *_GUARDED, *_PROBLEMS, *_PRESSURE],
            *["HEAD /{ours}", "POST /{ours}/_bulk", "POST /{index}/_count"],
        ],
    ),
    Role(
        "beside",
        "Crosshatch, reindex --beside and --rollback: a second index is made, filled, changed over to and removed",
        [
            *[*_STATE, *_KEPT, *_SCAN, *_GUARDED, *_PROBLEMS, *_PRESSURE, _ALIASES, "POST /{ours}/_update/*"],
            *["HEAD /{index}", "GET /{index}", "PUT /{index}", "DELETE /{index}", "PUT /{index}/_settings"],
            *["GET /{index}/_mapping", "PUT /{index}/_mapping", "GET /{index}/_alias", "GET /{index}/_count"],
            *["GET /_template", "POST /_index_template/_simulate_index/*", "GET /_cluster/health/*"],
        ],
    ),
    Role(
        "gateway",
        "Crosshatch, gateway: it reads what is attached and what was written; searches run as their sender",
        [
            *[*_STATE, "GET /{index}/_mapping", "GET /_scripts/*", "PUT /_scripts/*/*", "GET /_tasks/*"],
            *["POST /{index}/_refresh", "POST /{index}/_search", "GET /{index}/_stats/*", *_PROBLEMS, *_PRESSURE],
            *_ABILITIES,
        ],
    ),
    Role(
        "learner",
        "Crosshatch, learning: evaluate and train with --data index:NAME, which read every document and write none",
        [*["GET /{index}/_settings", "GET /{ours}/_doc/*"], *_SCAN[1:]],
    ),
    Role(
        "reader",
        "Crosshatch, searching: crosshatch search, or a client with the stored scripts",
        [
            *[*_STATE, *_ABILITIES, "GET /{index}/_mapping"],
            *["POST /{index}/_search", "POST /{index}/_msearch", "POST /{index}/_count"],
        ],
    ),
)


def needs(request: str) -> tuple[Sequence[str], Sequence[str]]:
    """Actions of the cluster and of the index for a request such as `POST /{index}/_bulk`.

    Raises LookupError for a request that the code did not send when this was written.
    """
    return _NEEDS.get(request) or _NEEDS[request.replace("{index}", "*").replace("{ours}", "*")]


def shape(method: str, path: str) -> str:
    """A request that was sent, in the form of the roles' requests. Raises LookupError for an unknown one."""
    where = "{ours}" if path.startswith("/.crosshatch-") else "{index}"
    for known in _NEEDS:
        if re.fullmatch(
            known.replace(" /*", " /[^/_][^/]{0,}").replace("*", "[^/]+"), f"{method} {path.partition('?')[0]}"
        ):
            return known.replace("/*", f"/{where}", 1) if known.split(" ")[1].startswith("/*") else known
    raise LookupError(f"{method} {path} stands in no role; add what it needs to integration/permissions.py")


def definitions(pattern: str) -> dict[str, dict[str, Any]]:
    """Every role by the name it gets in the cluster."""
    return {f"crosshatch_{role.name}": role.definition(pattern) for role in ROLES}


def missing(role: str, sent: Iterable[tuple[str, str]]) -> set[str]:
    """Which of the requests sent the role does not allow."""
    [known] = [one for one in ROLES if one.name == role]
    return {form for form in (shape(*one) for one in sent) if form not in known.requests}
