"""The harness of `make faults`: that it runs, and that its verdict sees every harm that it is there to see."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration import attach as attaching
from integration import problems, scan, state
from integration.encoding import BatchEncoding
from integration.engine.client import Cluster
from integration.engine.services import Services
from integration.jobs import Job
from integration.problems import Problem
from integration.settings import Settings
from tests.faults import kills
from tests.faults.scenario import Fault, run
from tests.faults.system import INDEX, STORE, System
from tests.faults.verdict import Expected, Row, judge
from tests.faults.writer import PROFILE, Cataloguing
from tests.live.fakes import CARD, FakeEncoder
from tests.live.test_writing import NoWatch

RECORDS = 12


@pytest.fixture
def emptied(cluster: Cluster) -> Iterator[None]:
    """No index of the harness before and after."""
    yield
    cluster.request("DELETE", f"/{INDEX},{STORE}", params={"ignore_unavailable": "true"})


@pytest.fixture
def encoded(
    cluster: Cluster, settings: Settings, tmp_path: Path, emptied: None
) -> Iterator[tuple[state.Attached, Cataloguing, FakeEncoder]]:
    """An index that its writer has filled, and every record of it encoded."""
    writer = Cataloguing(cluster.url, INDEX, RECORDS, versioning="internal", seed=1).build()
    (tmp_path / "p.yaml").write_text(PROFILE.format(versioning="internal"))
    known = attaching.attach(cluster, attaching.plan(cluster, INDEX, str(tmp_path / "p.yaml"), CARD))
    encoder = FakeEncoder()
    keys = tuple(one.key for one in scan.judged(cluster, known))
    job = Job("job", known.index, known.uuid, known.space, keys)
    BatchEncoding(job, known, cluster, lambda: encoder, settings).run(NoWatch())
    yield known, writer, encoder
    writer.stop()


def verdict(cluster: Cluster, writer: Cataloguing, encoder: FakeEncoder) -> Row:
    """What the harness says of the index as it is."""
    row = Row("test", RECORDS, 0)
    judge(row, cluster, INDEX, writer.truth, encoder, Expected(), contents=writer.titles, seed=1)
    return row


def test_the_verdict_on_an_unharmed_index(
    cluster: Cluster, encoded: tuple[state.Attached, Cataloguing, FakeEncoder]
) -> None:
    _, writer, encoder = encoded
    row = verdict(cluster, writer, encoder)
    assert (row.ok, row.facts["kept"], row.facts["contents"]) == (True, RECORDS, RECORDS)


def test_the_verdict_sees_every_harm(
    cluster: Cluster, encoded: tuple[state.Attached, Cataloguing, FakeEncoder]
) -> None:
    known, writer, encoder = encoded
    wrote = {f"r{number}": writer.truth.held[INDEX, f"r{number}"].body for number in range(RECORDS)}

    def source(record: str) -> bytes:
        return cluster.raw("GET", f"/{INDEX}/_source/{record}")

    def put(record: str, body: bytes) -> None:
        cluster.request("PUT", f"/{INDEX}/_doc/{record}", body=body)

    cluster.request("DELETE", f"/{INDEX}/_doc/r0")  # lost
    put("r1", source("r1").replace(b'"rank":1E2', b'"rank":100.0'))  # the same number in other bytes
    other = source("r3").partition(b'"text":"')[2].partition(b'"')[0]
    mine = source("r2").partition(b'"text":"')[2].partition(b'"')[0]
    put("r2", source("r2").replace(mine, other))  # the code of another record under the right digest
    body = wrote["r4"]
    assert isinstance(body, bytes)
    put("r4", body)  # no code
    put("stray", body)  # a record that nobody wrote; it has no code either
    cluster.request("POST", f"/{STORE}/_refresh")
    kept = cluster.request("GET", f"/{STORE}/_search", params={"size": 1})["hits"]["hits"][0]
    cluster.request("PUT", f"/{STORE}/_doc/{kept['_id']}", body=kept["_source"])  # kept twice
    cluster.request("PUT", f"/{STORE}/_doc/another", body=kept["_source"])  # codes of a content that nobody wrote
    writer.truth.errors.append("409")
    for record, reason in (("r5", "gone"), ("r6", "maybe-overwritten")):  # a problem that it has not, and a notice
        told = Problem(record, None, "", failed=False, parts={"record": (reason, "")})
        problems.update(cluster, known, [told], ())
    cluster.request("POST", f"/{state.STATE}/_refresh")
    row = verdict(cluster, writer, encoder)
    columns = (row.lost, row.foreign_changed, row.wrong_codes, row.encoded_twice, row.conflicts, row.notices)
    assert columns == (2, 1, 4, 2, 1, 1)
    assert known.store == STORE


def test_a_command_is_killed_under_way(services: Services, emptied: None) -> None:
    """The smallest size, and the kill that costs the least time; `make faults` does the others."""
    fault = Fault(
        "reindex killed", kills.follower, records=200, events=1, system=lambda folder: System(folder, services=services)
    )
    row = run(fault, seed=1)
    assert row.ok, row
    assert len(row.recover_s) == 1
