"""Problems of records that a library deleted: nothing meets these again, so the end of an update drops them."""

from collections.abc import Callable

from integration import problems, state
from integration.engine.client import Cluster, part
from mappings.profile import TargetProfile


def test_the_problem_of_a_record_that_is_gone_is_dropped(cluster: Cluster, index: Callable[..., str]) -> None:
    state.ensure(cluster)
    name, uuid = state.concrete(cluster, index())
    bundle = state.Bundle("fake", "fake", 16, "f" * 64)
    known = state.Attached(name, uuid, "s", {"s": bundle}, TargetProfile(name="test", text=("title",)), "secret")
    for record, routing in (("stays", {}), ("routed", {"routing": "r"})):
        cluster.request("PUT", f"/{part(name)}/_doc/{record}", params=routing, body={"title": ""})
    why = {"record": ("no-content", "nothing to encode")}
    found = [problems.Problem(record, None, "d", True, why) for record in ("stays", "routed", "gone", "\U0001f40b")]
    problems.update(cluster, known, found, [])
    try:
        problems.forget_gone(cluster, known)
        assert {problem.record for problem in problems.every(cluster, known)} == {"stays", "routed"}
    finally:
        problems.forget(cluster, known)
