"""The roles grant what the code sends, and nothing else."""

import ast
import re
from collections.abc import Iterable, Iterator

import pytest

from integration import permissions
from tests.sources import PROJECT

ELSEWHERE = ("integration/demo/", "integration/load.py", "integration/engine/")  # they make indices of their own


def _text(node: ast.expr, names: dict[str, ast.expr]) -> str | None:
    """A path as it is written, `x` for what is put in; None for what is no text here."""
    if isinstance(node, ast.Name) and node.id in names:
        return _text(names[node.id], {})
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(one, names) or ".crosshatch-x" * _is_ours(one) or "x" for one in node.values)
    return None


def _is_ours(node: ast.expr) -> bool:
    """As the code calls them: `state.STATE`, `known.store`, and what the code store calls `self._index`."""
    names = re.compile(r"\b(STATE|store|self\._index)\b")
    return isinstance(node, ast.FormattedValue) and bool(names.search(ast.unparse(node)))


def _names(nodes: Iterable[ast.AST]) -> dict[str, ast.expr]:
    return {
        node.targets[0].id: node.value
        for node in nodes
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }


def _sent(function: ast.AST, constants: dict[str, ast.expr]) -> Iterator[tuple[str, str]]:
    """Method and path of each request that stands in a function."""
    names = constants | _names(ast.walk(function))
    for node in ast.walk(function):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
            continue
        if node.func.attr in ("request", "raw") and isinstance(node.args[0], ast.Constant):
            method, path = str(node.args[0].value), _text(node.args[1], names)
        elif node.func.attr in ("bulk", "exists") and "luster" in ast.unparse(node.func.value):
            method, path = ("POST" if node.func.attr == "bulk" else "HEAD"), _text(node.args[0], names)
            path = f"{path}/_bulk" if path and node.func.attr == "bulk" else path
        else:
            continue
        if path is not None:
            yield method, "/" + path.lstrip("/")


def requests() -> list[tuple[str, str, str]]:
    """Where each request stands, its method and its path."""
    found = []
    for file in sorted([*PROJECT.glob("integration/**/*.py"), *PROJECT.glob("workers/*.py")]):
        where = str(file.relative_to(PROJECT))
        if where.startswith(ELSEWHERE):
            continue
        module = ast.parse(file.read_text("utf-8"))
        for node in ast.walk(module):
            if isinstance(node, ast.FunctionDef):
                found += [(f"{where}:{node.name}", *sent) for sent in _sent(node, _names(module.body))]
    return found


def test_every_request_of_the_code_is_known_and_some_role_allows_it() -> None:
    allowed = {request for role in permissions.ROLES for request in role.requests}
    found = requests()
    assert len(found) > 30
    for where, method, path in found:
        assert permissions.shape(method, path) in allowed, f"{where}: give it to a role in integration/permissions.py"


def test_no_role_allows_a_request_that_nobody_sends() -> None:
    sent = {permissions.shape(method, path) for _, method, path in requests()}
    by_alias = {"POST /{index}/_bulk", "POST /{index}/_mget"}  # written as `self._path`
    for role in permissions.ROLES:
        assert set(role.requests) <= sent | by_alias, role.name


def test_a_role_is_what_the_security_plugin_takes() -> None:
    reader = permissions.definitions("biblios*")["crosshatch_reader"]
    assert reader["cluster_permissions"] == [
        "cluster:admin/knn_stats_action",
        "cluster:monitor/main",
        "cluster:monitor/nodes/info",
        "cluster:monitor/state",
        "indices:data/read/mget",
        "indices:data/read/msearch",
    ]
    assert reader["index_permissions"] == [
        {
            "index_patterns": ["biblios*", "biblios*-beside-*"],
            "allowed_actions": [
                "indices:admin/mappings/get",
                "indices:data/read/search",
                "indices:monitor/settings/get",
            ],
        },
        {
            "index_patterns": [".crosshatch-state", ".crosshatch-codes-*"],
            "allowed_actions": ["indices:data/read/get", "indices:data/read/mget[shard]"],
        },
    ]


def test_only_attach_may_change_an_index_and_only_worker_and_attach_write() -> None:
    def actions(role: str) -> str:
        return str(permissions.definitions("biblios")[f"crosshatch_{role}"])

    for role in ("worker", "gateway", "reader"):
        assert not any(action in actions(role) for action in ("admin/mapping/put", "admin/aliases", "admin/create"))
    for role in ("gateway", "reader"):
        assert "indices:data/write" not in actions(role)
    assert not any("*" in action for role in permissions.ROLES for request in role.requests
                   for side in permissions.needs(request) for action in side)  # fmt: skip


def test_an_unknown_request_is_an_error_that_names_the_place() -> None:
    with pytest.raises(LookupError, match=r"add what it needs to integration/permissions\.py"):
        permissions.shape("POST", "/biblios/_forcemerge")
